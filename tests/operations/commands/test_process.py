"""`arena process` with a real broker, a real `arena up` and real processes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import ProcessCommand
from arena.runs import newest_run
from arena.settings import Settings
from tests.operations.commands.cli import ROOT, arena, environment
from tests.operations.commands.test_up import SPEC, running, status_when

DEADLINE_S = 60.0
TOPIC = topics.SUPERVISION.name


class ListedProcess(NamedTuple):
    """A row of `arena process list --json`."""

    state: str
    pid: int
    restarts: int
    note: str
    command: dict[str, Any] | None


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A small arena: one product, one agent."""
    path = tmp_path / "ARENA.toml"
    path.write_text(SPEC)
    return path


def listed(settings: Settings) -> dict[str, ListedProcess]:
    """The processes of the only supervisor; none if it does not answer yet."""
    done = arena(settings, "process", "list", "--json")
    if done.returncode == 1:
        return {}
    (one,) = json.loads(done.stdout)["supervisors"]
    assert socket.gethostname() == one["host"]
    return {
        p["name"]: ListedProcess(p["state"], p["pid"], p["restarts"], p["note"], p["command"])
        for p in one["processes"]
    }


def listed_when(
    settings: Settings, wanted: Callable[[dict[str, ListedProcess]], bool]
) -> dict[str, ListedProcess]:
    """Repeat `arena process list` until it is as wanted."""
    end_s = time.monotonic() + DEADLINE_S
    while True:
        found = listed(settings)
        if found and wanted(found):
            return found
        assert time.monotonic() < end_s, found
        time.sleep(0.2)


def send(settings: Settings, *records: ProcessCommand | bytes) -> None:
    """Append commands, or other bytes, by hand."""

    async def append() -> None:
        bus = KafkaBus(settings, client_id="test")
        await bus.start()
        for record in records:
            if isinstance(record, bytes):
                await (await bus.send_bytes(TOPIC, record, key=None, partition=0, headers=()))
            else:
                await bus.append(TOPIC, record, key=record.host)
        await bus.close()

    asyncio.run(append())


def command(settings: Settings, number: int, **changes: Any) -> ProcessCommand:  # Any: fields
    """A command to restart the chat node of the newest run."""
    found = newest_run(settings.home)
    assert found is not None
    return ProcessCommand(
        command_id=f"command-{number:08d}",
        host=socket.gethostname(),
        run=found[0].name,
        process="chat-node-rules",
        action="restart",
        by="test",
        issued_at=datetime.now(UTC),
    ).model_copy(update=changes)


@pytest.mark.timeout(300)
def test_processes_are_stopped_started_and_restarted(settings: Settings, spec: Path) -> None:
    """A stopped router stays stopped, and is shown as such everywhere, until it is started."""
    with running(settings, spec) as up:
        status_when(settings, healthy=True, at_least=5)
        before = listed_when(settings, lambda p: p["router-holder"].state == "running")

        stopped = arena(settings, "process", "stop", "router-holder", "--reason", "new key")
        held = listed(settings)
        status = json.loads(arena(settings, "status", "--json").stdout)
        standings = json.loads(arena(settings, "dashboard", "--once", "--json").stdout)
        again = arena(settings, "process", "stop", "router-holder", "--json")
        restarted = arena(settings, "process", "restart", "chat-node-rules")
        after = listed(settings)
        started = arena(settings, "process", "start", "router-holder", "--json")
        status_when(settings, healthy=True, at_least=5)
        last = listed(settings)
        up.terminate()
        output, _ = up.communicate(timeout=30)

    why = f"stopped by cli/{socket.gethostname()}: new key"
    assert 0 == stopped.returncode, stopped.stderr
    assert "stop of router-holder of run " in stopped.stdout
    assert "its agents skip every snapshot until it is started" in stopped.stdout
    assert not psutil.pid_exists(before["router-holder"].pid)
    assert ("stopped", why) == (held["router-holder"].state, held["router-holder"].note)
    row = next(p for p in status["processes"] if p["kind"] == "router")
    assert ("holder", "stopped", why) == (row["name"], row["health"], row["stopped_by"])
    (router,) = [p for p in standings["processes"] if p["kind"] == "router"]
    assert ("stopped", why, False) == (router["status"], router["stopped_by"], router["alive"])
    assert ("done", "it was stopped already") == outcome(again)
    assert 0 == restarted.returncode, restarted.stderr
    assert ("stopped", 0) == (after["router-holder"].state, after["router-holder"].restarts)
    assert before["chat-node-rules"].pid != after["chat-node-rules"].pid
    assert ("done", f"started, pid {last['router-holder'].pid}") == outcome(started)
    unchanged = ("exchange", "connector", "tools")
    assert [before[name].pid for name in unchanged] == [last[name].pid for name in unchanged]
    assert 0 == up.returncode, output
    assert "router-holder stop from cli/" in output


def outcome(done: "subprocess.CompletedProcess[str]") -> tuple[str, str]:
    """State and text of a command with `--json`."""
    document = json.loads(done.stdout)
    return document["state"], document["text"]


@pytest.mark.timeout(300)
def test_only_commands_for_this_run_are_obeyed_and_each_once(
    settings: Settings, spec: Path
) -> None:
    """Others, copies and garbage on the topic neither restart a process nor end the supervisor."""
    with running(settings, spec) as up:
        status_when(settings, healthy=True, at_least=5)
        listed_when(settings, lambda p: p["chat-node-rules"].state == "running")
        send(
            settings,
            command(settings, 1, host="elsewhere"),
            command(settings, 2, run="another-run"),
            b"garbage",
            b"{" * 900_000,
            command(settings, 3),
            command(settings, 3),
            command(settings, 4, process="no-such"),
        )
        found = listed_when(settings, lambda p: p["chat-node-rules"].restarts > 0)
        refused = command(settings, 5, process="exchange", action="start")
        send(settings, refused)
        last = listed_when(settings, lambda p: p["exchange"].command is not None)
        status_when(settings, healthy=True, at_least=5)
        up.terminate()
        output, _ = up.communicate(timeout=30)

    assert 1 == found["chat-node-rules"].restarts == last["chat-node-rules"].restarts
    assert "command-00000003" == (last["chat-node-rules"].command or {})["command_id"]
    assert 1 == output.count("chat-node-rules restart from test: done")
    assert "command command-00000003 came again; it is not repeated" in output
    assert "no-such restart from test: refused: this run has no process 'no-such'" in output
    assert "exchange start from test: done: it was running already" in output
    assert 2 == output.count("cannot be read, and is in dead_letters")
    assert "elsewhere" not in output
    assert "another-run" not in output


@pytest.mark.timeout(300)
def test_command_line_refuses_what_it_must(settings: Settings, spec: Path) -> None:
    """Exit codes: 1 without a supervisor or an answer, 2 for wrong usage, with the remedy."""
    nothing = arena(settings, "process", "list")
    created = json.loads(arena(settings, "topics", "describe", "--json").stdout)["topics"]
    with running(settings, spec) as up:
        status_when(settings, healthy=True, at_least=5)
        listed_when(settings, lambda p: p["tools"].state == "running")
        unknown = arena(settings, "process", "stop", "router-holdre")
        elsewhere = arena(settings, "process", "stop", "tools", "--host", "elsewhere")
        piped = arena(settings, "process", "stop", "tools")
        asked = arena(settings, "process", "stop", "tools", "--json")
        long = arena(settings, "process", "stop", "tools", "--reason", "x" * 201)
        named = arena(settings, "process", "list", "--run", "last", "--json")
        wrong = arena(settings, "process", "list", "--run", "2001-")
        os.kill(up.pid, signal.SIGSTOP)
        silent = arena(settings, "process", "restart", "chat-node-rules", "--wait", "1")
        os.kill(up.pid, signal.SIGCONT)
        agreed = arena(settings, "process", "stop", "tools", "--yes")
        pid = listed(settings)["chat-node-rules"].pid
    other = settings.override(bootstrap_servers="127.0.0.1:1")
    unreachable = arena(other, "process", "list")

    assert (1, []) == (nothing.returncode, created)
    assert "no supervisor runs in this arena; start one with" in nothing.stderr
    assert 2 == unknown.returncode
    assert (
        "there is no process 'router-holdre'; the processes are router-holder, " in unknown.stderr
    )
    assert (2, True) == (
        elsewhere.returncode, "no supervisor on host 'elsewhere' runs" in elsewhere.stderr,
    )  # fmt: skip
    for done in (piped, asked):
        assert 2 == done.returncode
        assert "no order of any agent is decided until it is started" in done.stderr
        assert done.stderr.rstrip().endswith("add --yes to stop it")
    assert (2, True) == (long.returncode, "--reason has 201 characters" in long.stderr)
    assert 0 == named.returncode, named.stderr
    assert (2, True) == (wrong.returncode, "no supervisor of run '2001-' runs" in wrong.stderr)
    assert 1 == silent.returncode
    assert "restart of chat-node-rules was not confirmed within 1 s" in silent.stderr
    assert 0 == agreed.returncode, agreed.stderr
    assert "no order of any agent is decided until it is started" in agreed.stdout
    assert pid > 0
    assert 3 == unreachable.returncode


@pytest.mark.timeout(300)
def test_next_run_starts_what_was_stopped(settings: Settings, spec: Path) -> None:
    """A stop lasts as long as its supervisor: the next `arena up` starts every process."""
    up = subprocess.Popen(
        [sys.executable, "-m", "arena", "up", str(spec), "--no-dashboard"],
        env=environment(settings),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        listed_when(settings, lambda p: p["router-holder"].state == "running")
        assert 0 == arena(settings, "process", "stop", "router-holder").returncode
        pids = [p.pid for p in listed(settings).values() if p.state == "running"]
    finally:
        up.kill()
        up.wait()
    end_s = time.monotonic() + DEADLINE_S
    while any(psutil.pid_exists(pid) for pid in pids):
        assert time.monotonic() < end_s, "the processes of the killed supervisor are left"
        time.sleep(0.1)
    killed = arena(settings, "process", "list")

    with running(settings, spec):
        status_when(settings, healthy=True, at_least=5)
        found = listed_when(settings, lambda p: p["router-holder"].state == "running")

    assert 1 == killed.returncode
    assert 0 == found["router-holder"].restarts
    assert found["router-holder"].command is None
