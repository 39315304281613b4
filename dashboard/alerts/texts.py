"""The sentences of alerts, and the messages made of them. Pure.

Agents, operators and models write some of the words, and receivers show messages in chats and in
mail. So `plain` removes everything that a receiver could take for more than text: invisible
characters, markup, mentions and links. Apprise escapes the rest for each receiver, because every
message is declared as text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from arena.visible_text import one_line

WORDS_CHARS_MAX = 300
"""Limit of words from a topic within an alert."""
NAME_CHARS_MAX = 80
LINE_CHARS_MAX = 700
TITLE_CHARS_MAX = 120
DIGEST_LINES_MAX = 10
MORE = "`arena alerts --once` shows what holds now"

_MARKUP = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "|": "¦", "@": "(at)"})

State = Literal["alert", "resolved"]


@dataclass(frozen=True, slots=True)
class Message:
    """The title and the text of one message; both are plain text."""

    title: str
    body: str


TITLES = {
    "halt": "halted",
    "dead": "dead agent",
    "feed-silent": "feed silent",
    "broker-silent": "broker silent",
    "drawdown": "drawdown",
    "loss-limit": "sells only",
    "drift": "books drift",
    "proposal": "proposal waits",
    "budget": "budget spent",
    "contest-ended": "contest ended",
}
RESOLVED_TITLES = {
    "halt": "resumed",
    "dead": "agent alive",
    "feed-silent": "feed back",
    "broker-silent": "broker back",
    "drift": "books agree",
    "loss-limit": "buys again",
    "proposal": "proposal decided",
}


def plain(words: str, chars_max: int = WORDS_CHARS_MAX) -> str:
    """Words of any source as plain text on one line, without markup, mentions or links."""
    return one_line(words, chars_max).replace("://", ": //").translate(_MARKUP)


def plain_name(name: str) -> str:
    """The name of an agent, a node or a user as plain text."""
    return plain(name, NAME_CHARS_MAX)


def utc_text(at: datetime) -> str:
    """A time of day, such as "09:15:02 UTC"."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def duration_text(seconds: float) -> str:
    """A duration: "45 s", "12 min", "3 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"


def single_message(arena: str, kind: str, state: State, text: str) -> Message:
    """The message about one alert.

    Args:
        arena: Name of the arena.
        kind: Kind of the alert.
        state: "resolved" if it has ended.
        text: The sentence.
    """
    titles = RESOLVED_TITLES if state == "resolved" else TITLES
    return Message(_title(arena, titles.get(kind, kind)), text)


def digest_message(arena: str, texts: Sequence[str], uncounted: int = 0) -> Message:
    """One message about several alerts: the first `DIGEST_LINES_MAX`, and how many more.

    Args:
        arena: Name of the arena.
        texts: The sentences, oldest first.
        uncounted: Further alerts whose sentences were not kept.
    """
    count = len(texts) + uncounted
    shown = [*texts[:DIGEST_LINES_MAX]]
    if left := count - len(shown):
        shown.append(f"and {left:,} more; {MORE}")
    return Message(_title(arena, f"{count:,} alerts"), "\n".join(shown))


def _title(arena: str, words: str) -> str:
    return plain(f"{arena}: {words}", TITLE_CHARS_MAX)
