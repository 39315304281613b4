"""Which contestant has an agent's name: one strategy on one chat node, until replaced. Pure.

The evidence is the agent's newest `AgentSpec` on the roster. Another seed, cadence or prompt text
is allowed under the same name (people edit a prompt and start again); the judge sees in the turns
that there were two contestants and ranks neither.
"""

from arena.errors import UsageError
from arena.messages import AgentSpec


def contestant_text(spec: AgentSpec) -> str:
    """A contestant as text, such as "momentum@gpt"."""
    return f"{spec.strategy}@{spec.node}"


def is_other_contestant(mine: AgentSpec, listed: AgentSpec | None) -> bool:
    """True if the roster lists another strategy or chat node under this name."""
    return listed is not None and (mine.strategy, mine.node) != (listed.strategy, listed.node)


def check_name_is_free(mine: AgentSpec, listed: AgentSpec | None, *, replace: bool) -> None:
    """Check that this contestant may use its name.

    Args:
        mine: The contestant that is about to start.
        listed: The roster's entry for the name, or None.
        replace: Take over the name if another contestant has it.

    Raises:
        UsageError: Another strategy or chat node has the name.
    """
    if listed is None or not is_other_contestant(mine, listed) or replace:
        return
    raise UsageError(
        f"agent {mine.agent} has been {contestant_text(listed)} since "
        f"{listed.joined_at:%Y-%m-%d %H:%M:%S} UTC and cannot become {contestant_text(mine)}: "
        "a name belongs to one contestant",
        remedy=f"choose another --name or another ARENA_PREFIX, or --replace: {mine.agent} is "
        "listed without a rank as soon as both have decided something in its account",
    )


def replaced_text(mine: AgentSpec, listed: AgentSpec) -> str:
    """The message for a contestant whose name another process took with `--replace`."""
    return (
        f"agent {mine.agent} was replaced: it is {contestant_text(listed)} now, "
        f"not {contestant_text(mine)}"
    )
