"""Moves baselines of an ARENA.toml to a chat node that plays their built-in rules.

Pure; a function argument describes strategies.
"""

from collections.abc import Mapping
from typing import NamedTuple

from arena.baselines import SCRIPTED, baseline_remedy, baseline_trouble, plays_rules_of
from arena.errors import UsageError
from arena.strategy_files import DescribeStrategy
from operations.specs.competition import BASELINES
from operations.specs.tables import AgentTable, ChatNodeTable


class RoutedBaselines(NamedTuple):
    """Chat nodes and agents after the baselines were moved.

    Attributes:
        nodes: The chat nodes. agents: The agents, each with its chat node.
        rerouted: Baselines whose table names another chat node -> that node.
    """

    nodes: tuple[ChatNodeTable, ...]
    agents: tuple[AgentTable, ...]
    rerouted: dict[str, str]


def route_baselines(
    nodes: tuple[ChatNodeTable, ...],
    agents: tuple[AgentTable, ...],
    describe: DescribeStrategy,
    *,
    path: str,
) -> RoutedBaselines:
    """Give every baseline a chat node that plays its rules.

    Args:
        nodes: The chat nodes, with those that a contest adds.
        agents: The agents, with those that a contest adds.
        describe: Describes a strategy by name.
        path: Path of the ARENA.toml, for error messages.

    Raises:
        UsageError: A baseline has no rules, or the chat node `baselines` serves a model.
    """
    models = {node.name: node.model_id for node in nodes}
    routed, added, rerouted = [], nodes, {}
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
            rerouted[agent.name] = agent.chat_node
            agent = agent.model_copy(update={"chat_node": BASELINES})
        routed.append(agent)
    return RoutedBaselines(added, tuple(routed), rerouted)


def rerouted_text(rerouted: Mapping[str, str]) -> str:
    """A line about the baselines that name another chat node; "" if there are none."""
    if not rerouted:
        return ""
    named = ", ".join(f"{agent} (not {node})" for agent, node in rerouted.items())
    return f"Built-in rules play the baselines, whatever chat node their table names: {named}."


def _with_rules(nodes: tuple[ChatNodeTable, ...], path: str) -> tuple[ChatNodeTable, ...]:
    """Add the baselines' chat node if it is missing."""
    taken = [node for node in nodes if node.name == BASELINES]
    if taken and taken[0].model_id != SCRIPTED:
        raise UsageError(
            f"{path}: chat node {BASELINES!r} serves {taken[0].model_id}, but the baselines' built-"
            "in rules need that name",
            remedy="give the chat node another name",
        )
    return nodes if taken else (*nodes, ChatNodeTable(name=BASELINES, model_id=SCRIPTED))
