"""Which turns a language model judges: a sample by hash, within a budget per venue day. Pure.

A turn is in the sample if the SHA-256 of its id says so at the given share, and one sampled turn in
twenty is judged a second time. The sample is taken in the order of venue time, until the budget is
used: a quarter of a day's calls may be made at any time of the day, the others become available
evenly over it. So the choice depends on the turns alone: a judge that is restarted, and a second
one, choose the same turns.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date, datetime

SHARE = 0.2
CALLS_PER_DAY = 200
REPEAT_SHARE = 0.05
AT_ONCE = 0.25
"""Share of a day's calls that is available at its start."""
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much is judged.

    Attributes:
        share: Share of the turns, from 0 to 1.
        calls_per_day: Most calls per day of venue time, for all agents together.
    """

    share: float = SHARE
    calls_per_day: int = CALLS_PER_DAY

    def takes(self, turn_id: str) -> bool:
        """True if a turn is in the sample."""
        return _fraction("judge", turn_id) < self.share

    def available(self, as_of: datetime) -> int:
        """How many calls of its venue day may have been made at a venue time."""
        midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
        passed = (as_of - midnight).total_seconds() / DAY_S
        return math.floor(self.calls_per_day * (AT_ONCE + (1 - AT_ONCE) * passed) + 0.5)


@dataclass(frozen=True, slots=True, order=True)
class SampledTurn:
    """A turn of the sample; turns are ordered by venue time."""

    as_of: datetime
    turn_id: str

    @property
    def day(self) -> date:
        """Its day of venue time."""
        return self.as_of.date()

    @property
    def repeats(self) -> tuple[int, ...]:
        """The judgements of the turn: the first, and a second one for a part of the turns."""
        return (0, 1) if is_repeated(self.turn_id) else (0,)


def is_repeated(turn_id: str) -> bool:
    """True if a sampled turn is judged twice."""
    return _fraction("repeat", turn_id) < REPEAT_SHARE


def admitted(turns: Iterable[SampledTurn], sampling: Sampling) -> list[tuple[SampledTurn, int]]:
    """The judgements within the budget, as turn and repeat, in the order of venue time.

    Turns that are added later than all others do not change the choice among the others.
    """
    used: dict[date, int] = defaultdict(int)
    found = []
    for turn in sorted(turns):
        limit = min(sampling.available(turn.as_of), sampling.calls_per_day)
        for repeat in turn.repeats:
            if used[turn.day] < limit:
                used[turn.day] += 1
                found.append((turn, repeat))
    return found


def due(
    turns: Iterable[SampledTurn], done: Set[tuple[str, int]], sampling: Sampling
) -> list[tuple[SampledTurn, int]]:
    """The judgements to ask for now, those of the newest turns first.

    Args:
        turns: All sampled turns that are known.
        done: Turn and repeat of what was asked for or judged already. It counts against the budget
            of its day also if it would not be chosen today.
        sampling: The share and the budget.
    """
    known = {turn.turn_id: turn for turn in turns}
    used: dict[date, int] = defaultdict(int)
    for turn_id, _ in done:
        if turn_id in known:
            used[known[turn_id].day] += 1
    found = []
    chosen = admitted(known.values(), sampling)
    for turn, repeat in reversed(chosen):
        if (turn.turn_id, repeat) in done or used[turn.day] >= sampling.calls_per_day:
            continue
        used[turn.day] += 1
        found.append((turn, repeat))
    return found


def _fraction(purpose: str, turn_id: str) -> float:
    digest = hashlib.sha256(f"{purpose} {turn_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
