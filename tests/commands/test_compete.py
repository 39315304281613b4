"""`arena compete run` with real processes on a real Kafka: exact, whatever is killed on the way."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from arena.settings import Settings
from arena.supervisor.runs import RunRecord, newest_run, read_run
from tests.commands.cli import ROOT, environment
from tests.commands.test_demo import environment as without_broker
from tests.commands.test_demo import require_nothing_left, started_from

DEADLINE_S = 100
SNAPSHOTS = 16
AGENTS = ("momentum-rules", "scalper-rules", "buy-and-hold", "random")
SPEC = f"""\
[arena]
name = "small"
products = ["BTC-USD", "SOL-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = {SNAPSHOTS}
strategies = ["momentum", "scalper"]
models = ["rules"]
baselines = ["buy_and_hold", "random"]
judge = false
"""


@dataclass
class Arena:
    """Where contests of one specification are held."""

    settings: Settings
    spec: Path
    own_broker: bool = False

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """`arena compete run` with these words."""
        home = self.settings.home
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "arena", "compete", "run", *words],
            env=without_broker(home) if self.own_broker else environment(self.settings),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def outcome(self, *words: str, meddle: Callable[[], None] | None = None) -> dict[str, Any]:
        """Hold a contest to its end; what `--json` says of it."""
        file = self.settings.home / "outcome.json"
        file.unlink(missing_ok=True)
        process = self.start(*words, "--json", str(file))
        try:
            if meddle is not None:
                meddle()
            output, _ = process.communicate(timeout=DEADLINE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        assert process.returncode == 0, output
        assert file.exists(), output
        found: dict[str, Any] = json.loads(file.read_text())  # Any: JSON
        return found

    def run_when(self, accept: Callable[[RunRecord], bool]) -> tuple[Path, RunRecord]:
        """The newest run, once it is as asked."""
        end_s = time.monotonic() + DEADLINE_S / 2
        while time.monotonic() < end_s:
            found = newest_run(self.settings.home)
            if found is not None and accept(found[1]):
                return found
            time.sleep(0.02)
        raise AssertionError("no run came so far")


@pytest.fixture
def contests(settings: Settings, tmp_path: Path) -> Arena:
    """A home of their own, on the session's broker."""
    path = tmp_path / "small.toml"
    path.write_text(SPEC)
    return Arena(settings, path)


@pytest.fixture(scope="module")
def undisturbed(broker_address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How the contest ends when nobody meddles with it."""
    home = tmp_path_factory.mktemp("undisturbed")
    settings = Settings(bootstrap_servers=broker_address, prefix="compete.", home=home)
    (home / "small.toml").write_text(SPEC)
    return Arena(settings, home).outcome(str(home / "small.toml"))


def is_started(run: RunRecord) -> bool:
    """Every process has a pid."""
    return bool(run.processes) and all(p.pid for p in run.processes)


def is_trading(directory: Path) -> bool:
    """The connector has published its third snapshot."""
    log = directory / "logs" / "connector.log"
    return log.exists() and f'"number": "3/{SNAPSHOTS}"' in log.read_text()


def wait_for(accept: Callable[[], bool]) -> None:
    """Poll until it is so."""
    end_s = time.monotonic() + DEADLINE_S / 2
    while not accept():
        assert time.monotonic() < end_s
        time.sleep(0.02)


@pytest.mark.timeout(200)
def test_every_run_ends_with_the_same_accounts(
    contests: Arena, undisturbed: dict[str, Any]
) -> None:
    """Each kind of node is killed -9 in the middle; the accounts are the same to the last unit."""
    killed: list[str] = []

    def kill_each() -> None:
        directory, _ = contests.run_when(is_started)
        wait_for(lambda: is_trading(directory))
        run = read_run(directory)
        assert run is not None
        for process in run.processes:
            assert process.pid is not None
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.name)

    outcome = contests.outcome(str(contests.spec), meddle=kill_each)

    assert undisturbed["ended"] == outcome["ended"] == "done"
    assert (outcome["snapshots"], outcome["agents"]) == (SNAPSHOTS, list(AGENTS))
    assert outcome["turns"] == SNAPSHOTS * len(AGENTS)
    assert {"connector", "tools", "chat-node-rules", "routers-entrants-1"} <= set(killed)
    assert outcome["restarts"] >= len(killed) - 1
    assert outcome["account_digest"] == undisturbed["account_digest"]


@pytest.mark.timeout(200)
def test_kill_9_of_the_contest_itself_changes_nothing(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """No process outlives it; `--resume` goes on with its broker, to the same accounts."""
    home = tmp_path / "home"
    home.mkdir()
    spec = home / "small.toml"
    spec.write_text(SPEC)
    contests = Arena(Settings(home=home), spec, own_broker=True)
    process = contests.start(str(spec))
    try:
        directory, _ = contests.run_when(is_started)
        wait_for(lambda: is_trading(directory))
        process.kill()
        process.communicate()
        wait_for(lambda: not started_from(home))
        cut = read_run(directory)

        outcome = contests.outcome("--resume", directory.name)
    finally:
        for left in started_from(home):
            with contextlib.suppress(psutil.Error):
                left.kill()

    assert cut is not None
    assert (cut.ended_at, cut.is_running()) == (None, False)
    assert (outcome["run"], outcome["ended"]) == (directory.name, "done")
    assert outcome["turns"] == SNAPSHOTS * len(AGENTS)
    assert outcome["account_digest"] == undisturbed["account_digest"]
    require_nothing_left(home)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_stopped_contest_says_how_to_go_on(
    contests: Arena, undisturbed: dict[str, Any], number: signal.Signals, code: int
) -> None:
    """The records stay, and what is typed next ends with the same accounts."""
    process = contests.start(str(contests.spec))
    try:
        directory, _ = contests.run_when(is_started)
        wait_for(lambda: is_trading(directory))
        os.killpg(process.pid, number)
        output, _ = process.communicate(timeout=DEADLINE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    assert process.returncode == code, output
    assert "Traceback" not in output
    assert f"Stopped by {number.name}; no process is left." in output
    assert f"compete run --resume {directory.name}" in output
    outcome = contests.outcome("--resume", directory.name)
    assert outcome["account_digest"] == undisturbed["account_digest"]


@pytest.mark.timeout(200)
def test_a_contest_that_is_held_cannot_be_held_twice(contests: Arena) -> None:
    """A second hand on the same run would start everything again beside it."""
    process = contests.start(str(contests.spec))
    try:
        directory, _ = contests.run_when(is_started)
        second = contests.start("--resume", directory.name)
        output, _ = second.communicate(timeout=DEADLINE_S)
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)

    assert second.returncode == 2
    assert f"is being held by pid {process.pid}" in output


@pytest.mark.timeout(200)
def test_a_node_that_refuses_its_flags_ends_the_contest(contests: Arena) -> None:
    """It could never end: exit code 1, the reason, and how to go on once that is put right."""
    contests.spec.write_text(SPEC.replace('"scalper"', '"genius"'))
    process = contests.start(str(contests.spec))
    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1, output
    assert "could not be kept up: it refuses its configuration" in output
    assert "genius" in output
