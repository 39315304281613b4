"""Runs contests as a person would: `arena compete run`, in its own processes."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.runs import RunRecord, newest_run
from arena.settings import Settings
from tests.operations.commands.cli import ROOT, environment
from tests.operations.commands.test_demo import environment as without_broker
from tests.operations.localbroker.processes import enable_ctrl_c
from tests.warm_commands import run_arena

DEADLINE_S = 100
BROKERLESS = "127.0.0.1:1"
"""An address at which nothing answers."""
TRADING = 3
"""A contest trades by its third snapshot."""


def backtested(spec: Path, home: Path) -> dict[str, Any]:
    """The result of a contest that is held as a backtest, where its records are the point.

    Args:
        spec: Its specification.
        home: Its home folder.
    """
    file = home / "backtest.json"
    settings = Settings(home=home, bootstrap_servers=BROKERLESS)
    words = ("backtest", str(spec), "--json", str(file))
    done = run_arena(*words, env=environment(settings), timeout_s=DEADLINE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text())  # Any: JSON
    return found


@dataclass
class Contests:
    """The contests of one specification."""

    settings: Settings
    spec: Path
    own_broker: bool = False

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """`arena compete run` with these words."""
        home = self.settings.home
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "arena", "compete", "run", "--no-web", *words],
            env=without_broker(home) if self.own_broker else environment(self.settings),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=enable_ctrl_c,
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

    @contextlib.contextmanager
    def trading(self, *words: str) -> "Iterator[tuple[subprocess.Popen[str], Path]]":
        """A contest with these words that trades, and its directory; killed at the end."""
        process = self.start(str(self.spec), *words)
        try:
            directory, _ = self.run_when(is_started)
            wait_for(lambda: is_trading(directory))
            yield process, directory
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def run_when(self, accept: Callable[[RunRecord], bool]) -> tuple[Path, RunRecord]:
        """The newest run, once it is as asked."""
        end_s = time.monotonic() + DEADLINE_S / 2
        while time.monotonic() < end_s:
            found = newest_run(self.settings.home)
            if found is not None and accept(found[1]):
                return found
            time.sleep(0.02)
        raise AssertionError("no run came so far")


def is_started(run: RunRecord) -> bool:
    """True if every process has a pid."""
    return bool(run.processes) and all(p.pid for p in run.processes)


def is_trading(directory: Path) -> bool:
    """True if the connector has published its third snapshot."""
    log = directory / "logs" / "connector.log"
    return log.exists() and f'"number": "{TRADING}/' in log.read_text()


def wait_for(accept: Callable[[], bool]) -> None:
    """Poll until a condition holds."""
    end_s = time.monotonic() + DEADLINE_S / 2
    while not accept():
        assert time.monotonic() < end_s
        time.sleep(0.02)
