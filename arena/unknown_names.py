"""Errors for unknown names, with the known names, closest first; reserved names. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches

from arena.errors import UsageError
from arena.ids import check_name

OPERATOR = "operator"
"""The account of `arena tools call`; not an agent, and never ranked."""
RESERVED = {
    OPERATOR: "the account of `arena tools call`",
    "all": "the scope of a halt of all agents",
}
"""Names that agents cannot have -> their meaning."""
SHADOW_PREFIX = "shadow-"
"""Start of the names of shadow agents, which try a text in a trial; no other agent has it."""
NODE_GROUP = "node:"
"""Start of the names of groups in which nodes share work. Neither an agent's name nor a prefix has
a colon, so no agent has such a group: an agent's group has the agent's name."""
NAMES_SHOWN_MAX = 20
CLOSE_MAX = 3
CLOSE_RATIO = 0.6
"""`difflib` ratio below which two names are not similar."""


def closest_first(name: str, known: Iterable[str]) -> list[str]:
    """The known names: those similar to `name` first, then the others sorted.

    Args:
        name: The given name; case, and '-' or '_', are ignored.
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
    """Names on one line, up to a limit; "none" for none."""
    found = list(names)
    more = len(found) - NAMES_SHOWN_MAX
    shown = ", ".join(found[:NAMES_SHOWN_MAX])
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, remedy: str = "", plural: str = ""
) -> UsageError:
    """The error for a name that does not exist, with the known names as the remedy.

    Args:
        kind: Kind of the name, such as "agent".
        name: The given name.
        known: Names that exist.
        remedy: Another remedy, after the names.
        plural: The plural of the kind; "" if it ends in an s only.
    """
    names, kinds = closest_first(name, known), plural or f"{kind}s"
    text = f"the {kinds} are {listed(names)}" if names else f"there are no {kinds} yet"
    return UsageError(
        f"there is no {kind} {name!r}", remedy=f"{text}; {remedy}" if remedy else text
    )


def check_agent_name(name: str) -> str:
    """Check the name of an agent and return it.

    Raises:
        UsageError: It cannot be part of a topic name, or it is reserved.
    """
    if name in RESERVED:
        raise UsageError(f"agent name {name!r} is {RESERVED[name]}", remedy="choose another name")
    return check_name("agent", name)


def check_new_agent_name(name: str, *, shadow_of: str = "") -> str:
    """Check the name of an agent that is to be started, and return it.

    Args:
        name: The name.
        shadow_of: The agent whose text it tries; "" if it is not a shadow agent.

    Raises:
        UsageError: As of `check_agent_name`, or another kind of agent has such names.
    """
    if shadow_of and not name.startswith(SHADOW_PREFIX):
        raise UsageError(
            f"agent name {name!r} is not one of a shadow agent",
            remedy=f"with --shadow-of choose a name that begins with {SHADOW_PREFIX!r}",
        )
    if name.startswith(SHADOW_PREFIX) and not shadow_of:
        raise UsageError(
            f"agent name {name!r} begins with {SHADOW_PREFIX!r}, like those of shadow agents",
            remedy="choose another name",
        )
    return check_agent_name(name)


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")
