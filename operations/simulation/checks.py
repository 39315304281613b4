"""What must hold when a simulated arena is at rest.

The invariants of `arena audit verify` without the replay, and the promises of the brokers
themselves. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from arena.bus.base import Record
from arena.errors import ArenaError, BrokenLog
from arena.export_files import PartitionSpan

Logs = Mapping[tuple[str, int], Sequence[Record]]
NAMED_MAX = 3
"""Violations that are named per invariant."""


def violations_of(logs: Logs) -> tuple[list[str], str]:
    """Check all invariants but the replay.

    Args:
        logs: The records of every partition.

    Returns:
        One line per violation, and the hash of all accounts.
    """
    auditor = _room("ledger.audit.auditor").Auditor(_scope_of(logs))
    auditor.take_all(_in_order(logs))
    found: list[str] = []
    for result in auditor.results():
        if result.status.value != "fail":
            continue
        title = f"invariant {result.number}, {result.title}"
        found += [f"{title}: {violation}" for violation in result.violations[:NAMED_MAX]]
        if (more := result.failures - NAMED_MAX) > 0:
            found.append(f"{title}: {more} more")
    for why in auditor.holdings.stopped.values():
        found.append(f"the accounts cannot be folded: {why}")
    return found, str(auditor.holdings.digest())


# Any: operations compose the rooms by name, and do not import them.
def _room(name: str) -> Any:
    return import_module(name)


def _scope_of(logs: Logs) -> object:
    spans: dict[str, dict[int, PartitionSpan]] = {}
    for (topic, partition), log in logs.items():
        span = PartitionSpan(first=0, end=len(log), count=len(log))
        spans.setdefault(topic, {})[partition] = span
    return _room("ledger.audit.checker").Scope(spans)


def _in_order(logs: Logs) -> Iterator[Record]:
    for topic in _room("ledger.audit.decoding").in_order({topic for topic, _ in logs}):
        for pair in sorted(pair for pair in logs if pair[0] == topic):
            yield from logs[pair]


def lost_acks(acked: Mapping[tuple[str, int, int], bytes], logs: Logs) -> list[str]:
    """Acked records that are not in the logs: the simulated brokers broke their own promise.

    Args:
        acked: Topic, partition and offset -> the value that was acked.
        logs: The records of every partition.
    """
    found = []
    for (topic, partition, offset), value in acked.items():
        log = logs[topic, partition]
        if offset >= len(log) or log[offset].value != value:
            found.append(f"brokers: {topic}[{partition}]@{offset} was acked and is gone")
    return found[:NAMED_MAX]


def is_unexpected(error: BaseException) -> bool:
    """True for an error of a process that no simulated fault explains."""
    return isinstance(error, BrokenLog) or not isinstance(error, ArenaError)


def unexpected_ends(errors: Sequence[tuple[str, BaseException]]) -> list[str]:
    """Ends of processes that no fault explains: a bug, or a log that a reader calls broken.

    Args:
        errors: Name of a process and its error.
    """
    found = {
        f"{name} ended with {type(error).__name__}: {error}"
        for name, error in errors
        if is_unexpected(error)
    }
    return sorted(found)[:NAMED_MAX]
