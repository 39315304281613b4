"""`arena broker start|stop|status` as a user runs it."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.warm_commands import run_arena

TIMEOUT_S = 90


class Shell:
    """Runs `arena broker ...` with its own home."""

    def __init__(self, home: Path) -> None:
        self.environ = {**os.environ, "ARENA_HOME": str(home)}
        self.environ.pop("KAFKA_BOOTSTRAP_SERVERS", None)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return run_arena("broker", *arguments, env=self.environ, timeout_s=TIMEOUT_S)

    def status(self) -> Any:  # Any: JSON of several shapes
        """Return the output of `status --json`."""
        return json.loads(self.run("status", "--json").stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with a new home."""
    return Shell(tmp_path)


def test_start_status_stop(shell: Shell) -> None:
    """A broker is started, runs on after the command, is shown, and can be started twice."""
    started = shell.run("start", "--port", "0")
    try:
        assert started.returncode == 0, started.stderr
        assert "Apache Kafka 4.3.1 is ready after " in started.stdout
        assert "arena broker stop" in started.stdout

        shown = shell.run("status", "--verify")
        status = shell.status()
        assert shown.returncode == 0
        assert "every byte checked" in shown.stdout
        assert status["condition"] == "running"
        assert status["rss_bytes"] > 50_000_000

        again = shell.run("start")
        assert again.returncode == 0
        assert f"runs already on {status['broker']['bootstrap']}" in again.stdout
        assert status["broker"]["pid"] == shell.status()["broker"]["pid"]
    finally:
        stopped = shell.run("stop")
    assert stopped.returncode == 0
    assert "data stays in" in stopped.stdout
    assert shell.status()["condition"] == "stopped"


@pytest.mark.timeout(240)
def test_three_brokers_with_logins(shell: Shell) -> None:
    """Three secure brokers: each is shown, a killed one is restarted, one stop ends all."""
    started = shell.run("start", "--nodes", "3", "--secure", "--port", "0")
    try:
        assert started.returncode == 0, started.stderr
        assert "arena topics acl --apply" in started.stdout
        pids = [node["broker"]["pid"] for node in shell.status()["nodes"]]

        os.kill(pids[2], signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pids[2])], timeout=20)
        degraded = shell.run("status")
        repaired = shell.run("start")
        status = shell.status()
    finally:
        stopped = shell.run("stop")

    assert degraded.returncode == 1
    assert "degraded, 2 of 3 brokers run" in degraded.stdout
    assert f"stopped (pid {pids[2]} is gone" in degraded.stdout
    assert repaired.returncode == 0, repaired.stderr
    assert "running" == status["condition"]
    assert pids[:2] == [node["broker"]["pid"] for node in status["nodes"]][:2]
    assert {"SASL_PLAINTEXT"} == {node["broker"]["security"] for node in status["nodes"]}
    assert 2 == stopped.stdout.count(",127.0.0.1:")
    assert "stopped" == shell.status()["condition"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--nodes", "2"],
        ["--secure", "--tls-ca", "ca.pem"],
        ["--tls-keystore", "k.pem"],
        ["--secure", "--tls-client-auth"],
    ],
)
def test_invalid_flags_are_usage_errors(shell: Shell, flags: list[str]) -> None:
    """The exit code is 2, and nothing was started."""
    assert 2 == shell.run("start", *flags).returncode
    assert "stopped" == shell.status()["condition"]


def test_without_a_broker(shell: Shell) -> None:
    """Status ends with 1; stop says that nothing is running."""
    assert shell.run("status").returncode == 1
    assert shell.run("stop").stdout == "no local broker was running\n"


def test_taken_port_ends_with_3_and_the_remedy(shell: Shell) -> None:
    """One line on standard error, no traceback, exit code 3."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = shell.run("start", "--port", str(port))

    assert refused.returncode == 3
    assert f"arena: port {port} on 127.0.0.1 is taken" in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_stale_state_is_shown_as_such(shell: Shell, tmp_path: Path) -> None:
    """A state file whose process has ended is "stale", and stop does not signal its pid."""
    state = {
        "kind": "apache-kafka",
        "version": "4.3.1",
        "bootstrap": "127.0.0.1:1",
        "controller_port": 2,
        "cluster_id": "id",
        "durable": True,
        "pid": os.getpid(),
        "start_time_s": 1.0,
        "data_dir": str(tmp_path),
        "log_file": str(tmp_path / "server.log"),
    }
    (tmp_path / "server.log").write_text("FATAL java.io.IOException: No space left on device\n")
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "broker.json").write_text(json.dumps(state))

    shown = shell.run("status")

    assert shown.returncode == 1
    assert f"stopped (pid {os.getpid()} is gone" in shown.stdout
    assert "is full; free some space" in shown.stdout
    assert shell.status()["condition"] == "stale"
    assert shell.run("stop").stdout == "no local broker was running\n"


def test_altered_jar_ends_verify_with_1(shell: Shell, tmp_path: Path) -> None:
    """`status --verify` names a jar that differs from the lock."""
    from operations.localbroker.jar_lock import load_lock
    from operations.localbroker.jars import jars_directory

    lock = load_lock()
    directory = jars_directory(lock, tmp_path / "cache")
    directory.mkdir(parents=True)
    for jar in lock.jars:
        (directory / jar.file_name).write_bytes(b"not a jar")
    shell.environ["ARENA_CACHE"] = str(tmp_path / "cache")

    shown = shell.run("status", "--verify")

    assert shown.returncode == 1
    assert f"{lock.jars[0].file_name} is truncated: expected" in shown.stderr
    assert lock.jars[0].sha256 in shown.stderr


@pytest.mark.parametrize("command", ["start", "stop", "status"])
def test_help_ends_with_an_example(shell: Shell, command: str) -> None:
    """The last line of each help is an example."""
    assert f"Example: arena broker {command}" in shell.run(command, "--help").stdout
