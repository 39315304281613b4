"""The prefix of an arena: what it may be, and what follows from it. Pure.

It is put before the name of every topic and consumer group, so several arenas share one broker, and
names an arena's files in a home. Two prefixes must never give the same topic, group or file.
"""

import re
from collections.abc import Iterable

from arena import topics
from arena.errors import UsageError
from arena.unknown_names import closest_first, listed

PREFIX_PATTERN = r"^([A-Za-z0-9_-][A-Za-z0-9._-]{0,63})?$"
RESERVED = (topics.INBOX.name, topics.PROMPTED.name, "chat-node.", "connector.")
"""Prefixes of topic and group names: with one of these in an arena's own prefix, a topic could be
another arena's inbox, a group another arena's node."""
MARK = "="
"""No prefix has it."""
REMEDY = (
    "a prefix is up to 64 letters, digits, '.', '_' or '-', does not start with '.', and ends best"
    " in a dot, such as 'team-a.'"
)


def check_prefix(prefix: str) -> str:
    """Return a prefix that an arena may have.

    Raises:
        UsageError: It may not; the message says why.
    """
    if not re.fullmatch(PREFIX_PATTERN, prefix):
        raise UsageError(f"prefix {prefix!r} cannot be part of a topic name", remedy=REMEDY)
    for word in RESERVED:
        if word in prefix:
            raise UsageError(
                f"prefix {prefix!r} contains {word!r}, which begins names of topics or groups:"
                " another arena could take them for its own",
                remedy="choose a prefix without it",
            )
    return prefix


def valid_prefix(prefix: str) -> str:
    """The same for a validator.

    Raises:
        ValueError: Another arena could not be told from it, or it is not part of a topic name.
    """
    try:
        return check_prefix(prefix)
    except UsageError as error:
        raise ValueError(str(error)) from None


def local_name(prefix: str) -> str:
    """The name of an arena among the files of a home, "" for no prefix; no two share one.

    Most prefixes end in one dot, and a file's name is better without it: "a." gives "a", and "a"
    itself, which is another arena, gives "a=".
    """
    stem = prefix.removesuffix(".")
    plain = stem != prefix and not stem.endswith(".")
    return stem if plain or not prefix else prefix + MARK


def prefix_text(prefix: str) -> str:
    """A prefix in words."""
    return f"prefix {prefix!r}" if prefix else "no prefix"


def prefixes_in(names: Iterable[str]) -> list[str]:
    """The prefixes of the arenas whose topics are among these full names, sorted."""
    last = topics.HEARTBEATS.name
    return sorted(name.removesuffix(last) for name in names if name.endswith(last))


def other_arenas_text(prefix: str, names: Iterable[str]) -> str:
    """Which other arenas a broker has, the closest prefix first; "" if there are none.

    Args:
        prefix: Of this arena.
        names: The full names of the broker's topics.
    """
    others = closest_first(prefix, (other for other in prefixes_in(names) if other != prefix))
    return f"this broker has other arenas: {listed(map(prefix_text, others))}" if others else ""
