"""Refuses changes of agents whose text is that of their file. Pure."""

from collections.abc import Mapping

from arena.errors import ArenaError, UsageError
from arena.messages import COACHED, AgentSpec


def require_coached(agent: str, agents: Mapping[str, AgentSpec], cannot: str) -> None:
    """Refuse to change what a frozen agent plays by.

    Args:
        agent: The agent.
        agents: The roster.
        cannot: What is refused, such as "its text cannot be changed".

    Raises:
        ArenaError: The roster says that its prompts are frozen.
        UsageError: It is a baseline, which follows built-in rules, or a shadow agent.
    """
    spec = agents.get(agent)
    if spec is None:
        return
    if spec.is_shadow:
        raise UsageError(
            f"{agent} is a shadow agent of a trial: {cannot}", remedy=f"name {spec.shadow_of}"
        )
    if spec.prompts != COACHED:
        raise ArenaError(
            f"the prompts of {agent} are frozen, as in most contests: {cannot}",
            remedy='start it with prompts = "coached" in [competition], or with --prompts coached',
        )
    if spec.kind == "baseline":
        raise UsageError(
            f"{agent} is a baseline and follows built-in rules: {cannot}",
            remedy="change an agent that a model plays",
        )
