"""Whose name an agent's name is: one strategy on one chat node, until it is replaced. Pure.

The evidence is the agent's newest `AgentSpec` on the roster. Another seed, cadence or text of the
prompt is allowed under the same name (people edit a prompt and start again); the judge sees from
the turns that there were two contestants and ranks neither.
"""

from arena.errors import UsageError
from arena.messages import AgentSpec


def who(spec: AgentSpec) -> str:
    """A contestant in one word, such as "momentum@gpt"."""
    return f"{spec.strategy}@{spec.node}"


def is_other(mine: AgentSpec, listed: AgentSpec | None) -> bool:
    """True if the roster lists another strategy or chat node under this name."""
    return listed is not None and (mine.strategy, mine.node) != (listed.strategy, listed.node)


def require_name(mine: AgentSpec, listed: AgentSpec | None, *, replace: bool) -> None:
    """See that a name is free for this contestant.

    Args:
        mine: Who is about to play.
        listed: What the roster says of the name; None if it is not there.
        replace: True if it was asked for to take the name.

    Raises:
        UsageError: Another strategy or chat node plays under it.
    """
    if listed is None or not is_other(mine, listed) or replace:
        return
    raise UsageError(
        f"agent {mine.agent} is {who(listed)} since {listed.joined_at:%Y-%m-%d %H:%M:%S} UTC, and "
        f"would now be {who(mine)}: one name is one contestant",
        remedy=f"choose another --name or another ARENA_PREFIX, or --replace: {mine.agent} is "
        "listed without a rank as soon as both have decided something in its account",
    )


def replaced_words(mine: AgentSpec, listed: AgentSpec) -> str:
    """What to say of a contestant whose name another process took with `--replace`."""
    return f"agent {mine.agent} was replaced: it is {who(listed)} now, not {who(mine)}"
