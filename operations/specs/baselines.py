"""Baselines in an ARENA.toml are played by built-in rules, whatever chat node their table names.

Pure; what a strategy is comes in as a function.
"""

from collections.abc import Mapping
from typing import NamedTuple

from arena.baselines import SCRIPTED, baseline_remedy, baseline_trouble, plays_rules_of
from arena.errors import UsageError
from arena.strategy_files import DescribeStrategy
from operations.specs.competition import BASELINES
from operations.specs.tables import AgentTable, ChatNodeTable


class RoutedAgents(NamedTuple):
    """Who plays with which chat node.

    Attributes:
        nodes: Chat nodes. agents: each on its own.
        moved: Baselines that name a chat node of another kind -> that node.
    """

    nodes: tuple[ChatNodeTable, ...]
    agents: tuple[AgentTable, ...]
    moved: dict[str, str]


def route_baselines(
    nodes: tuple[ChatNodeTable, ...],
    agents: tuple[AgentTable, ...],
    describe: DescribeStrategy,
    *,
    path: str,
) -> RoutedAgents:
    """The agents, with every baseline on a chat node that plays its rules.

    Args:
        nodes: Chat nodes, with those that a contest brings.
        agents: Likewise.
        describe: What a strategy is.
        path: Of the ARENA.toml, for error messages.

    Raises:
        UsageError: There are no rules for a baseline, or its chat node's name is a model's.
    """
    models = {node.name: node.model_id for node in nodes}
    routed, added, moved = [], nodes, {}
    for agent in agents:
        found = describe(agent.strategy)
        listed = agent.chat_node == BASELINES == agent.process
        if found is None or not (listed or found.kind == "baseline"):
            routed.append(agent)
            continue
        if trouble := baseline_trouble(found.name):
            raise UsageError(f"{path}: agent {agent.name}: {trouble}", remedy=baseline_remedy())
        if not plays_rules_of(models[agent.chat_node], found.name):
            added = _with_rules(added, path)
            moved[agent.name] = agent.chat_node
            agent = agent.model_copy(update={"chat_node": BASELINES})
        routed.append(agent)
    return RoutedAgents(added, tuple(routed), moved)


def moved_baselines_text(moved: Mapping[str, str]) -> str:
    """One line about the baselines that name another chat node; "" if there are none."""
    if not moved:
        return ""
    named = ", ".join(f"{agent} (not {node})" for agent, node in moved.items())
    return f"Baselines play by built-in rules, whatever chat node their table names: {named}."


def _with_rules(nodes: tuple[ChatNodeTable, ...], path: str) -> tuple[ChatNodeTable, ...]:
    """The nodes, with the one of the baselines among them."""
    taken = [node for node in nodes if node.name == BASELINES]
    if taken and taken[0].model_id != SCRIPTED:
        raise UsageError(
            f"{path}: chat node {BASELINES!r} serves {taken[0].model_id}, and the baselines' built-"
            "in rules need that name",
            remedy="give the chat node another name",
        )
    return nodes if taken else (*nodes, ChatNodeTable(name=BASELINES, model_id=SCRIPTED))
