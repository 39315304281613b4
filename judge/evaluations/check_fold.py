"""The results of the checks of every turn, folded from `agent.turns`. Pure.

Results are kept, not turns: about a hundred bytes per turn, for `KEPT` of venue time. The first
record of a turn counts.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from arena.messages import CheckCount, Turn
from arena.messages.tools import TRADE_TOOL
from judge.evaluations.checks import (
    CHECKS,
    FAILED,
    NOT_APPLICABLE,
    PASSED,
    AgentMemory,
    check_turn,
)
from judge.season.packed_rows import PackedRows

KEPT = timedelta(days=31)
"""Longer than an evaluation looks back."""
FORGET_EVERY = 1_000
"""Turns of an agent after which its old rows are forgotten."""
FAILED_SHOWN_MAX = 5
"""Newest failed turns that an evaluation names per check."""


class CheckedTurn(NamedTuple):
    """The results of one turn's checks.

    Attributes:
        as_of: Venue time of the snapshot; of a snapshot that came late, that of the turn before, so
            that times never fall.
        version: Version of the strategy's text; "" in older records.
        results, reasons: As in `judge.evaluations.checks.Checked`.
        ordered: True if it sent an order.
    """

    turn_id: str
    snapshot_id: str
    as_of: datetime
    version: str
    results: str
    reasons: dict[str, str]
    ordered: bool = False


@dataclass(slots=True)
class TurnChecks:
    """The fold of all agents' turns.

    Attributes:
        rows: Agent -> its checked turns in the order of the log.
        memories: Agent -> what the checks of its next turn need.
        newest: Agent -> venue time of its newest row.
        first: Agent -> venue time of its first turn, which may be forgotten.
    """

    rows: dict[str, PackedRows[CheckedTurn]] = field(default_factory=dict)
    memories: dict[str, AgentMemory] = field(default_factory=dict)
    newest: dict[str, datetime] = field(default_factory=dict)
    first: dict[str, datetime] = field(default_factory=dict)

    def take(self, turn: Turn) -> None:
        """Check a turn that was not read before; one whose process ended says nothing."""
        if turn.outcome == "aborted":
            return
        agent = turn.agent
        found = check_turn(turn, self.memories.setdefault(agent, AgentMemory()))
        as_of = max(turn.as_of, self.newest.get(agent, turn.as_of))
        self.newest[agent] = as_of
        row = CheckedTurn(
            turn.turn_id,
            turn.snapshot_id,
            as_of,
            turn.version,
            found.results,
            found.reasons,
            sends_order(turn),
        )
        self.first.setdefault(agent, as_of)
        rows = self.rows.setdefault(agent, PackedRows())
        rows.append(row)
        if self.memories[agent].turns % FORGET_EVERY == 0:
            rows.forget(bisect_left(rows.all(), as_of - KEPT, key=_time))

    def of(self, agent: str) -> list[CheckedTurn]:
        """The checked turns of an agent, oldest first; do not change the list."""
        rows = self.rows.get(agent)
        return [] if rows is None else rows.all()


def sends_order(turn: Turn) -> bool:
    """True if a turn has a call for a buy or a sell, whatever became of it."""
    return any(call.name == TRADE_TOOL for one in turn.messages for call in one.tool_calls)


def of_newest_version(rows: list[CheckedTurn]) -> list[CheckedTurn]:
    """The newest rows that have the version of the last one: since it came into force last.

    A turn whose model could not be asked says nothing about a version, and is left out.
    """
    first = len(rows)
    while first and rows[first - 1].version == rows[-1].version:
        first -= 1
    place = CHECKS.index("valid")
    return [row for row in rows[first:] if row.results[place] != NOT_APPLICABLE]


def between(rows: list[CheckedTurn], first: datetime, last: datetime) -> list[CheckedTurn]:
    """The rows from one venue time to another, both included."""
    begin = bisect_left(rows, first, key=_time)
    return rows[begin : bisect_right(rows, last, key=_time)]


def after(rows: list[CheckedTurn], time: datetime) -> int:
    """The index of the first row after a venue time."""
    return bisect_right(rows, time, key=_time)


def _time(row: CheckedTurn) -> datetime:
    return row.as_of


def count_checks(rows: list[CheckedTurn]) -> dict[str, CheckCount]:
    """How often turns passed each check."""
    found = {}
    for place, check in enumerate(CHECKS):
        results = [row.results[place] for row in rows]
        passed, failed = results.count(PASSED), results.count(FAILED)
        found[check] = CheckCount(
            passed=passed, failed=failed, not_applicable=len(rows) - passed - failed
        )
    return found


def failed_turns(rows: list[CheckedTurn]) -> dict[str, tuple[str, ...]]:
    """Return check -> ids of the newest turns that failed it, newest first."""
    found: dict[str, tuple[str, ...]] = {}
    for place, check in enumerate(CHECKS):
        ids = [row.turn_id for row in reversed(rows) if row.results[place] == FAILED]
        if ids:
            found[check] = tuple(ids[:FAILED_SHOWN_MAX])
    return found
