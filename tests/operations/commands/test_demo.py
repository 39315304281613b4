"""`arena demo` from start to end, without a terminal."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import httpx
import psutil
import pytest

from arena.errors import EXIT_INTERRUPTED, DependencyMissing
from operations.commands import demo as module
from tests.operations.commands.cli import ROOT
from tests.operations.localbroker.processes import enable_ctrl_c
from tests.warm_commands import run_arena

DEADLINE_S = 110
ADDRESS = re.compile(r"http://\S+")
STOPPED = ("demo", "--no-web", "--seconds", "60", "--agents", "scalper,cash")
"""A demo that a test ends before its time."""
WITHOUT = ("KAFKA_BOOTSTRAP_SERVERS", "ARENA_PREFIX", "ARENA_STEP")


def environment(home: Path) -> dict[str, str]:
    """An environment without a broker's address."""
    found = {k: v for k, v in os.environ.items() if k not in WITHOUT}
    return found | {"ARENA_HOME": str(home), "PYTHONPATH": str(ROOT)}


def started_from(home: Path) -> list[psutil.Process]:
    """Every process of an arena in this home, whatever its parent."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            ours = process.environ().get("ARENA_HOME") == str(home)
            if ours or str(home) in " ".join(process.cmdline()) or str(home) in process.cwd():
                found.append(process)
    return found


def require_nothing_left(home: Path) -> None:
    """Require that all processes of a home end within moments."""
    end_s = time.monotonic() + 10
    while (left := started_from(home)) and time.monotonic() < end_s:
        time.sleep(0.1)
    assert [] == [" ".join(p.cmdline()) for p in left]


def require_same_page(home: Path, standings: dict[str, Any]) -> None:
    """Require that the page of an ended run answers as the terminal, and ends within a second."""
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "web", "--run", "last", "--port", "0"],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=enable_ctrl_c,
    )
    assert process.stdout is not None
    try:
        address = next(found for line in process.stdout if (found := ADDRESS.search(line)))[0]
        assert {"status": "ok"} == httpx.get(f"{address}health").json()
        board = httpx.get(f"{address}api/v1/leaderboard").json()
        assert standings["agents"] == board["agents"]
        assert standings["digest"] == board["digest"]
        assert board["ended"].startswith("ended")
        process.send_signal(signal.SIGINT)
        assert EXIT_INTERRUPTED == process.wait(timeout=5)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home for one arena; its remaining processes are ended after the test."""
    home = tmp_path / "home"
    yield home
    for process in started_from(home):
        with contextlib.suppress(psutil.Error):
            process.kill()


@pytest.mark.timeout(240)
def test_demo_trades_and_leaves_its_records(home: Path, tmp_path: Path) -> None:
    """Every agent has turns, there are fills, the records can be read, no process is left."""
    file = tmp_path / "demo.json"

    done = subprocess.run(
        [sys.executable, "-m", "arena", "demo", "--seconds", "8", "--json", str(file)],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "Models: scripted rules, not LLMs." in done.stdout
    assert "Standings after" in done.stdout
    assert re.search(r"Page: http://127\.0\.0\.1:\d+/", done.stdout)
    assert "web --run last" in done.stdout
    require_nothing_left(home)
    document = json.loads(file.read_text())
    assert document["broker"]["kind"] in ("apache-kafka", "kafka-compatible")
    assert (document["simulated"], document["seed"], document["speed"]) == (True, 7, 60.0)
    assert document["snapshots"] >= 3
    assert len(document["digest"]) == 64
    agents = {a["agent"]: a for a in document["agents"]}
    assert len(agents) == 6
    assert all(a["scripted"] and a["turns"] >= 1 for a in agents.values())
    assert sum(a["trades"] for a in agents.values()) >= 3
    assert agents["cash"]["equity_usd"] == "100000"

    if document["broker"]["durable"]:
        events = [json.loads(line) for line in _read(home, "tail", "account.events", "--json")]
        filled = [e for e in events if e["message"].get("outcome") == "filled"]
        assert len(filled) == sum(a["trades"] for a in agents.values())
        later = json.loads("\n".join(_read(home, "dashboard", "--once", "--json")))
        assert later["digest"] == document["digest"]
        require_same_page(home, later)
        require_nothing_left(home)


@pytest.mark.parametrize(("log", "is_kept"), [(None, False), ("", False), ("no space", True)])
def test_demo_whose_broker_cannot_start_keeps_only_a_run_with_logs(
    log: str | None, is_kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without logs there is nothing to read, and `last` would mean an empty run."""

    def fail(directory: Path, **_: object) -> NoReturn:
        if log is not None:
            (directory / "logs" / "broker.log").write_text(log)
        raise DependencyMissing("the disk is full")

    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setattr(module, "find_or_start_broker", fail)
    with pytest.raises(DependencyMissing):
        module.demo(seconds=1.0, seed=7)

    assert is_kept is any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("code", "has_crashed"),
    [(0, False), (None, False), (-15, False), (-2, False), (130, False), (143, False), (1, True)],
)
def test_stopped_dashboard_is_not_a_crash(
    code: int | None, has_crashed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dashboard that was stopped while it started ends with 130 or 143."""
    run = SimpleNamespace(
        record=SimpleNamespace(processes=[SimpleNamespace(name="dashboard", exit_code=code)]),
        supervisor=SimpleNamespace(log_tail=lambda name: "Traceback"),
    )
    module._DemoRun._print_dashboard_crash(None, run)  # type: ignore[arg-type]  # a stand-in

    assert has_crashed is ("Traceback" in capsys.readouterr().out)


def _read(home: Path, *command: str) -> list[str]:
    done = run_arena(*command, env=environment(home), timeout_s=DEADLINE_S)
    return done.stdout.splitlines()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("number", "moment", "code"),
    [
        (signal.SIGINT, "[3/3]", 130),
        (signal.SIGTERM, "left", 143),
        (signal.SIGTERM, "ready on", 143),
        (signal.SIGINT, "arena", 130),
        (signal.SIGTERM, "arena", 143),
    ],
)
def test_signal_at_any_moment_leaves_no_process(
    home: Path, number: signal.Signals, moment: str, code: int
) -> None:
    """Ctrl-C to the whole group while the broker starts, while nodes start, while they trade."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "arena", *STOPPED],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=enable_ctrl_c,
    )
    assert process.stdout is not None
    try:
        seen = ""
        while moment not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        os.killpg(process.pid, number)
        output, _ = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    assert "Traceback" not in seen + output
    assert process.returncode == code
    require_nothing_left(home)


@pytest.mark.timeout(240)
def test_kill_9_of_the_demo_leaves_no_process(home: Path) -> None:
    """The reaper ends the processes of a demo that could not end them itself."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "arena", *STOPPED],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = "-"
    while line and " left" not in line:
        line = process.stdout.readline()

    process.kill()

    end_s = time.monotonic() + 30
    while started_from(home) and time.monotonic() < end_s:
        time.sleep(0.2)
    process.wait()
    process.stdout.close()
    require_nothing_left(home)


@pytest.mark.timeout(240)
def test_closed_pipe_ends_the_demo_quietly(home: Path) -> None:
    """`arena demo | head -2` stops everything without an error message."""
    done = subprocess.run(
        [
            "/bin/bash",
            "-c",
            f"{sys.executable} -m arena {' '.join(STOPPED)} | head -2; exit $PIPESTATUS",
        ],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (done.returncode, done.stderr) == (141, "")
    require_nothing_left(home)
