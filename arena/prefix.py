"""The prefix of an arena: its validation, and names derived from it. Pure.

Every topic and consumer group has the prefix, so that several arenas can share a broker; it also
names an arena's files in a home. Two prefixes must never give the same topic, group or file.
"""

import re
from collections.abc import Iterable

from arena import topics
from arena.errors import UsageError
from arena.unknown_names import closest_first, listed

PREFIX_PATTERN = r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?$"
RESERVED = (topics.INBOX.name, topics.PROMPTED.name, "chat-node.", "connector.")
"""Starts of topic and group names: with one of these in a prefix, a topic could be another arena's
inbox, or a group another arena's node."""
MARK = "="
"""A character that no prefix has."""
REMEDY = (
    "a prefix has up to 64 letters, digits, '.', '_' or '-', does not start with '.', and should"
    " end with a dot, such as 'team-a.'"
)


def check_prefix(prefix: str) -> str:
    """Check a prefix and return it.

    Raises:
        UsageError: An arena cannot have this prefix.
    """
    if not re.fullmatch(PREFIX_PATTERN, prefix):
        raise UsageError(f"prefix {prefix!r} cannot be part of a topic name", remedy=REMEDY)
    for word in RESERVED:
        if word in prefix:
            raise UsageError(
                f"prefix {prefix!r} contains {word!r}, with which names of topics or groups start:"
                " another arena could use them as its own",
                remedy="choose a prefix without it",
            )
    return prefix


def valid_prefix(prefix: str) -> str:
    """`check_prefix` for a pydantic validator.

    Raises:
        ValueError: An arena cannot have this prefix.
    """
    try:
        return check_prefix(prefix)
    except UsageError as error:
        raise ValueError(str(error)) from None


def local_name(prefix: str) -> str:
    """The unique name of an arena's files in a home; "" for no prefix.

    Most prefixes end with one dot, which the file name omits: "a." gives "a", and "a" itself, which
    is another arena, gives "a=".
    """
    stem = prefix.removesuffix(".")
    plain = stem != prefix and not stem.endswith(".")
    return stem if plain or not prefix else prefix + MARK


def prefix_text(prefix: str) -> str:
    """A prefix as text: "prefix 'a.'" or "no prefix"."""
    return f"prefix {prefix!r}" if prefix else "no prefix"


def prefixes_in(names: Iterable[str]) -> list[str]:
    """Prefixes of the arenas in a list of full topic names, sorted."""
    last = topics.HEARTBEATS.name
    return sorted(name.removesuffix(last) for name in names if name.endswith(last))


def other_arenas_text(prefix: str, names: Iterable[str]) -> str:
    """A sentence about the other arenas of a broker, closest prefix first; "" if there are none.

    Args:
        prefix: Prefix of this arena.
        names: Full names of the broker's topics.
    """
    others = closest_first(prefix, (other for other in prefixes_in(names) if other != prefix))
    return f"this broker has other arenas: {listed(map(prefix_text, others))}" if others else ""
