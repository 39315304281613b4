"""Invariant 8: the same prompts, orders and accounts, in other processes with other hash seeds.

The rooms that own the code play the records again (`arena router-replay`, `arena tools-replay`);
this module starts each of them twice, with two `PYTHONHASHSEED`s, and compares what they say with
the log and with each other. Nothing that depends on the order of a set survives that.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import arena
from arena import __version__, topics
from arena.localbroker.progress import Progress, Step, no_progress
from ledger.audit.checker import VIOLATIONS_NAMED_MAX, InvariantResult, InvariantStatus, Violation
from ledger.audit.sources import RecordSource

NUMBER = 8
TITLE = "replay: the same prompts, orders and accounts"
HASH_SEEDS = ("1", "20261121")
DEADLINE_S = 3_600.0
POLL_S = 0.1
OLDER_TAKEN = "not decided again"
ERROR_CHARS_MAX = 300
PARTS = {
    "routers": ("router-replay", (topics.SNAPSHOTS.name, topics.TURNS.name, topics.ROSTER.name)),
    "executor": (
        "tools-replay",
        (topics.EVENTS.name, topics.COMMANDS.name, topics.TICKERS.name, topics.ROSTER.name),
    ),
}
"""What is played again -> its command, and the topics it needs."""

ReplayDocument = dict[str, Any]  # Any: the JSON document of a replay


@dataclass(slots=True)
class _ReplayProcess:
    """One process that plays records again."""

    part: str
    seed: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    errors: IO[bytes]

    def document(self) -> ReplayDocument | None:
        """What it said; None where it said nothing that can be read."""
        self.output.seek(0)
        try:
            found = json.load(self.output)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def error(self) -> str:
        """The end of what it wrote to standard error."""
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        return text[-ERROR_CHARS_MAX:] or f"exit code {self.process.returncode}"


def replay(
    source: RecordSource, account_digest: str, progress: Progress = no_progress
) -> InvariantResult:
    """Play the records of a source again, and say what came out.

    Args:
        source: The records.
        account_digest: Hash of all accounts as this process folded them.
        progress: Told which part is played.
    """
    result = InvariantResult(NUMBER, TITLE, InvariantStatus.PASS)
    scope = source.scope()
    for part, (command, needs) in PARTS.items():
        if lacking := scope.lacks(needs):
            result.notes.append(f"{part}: these records hold no {', '.join(lacking)}")
            continue
        with ExitStack() as files:
            runs = [_start(files, part, command, seed, source.records) for seed in HASH_SEEDS]
            _wait(runs, progress)
            _judge(result, runs, account_digest)
    if result.status is InvariantStatus.PASS and result.why:
        result.status = InvariantStatus.NOT_CHECKABLE
    elif result.status is InvariantStatus.PASS and not result.counts:
        result.status = InvariantStatus.NOT_CHECKABLE
        result.why = "; ".join(result.notes) or "nothing could be played again"
    return result


def _note_older(result: InvariantResult, part: str, version: str, of: Mapping[str, int]) -> None:
    """Say what became of the work that another version recorded."""
    played, otherwise, taken = (of.get(name, 0) for name in ("played", "otherwise", OLDER_TAKEN))
    text = f"{part}, recorded by {version}: {played - otherwise:,} of {played:,} the same"
    if otherwise:
        text += f"; {otherwise:,} otherwise: prompts and rules of {__version__} are others"
    if taken:
        text += f"; {taken:,} {OLDER_TAKEN}"
    result.notes.append(text)


def _start(files: ExitStack, part: str, command: str, seed: str, records: Path) -> _ReplayProcess:
    root = str(Path(arena.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    argv = [sys.executable, "-P", "-m", "arena", command, "--records", str(records), "--json"]
    output = files.enter_context(TemporaryFile())  # noqa: SIM115  # the stack closes it
    errors = files.enter_context(TemporaryFile())  # noqa: SIM115
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
    process = subprocess.Popen(argv, env=environment, stdout=output, stderr=errors)
    return _ReplayProcess(part, seed, process, output, errors)


def _wait(runs: list[_ReplayProcess], progress: Progress) -> None:
    """Until all have ended, or the deadline: a replay that hangs is ended."""
    name, began_s = f"replay {runs[0].part}", time.monotonic()
    try:
        while any(run.process.poll() is None for run in runs):
            elapsed_s = time.monotonic() - began_s
            if elapsed_s > DEADLINE_S:
                break
            progress(Step(name, f"in {len(runs)} processes, {elapsed_s:.0f} s"))
            time.sleep(POLL_S)
    finally:
        for run in runs:
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
    progress(Step(name, f"{time.monotonic() - began_s:.1f} s", finished=True))


def _judge(result: InvariantResult, runs: list[_ReplayProcess], account_digest: str) -> None:
    said = [run.document() for run in runs]
    first = said[0]
    if first is None or any(document is None for document in said):
        silent = next(run for run, document in zip(runs, said, strict=True) if document is None)
        _fail(result, f"the replay of the {silent.part}", "", "an answer", silent.error())
        return
    part = runs[0].part
    for name, count in first["counts"].items():
        result.counts[name] = count
    result.notes += first.get("notes", [])
    older = first.get("older", {})
    for version, of in older.items():
        _note_older(result, runs[0].part, version, of)
    if otherwise := sum(of.get("otherwise", 0) for of in older.values()):
        named = ", ".join(older)
        result.why = f"{otherwise:,} {runs[0].part} recorded by {named} came out otherwise"
    for difference in first["differences"]:
        _fail(result, **difference)
    for run, document in zip(runs[1:], said[1:], strict=True):
        assert document is not None, "looked at above"
        for name in first:
            if document[name] != first[name] and name != "differences":
                subject = f"{part}, {name}"
                location = f"PYTHONHASHSEED {run.seed}"
                _fail(result, location, subject, str(first[name]), str(document[name]))
    result.counts[f"processes of {part}"] = len(runs)
    digest = first.get("account_digest")
    if digest is not None and digest != account_digest and not first["differences"]:
        location = f"{topics.EVENTS.name}, played again"
        _fail(result, location, "all accounts", account_digest, digest)


def _fail(result: InvariantResult, location: str, subject: str, expected: str, found: str) -> None:
    result.status = InvariantStatus.FAIL
    result.failures += 1
    if len(result.violations) < VIOLATIONS_NAMED_MAX:
        result.violations.append(Violation(location, subject, expected, found))
