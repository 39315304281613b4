"""`arena status` of real processes: suspended, killed, ended, two of one name."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from arena.settings import Settings
from tests.operations.commands.cli import ROOT, arena, environment

INTERVAL_S = 0.4
DEADLINE_S = 60.0
PROGRAM = """
import asyncio, sys
from arena.errors import DependencyMissing
from arena.node import run_node
from arena.settings import Settings

async def serve(node, _):
    node.status = "running"
    await node.beat()
    print("ready", flush=True)
    if await asyncio.to_thread(sys.stdin.readline) == "break\\n":
        raise DependencyMissing("the venue is gone", remedy="wait for it")

run_node(sys.argv[1], sys.argv[2], Settings(), serve, None)
"""

ELSEWHERE = """
import datetime, socket
from arena.node import Node

heartbeat_of = Node.heartbeat
ahead = datetime.timedelta(seconds={ahead_s})
Node.heartbeat = lambda self, now: heartbeat_of(self, now + ahead)
socket.gethostname = lambda: {host!r}
"""
"""Heartbeats that a process on another host with another clock would send."""


@contextmanager
def node(
    settings: Settings, kind: str, name: str, program: str = PROGRAM
) -> Iterator["subprocess.Popen[str]"]:
    """A process that sends heartbeats until it is killed or stopped."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, kind, name],
        cwd=ROOT,
        env=environment(settings) | {"ARENA_HEARTBEAT_INTERVAL_S": str(INTERVAL_S)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def status_of(settings: Settings) -> tuple[int, dict[int, tuple[str, str]]]:
    """The exit code, and pid -> health and text."""
    done = arena(settings, "status", "--json")
    rows = json.loads(done.stdout)["processes"]
    assert ({0: True, 1: False}[done.returncode]) == json.loads(done.stdout)["healthy"]
    return done.returncode, {row["pid"]: (row["health"], row["words"]) for row in rows}


def expect(settings: Settings, code: int, healths: dict[int, str]) -> dict[int, tuple[str, str]]:
    """Repeat `arena status` until it shows the expected state, at most `DEADLINE_S`."""
    end_s = time.monotonic() + DEADLINE_S
    while True:
        answer = status_of(settings)
        if (code, healths) == (answer[0], {pid: health for pid, (health, _) in answer[1].items()}):
            return answer[1]
        assert time.monotonic() < end_s, answer


def wait_for_heartbeat(settings: Settings, pid: int) -> None:
    """Wait until a process has sent a heartbeat since now."""
    began_s = time.monotonic()
    while True:
        waited_s = time.monotonic() - began_s
        rows = json.loads(arena(settings, "status", "--json").stdout)["processes"]
        if any(row["pid"] == pid and row["age_s"] < waited_s for row in rows):
            return
        assert waited_s < DEADLINE_S, rows


@pytest.mark.timeout(240)
def test_suspended_process_is_stale_until_it_continues(settings: Settings) -> None:
    """SIGSTOP makes it stale and the exit code 1; after SIGCONT it is ok again."""
    with node(settings, "router", "momentum") as one:
        expect(settings, 0, {one.pid: "ok"})
        os.kill(one.pid, signal.SIGSTOP)
        words = expect(settings, 1, {one.pid: "stale"})
        os.kill(one.pid, signal.SIGCONT)
        expect(settings, 0, {one.pid: "ok"})

    assert words[one.pid][1].startswith("suspended")


@pytest.mark.timeout(240)
def test_killed_process_is_down_until_it_is_replaced(settings: Settings) -> None:
    """Two of one name are shown; a killed one is down until a third starts."""
    with node(settings, "tools", "tools") as one, node(settings, "tools", "tools") as two:
        expect(settings, 0, {one.pid: "ok", two.pid: "ok"})
        wait_for_heartbeat(settings, one.pid)  # else the second one replaced it
        one.kill()
        one.wait()
        words = expect(settings, 1, {one.pid: "down", two.pid: "ok"})
        with node(settings, "tools", "tools") as three:
            expect(settings, 0, {two.pid: "ok", three.pid: "ok"})

    assert "killed" in words[one.pid][1]


@pytest.mark.timeout(240)
def test_ended_process_shows_its_error(settings: Settings) -> None:
    """A process that failed is down, with its error; one that stopped normally is not."""
    with (
        node(settings, "connector", "a") as broken,
        node(settings, "judge", "b") as done,
        node(settings, "router", "c") as alive,
    ):
        for process, word in ((broken, "break\n"), (done, "\n")):
            assert process.stdin is not None
            process.stdin.write(word)
            process.stdin.flush()
            process.wait(DEADLINE_S)
        healths = {broken.pid: "down", done.pid: "stopped", alive.pid: "ok"}
        words = expect(settings, 1, healths)

    assert (3, 0) == (broken.returncode, done.returncode)
    assert "the venue is gone; wait for it" == words[broken.pid][1]


def test_clock_skew_of_another_host_is_shown(settings: Settings) -> None:
    """A host whose clock is an hour ahead is named with its skew."""
    with (
        node(settings, "router", "a", ELSEWHERE.format(host="alpha", ahead_s=3_600) + PROGRAM),
        node(settings, "router", "b", ELSEWHERE.format(host="beta", ahead_s=0) + PROGRAM),
    ):
        clocks = json.loads(arena(settings, "status", "--json").stdout)["clocks"]
        words = arena(settings, "status").stdout

    skews = {clock["host"]: clock["skew_s"] for clock in clocks}
    assert abs(skews["alpha"] - 3_600) < 30
    assert abs(skews["beta"]) < 30
    assert "alpha 3" in words
    assert "s ahead: set that clock" in words
