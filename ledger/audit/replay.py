"""Checks invariant 8: a replay in other processes gives the same prompts, orders and accounts.

The rooms that own the code replay the records (`arena router-replay`, `arena tools-replay`); this
module starts each of them twice, with two values of `PYTHONHASHSEED`, and compares their results
with the log and with each other. That finds code that depends on the order of a set.
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
from arena.progress import Progress, Step, no_progress
from ledger.audit.checker import InvariantResult, InvariantStatus, Violation
from ledger.audit.sources import RecordSource

NUMBER = 8
TITLE = "replay: the same prompts, orders and accounts"
HASH_SEEDS = ("1", "20261121")
DEADLINE_S = 3_600.0
POLL_S = 0.1
NOT_DECIDED_AGAIN = "not decided again"
ERROR_CHARS_MAX = 300
PARTS = {
    "routers": ("router-replay", (topics.SNAPSHOTS.name, topics.TURNS.name, topics.ROSTER.name)),
    "executor": (
        "tools-replay",
        (topics.EVENTS.name, topics.COMMANDS.name, topics.TICKERS.name, topics.ROSTER.name),
    ),
}
"""Part -> its command, and the topics it needs."""

ReplayDocument = dict[str, Any]  # Any: the JSON document of a replay


@dataclass(slots=True)
class _ReplayProcess:
    """One process that replays records."""

    part: str
    seed: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    errors: IO[bytes]

    def document(self) -> ReplayDocument | None:
        """Return its result; None if it cannot be read."""
        self.output.seek(0)
        try:
            found = json.load(self.output)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def error(self) -> str:
        """Return the end of its standard error, or its exit code."""
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        return text[-ERROR_CHARS_MAX:] or f"exit code {self.process.returncode}"


def replay(
    source: RecordSource, account_digest: str, progress: Progress = no_progress
) -> InvariantResult:
    """Replay the records of a source, and compare the results.

    Args:
        source: The records.
        account_digest: The hash of all accounts as this process folded them.
        progress: Receives the part that is being replayed.
    """
    result = InvariantResult(NUMBER, TITLE, InvariantStatus.PASS)
    scope = source.scope()
    for part, (command, needs) in PARTS.items():
        if lacking := scope.lacks(needs):
            result.notes.append(f"{part}: these records have no {', '.join(lacking)}")
            continue
        with ExitStack() as files:
            runs = [_start(files, part, command, seed, source.records) for seed in HASH_SEEDS]
            _wait(runs, progress)
            _compare_results(result, runs, account_digest)
    if result.status is InvariantStatus.PASS and result.why:
        result.status = InvariantStatus.NOT_CHECKABLE
    elif result.status is InvariantStatus.PASS and not result.counts:
        result.status = InvariantStatus.NOT_CHECKABLE
        result.why = "; ".join(result.notes) or "nothing could be replayed"
    return result


def _note_older(
    result: InvariantResult, part: str, version: str, counts: Mapping[str, int]
) -> None:
    """Add a note about work that another version recorded."""
    played, different, not_replayed = (
        counts.get(name, 0) for name in ("played", "otherwise", NOT_DECIDED_AGAIN)
    )
    text = f"{part}, recorded by {version}: {played - different:,} of {played:,} the same"
    if different:
        text += f"; {different:,} different: prompts and rules of {__version__} have changed"
    if not_replayed:
        text += f"; {not_replayed:,} {NOT_DECIDED_AGAIN}"
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
    """Wait until all have ended; kill those that run past the deadline."""
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


def _compare_results(
    result: InvariantResult, runs: list[_ReplayProcess], account_digest: str
) -> None:
    documents = [run.document() for run in runs]
    first = documents[0]
    if first is None or any(document is None for document in documents):
        silent = next(
            run for run, document in zip(runs, documents, strict=True) if document is None
        )
        result.fail(Violation(f"the replay of the {silent.part}", "", "a result", silent.error()))
        return
    part = runs[0].part
    for name, count in first["counts"].items():
        result.counts[name] = count
    result.notes += first.get("notes", [])
    older = first.get("older", {})
    for version, counts in older.items():
        _note_older(result, runs[0].part, version, counts)
    if different := sum(counts.get("otherwise", 0) for counts in older.values()):
        named = ", ".join(older)
        result.why = f"{different:,} {runs[0].part} recorded by {named} came out differently"
    for difference in first["differences"]:
        names = ("place", "subject", "expected", "found")
        result.fail(Violation(*(difference[name] for name in names)))
    for run, document in zip(runs[1:], documents[1:], strict=True):
        assert document is not None, "checked above"
        for name in first:
            if document[name] != first[name] and name != "differences":
                subject = f"{part}, {name}"
                location = f"PYTHONHASHSEED {run.seed}"
                result.fail(Violation(location, subject, str(first[name]), str(document[name])))
    result.counts[f"processes of {part}"] = len(runs)
    digest = first.get("account_digest")
    if digest is not None and digest != account_digest and not first["differences"]:
        location = f"{topics.EVENTS.name}, replayed"
        result.fail(Violation(location, "all accounts", account_digest, digest))
