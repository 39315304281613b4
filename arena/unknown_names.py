"""A name that is not known: which names are, with the closest first. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches

from arena.errors import UsageError
from arena.ids import check_name

OPERATOR = "operator"
"""The account of `arena tools call`; never an agent's, never ranked."""
RESERVED = {OPERATOR: "the account of `arena tools call`", "all": "what a halt of everybody says"}
"""Names that no agent may have -> what they mean."""
NODE_GROUP = "node:"
"""Begins the names of the groups in which nodes share work: neither an agent's name nor a prefix
has a colon, so no agent has such a group. An agent's group has the agent's name."""
NAMES_SHOWN_MAX = 20
CLOSE_MAX = 3
CLOSE_RATIO = 0.6
"""Of `difflib`: below it two names are not taken for a slip of the keys."""


def closest_first(name: str, known: Iterable[str]) -> list[str]:
    """The known names, those that resemble `name` first, the others sorted.

    Args:
        name: As it was written; case and the difference of '-' and '_' do not count.
        known: Names that exist.
    """
    names = sorted(set(known))
    plain: dict[str, list[str]] = {}
    for one in names:
        plain.setdefault(_plain(one), []).append(one)
    close = get_close_matches(_plain(name), plain, n=CLOSE_MAX, cutoff=CLOSE_RATIO)
    first = [one for key in close for one in plain[key]]
    return first + [one for one in names if one not in first]


def listed(names: Iterable[str]) -> str:
    """Names in one line, bounded; "none" for none."""
    found = list(names)
    more = len(found) - NAMES_SHOWN_MAX
    shown = ", ".join(found[:NAMES_SHOWN_MAX])
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def unknown_name(kind: str, name: str, known: Iterable[str], *, remedy: str = "") -> UsageError:
    """The error for a name that does not exist; the remedy is the names that do.

    Args:
        kind: What is named, such as "agent".
        name: As it was written.
        known: Names that exist.
        remedy: What else helps, after the names.
    """
    names = closest_first(name, known)
    text = f"the {kind}s are {listed(names)}" if names else f"there are no {kind}s yet"
    return UsageError(
        f"there is no {kind} {name!r}", remedy=f"{text}; {remedy}" if remedy else text
    )


def check_agent_name(name: str) -> str:
    """Return a name that an agent may have.

    Raises:
        UsageError: It cannot be part of a topic name, or it is reserved.
    """
    if name in RESERVED:
        raise UsageError(f"agent name {name!r} is {RESERVED[name]}", remedy="choose another name")
    return check_name("agent", name)


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")
