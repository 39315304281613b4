"""Which recorded snapshots are searched, and which decide. Pure.

The snapshots that decide are later than all that are searched, with a gap between them, so a text
that only fits the searched ones is not better there. The budget is shared as follows:

    held out    a fifth of the budget, at least `HELD_OUT_MIN`, for each of two texts
    searched    of the rest a fifth, so that five texts can be tried on all of them
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from arena.errors import UsageError
from arena.plural import counted
from judge.prompts.search.recorded import RecordedPrompt
from judge.statistics.verdict import PERIODS_MIN

HELD_OUT_MIN: Final = PERIODS_MIN
"""Fewer pairs give no interval."""
HELD_OUT_SHARE: Final = 0.4
"""Share of the snapshots, the newest, that can be held out."""
GAP: Final = 5
"""Snapshots between the two parts, because a prompt shows the last decisions, too."""
SEARCHED_MIN: Final = 15
SEARCHED_MAX: Final = 60
TEXTS: Final = 5
"""Texts that can be tried on all searched snapshots."""
BUDGET_SHARES: Final = 5
"""One of these shares of the budget is held out for each of two texts."""
SNAPSHOTS_MIN: Final = SEARCHED_MIN + GAP + HELD_OUT_MIN
BUDGET_MIN: Final = 2 * HELD_OUT_MIN + TEXTS * SEARCHED_MIN


@dataclass(frozen=True, slots=True)
class SearchSplit:
    """The snapshots of a search, each part oldest first.

    Attributes:
        searched: Those that texts are tried on.
        held_out: Those that decide; all are later.
    """

    searched: tuple[RecordedPrompt, ...]
    held_out: tuple[RecordedPrompt, ...]

    @property
    def calls_held_back(self) -> int:
        """Calls for the decision: both texts on all held-out snapshots."""
        return 2 * len(self.held_out)


def split_prompts(prompts: Sequence[RecordedPrompt], budget_calls: int) -> SearchSplit:
    """Share recorded snapshots between search and decision.

    Args:
        prompts: The snapshots, oldest first.
        budget_calls: Most calls of the whole search.

    Raises:
        UsageError: There are too few snapshots or calls for a result.
    """
    if budget_calls < BUDGET_MIN:
        raise UsageError(
            f"--budget-calls is {budget_calls}; a search needs at least {BUDGET_MIN}",
            remedy=f"{HELD_OUT_MIN} snapshots are held out for each of two texts, and"
            f" {TEXTS} texts are tried on {SEARCHED_MIN}",
        )
    if len(prompts) < SNAPSHOTS_MIN:
        raise UsageError(
            f"{counted(len(prompts), 'recorded decision')} can be used; a search needs at least"
            f" {SNAPSHOTS_MIN}",
            remedy="let the agent decide more often, or name a longer run with --snapshots",
        )
    later = max(HELD_OUT_MIN, int(len(prompts) * HELD_OUT_SHARE))
    earlier = prompts[: len(prompts) - later - GAP]
    held_out = spread(prompts[-later:], max(HELD_OUT_MIN, budget_calls // BUDGET_SHARES))
    left = budget_calls - 2 * len(held_out)
    searched = spread(earlier, min(SEARCHED_MAX, max(SEARCHED_MIN, left // TEXTS)))
    return SearchSplit(searched, held_out)


def spread(prompts: Sequence[RecordedPrompt], count: int) -> tuple[RecordedPrompt, ...]:
    """At most `count` of the snapshots, one of each equal stretch of time.

    The turns' ids choose it: a fixed step could select only the buys of an agent that buys and
    sells in turn.
    """
    size = len(prompts)
    if count >= size:
        return tuple(prompts)
    stretches = (prompts[n * size // count : (n + 1) * size // count] for n in range(count))
    return tuple(min(one, key=_drawn) for one in stretches)


def _drawn(prompt: RecordedPrompt) -> bytes:
    return sha256(prompt.turn.turn_id.encode()).digest()
