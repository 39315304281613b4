"""Warning about a season in which every order was rejected. Pure."""

from collections import Counter

from arena.plural import counted
from arena.visible_text import one_line
from judge.season.types import Season

DETAIL_CHARS_MAX = 200
REASONS_SHOWN = 3


def refusal_note(season: Season) -> str:
    """Return a sentence if every order was refused; "" if any was filled or none was sent."""
    refused = [rejection for own in season.rejections for rejection in own]
    if not refused or any(season.fills):
        return ""
    count = counted(len(refused), "order")
    every = f"Every order of every agent was refused ({count})"
    found = Counter(rejection.reason.value.replace("_", " ") for rejection in refused)
    if len(found) > 1:
        shown = ", ".join(f"{n:,} as {reason}" for reason, n in found.most_common(REASONS_SHOWN))
        more = f" and {counted(len(found) - REASONS_SHOWN, 'other reason')}"
        why = f": {shown}{more * (len(found) > REASONS_SHOWN)}"
    else:
        detail = one_line(refused[0].detail, DETAIL_CHARS_MAX)
        why = f", all for the same reason: {next(iter(found))}{f', {detail}' if detail else ''}"
    return f"{every}{why.rstrip('.')}. The returns here say nothing about the agents."
