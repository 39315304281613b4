"""`arena up` and `arena status`, against a real broker and with real nodes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arena.runs import RunRecord, newest_run
from arena.settings import Settings
from tests.operations.commands.cli import ROOT, arena, environment

SPEC = """\
[arena]
name = "small"
products = ["BTC-USD"]

[market]
source = "exchange"
speed = 60

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "holder"
strategy = "buy_and_hold"
chat_node = "rules"
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A small arena: one product, one agent."""
    path = tmp_path / "ARENA.toml"
    path.write_text(SPEC)
    return path


@contextmanager
def running(settings: Settings, spec: Path) -> Iterator["subprocess.Popen[str]"]:
    """`arena up` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "up", str(spec), "--no-dashboard", "--no-web"],
        env=environment(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def run_record(settings: Settings) -> RunRecord | None:
    """The record of the newest run."""
    found = newest_run(settings.home)
    return found[1] if found else None


def status_when(settings: Settings, *, healthy: bool, at_least: int) -> dict[str, Any]:  # Any: JSON
    """Repeat `arena status --json` until it shows the health and number of processes."""
    end_s = time.monotonic() + 45
    while True:
        done = arena(settings, "status", "--json")
        document: dict[str, Any] = json.loads(done.stdout or '{"processes": []}')
        beating = [p for p in document["processes"] if p["age_s"] is not None]
        if (done.returncode == 0) == healthy and len(beating) >= at_least:
            return document
        assert time.monotonic() < end_s, done.stdout + done.stderr
        time.sleep(0.3)


@pytest.mark.timeout(180)
def test_up_restarts_a_killed_process(settings: Settings, spec: Path) -> None:
    """All nodes send heartbeats, a killed one is restarted, and SIGTERM ends all with 0."""
    with running(settings, spec) as up:
        status_when(settings, healthy=True, at_least=4)
        record = run_record(settings)
        assert record is not None
        tools = next(p for p in record.processes if p.name == "tools")
        assert tools.pid is not None

        os.kill(tools.pid, signal.SIGKILL)

        end_s = time.monotonic() + 30
        while time.monotonic() < end_s:
            record = run_record(settings)
            assert record is not None
            again = next(p for p in record.processes if p.name == "tools")
            if again.state == "running" and again.restarts == 1:
                break
            time.sleep(0.1)
        assert (again.state, again.restarts, again.exit_code) == ("running", 1, -9)
        document = status_when(settings, healthy=True, at_least=4)
        up.terminate()
        output, _ = up.communicate(timeout=30)

    kinds = {p["kind"] for p in document["processes"]}
    assert kinds >= {"connector", "tools", "chat-node", "router", "exchange"}
    assert up.returncode == 0, output
    assert "tools ended with signal 9, starts again in" in output
    record = run_record(settings)
    assert record is not None
    assert record.ended_at is not None
    assert {p.state for p in record.processes} == {"stopped"}


@pytest.mark.timeout(180)
def test_node_that_refuses_its_flags_is_given_up(settings: Settings, spec: Path) -> None:
    """A strategy file without a prompt ends only its router; status and exit code show it."""
    spec.write_text(SPEC.replace("buy_and_hold", "genius.toml"))
    spec.with_name("genius.toml").write_text('name = "genius"\n')
    with running(settings, spec) as up:
        document = status_when(settings, healthy=False, at_least=2)
        up.terminate()
        output, _ = up.communicate(timeout=30)

    down = [p["kind"] for p in document["processes"] if p["health"] == "down"]
    assert down == ["router-holder"]
    assert up.returncode == 1
    assert "router-holder given up: it refused its configuration" in output


def test_missing_key_is_refused_before_anything_starts(settings: Settings, spec: Path) -> None:
    """It is wrong usage, and no run is recorded."""
    spec.write_text(SPEC.replace('"scripted"', '"gpt-5-nano"\napi_key_env = "A_KEY_NOBODY_HAS"'))

    done = arena(settings, "up", str(spec))

    assert done.returncode == 2
    assert "export A_KEY_NOBODY_HAS=..." in done.stderr
    assert newest_run(settings.home) is None


def test_dry_run_prints_valid_commands(settings: Settings, spec: Path) -> None:
    """Every printed command accepts its flags."""
    done = arena(settings, "up", str(spec), "--dry-run", "--dashboard")

    lines = done.stdout.splitlines()
    assert lines[0] == f"export KAFKA_BOOTSTRAP_SERVERS={settings.bootstrap_servers}"
    commands = [line.split()[1:] for line in lines if line.startswith("arena ")]
    names = [words[0] for words in commands]
    expected = ["exchange", "connector", "tools", "chat-node", "router", "web", "dashboard"]
    assert names == expected
    for words in commands:
        # Unknown flags are refused before --help answers.
        asked = arena(settings, *words, "--help")
        assert (asked.returncode, words) == (0, words), asked.stderr


def test_status_without_an_arena_exits_with_1(settings: Settings) -> None:
    """Nothing runs."""
    done = arena(settings, "status")

    assert done.returncode == 1
    assert "0 running, 0 stale or down" in done.stdout
