"""Estimates a run from its first prompts: plays its first snapshot, and asks no model.

The rules answer in place of every model; the requests that the routers made are what a model would
be sent. Writes nothing but a temporary folder.
"""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from arena import logs, topics
from arena.bus.memory import MemoryCluster
from arena.chat_body import chat_body
from arena.messages import AgentSpec, ChatRequest
from arena.model_prices import PriceList
from arena.settings import Settings
from operations.backtest.counts import records_of
from operations.backtest.estimate import DAY_S, AskedAgent, Estimate, Season, estimate_of
from operations.backtest.prepare import prepare, setup_of
from operations.backtest.watch import asked_nodes
from operations.commands.compete_start import Contest
from operations.specs.arena_spec import ArenaSpec, ChatNodeTable

ROOM_OF_TOKENS: Final = "chat_nodes.estimate"
SCRIPTED: Final = "scripted"


@dataclass(frozen=True, slots=True)
class _First:
    """What the first snapshot showed.

    Attributes:
        requests: Agent -> the requests that began its decision.
        roster: Agent -> its entry.
    """

    requests: Mapping[str, list[ChatRequest]]
    roster: Mapping[str, AgentSpec]


def estimate_run(contest: Contest, prices: PriceList) -> Estimate:
    """Estimate calls, tokens and cost of a contest in lock-step.

    Args:
        contest: The contest.
        prices: Prices of the known models.

    Raises:
        UsageError: It cannot be played.
    """
    spec, table = contest.spec, contest.spec.competition
    assert table is not None, "the caller has a contest"
    season = Season(table.snapshot_count(spec.arena.interval_s), spec.arena.interval_s)
    nodes = {node.name: node for node in spec.chat_nodes if node.name in asked_nodes(spec)}
    named = [agent for agent in spec.agents if agent.chat_node in nodes]
    budget = table.llm_budget_usd
    if not named:
        return estimate_of((), season, budget_usd=budget)
    first = _play_first(contest)
    agents = [
        _asked(agent.name, nodes[agent.chat_node], first, prices)
        for agent in named
        if agent.name in first.requests and agent.name in first.roster
    ]
    return estimate_of(agents, season, budget_usd=budget, further=_further(spec, season))


def _asked(agent: str, node: ChatNodeTable, first: _First, prices: PriceList) -> AskedAgent:
    entry, own = first.roster[agent], node.price_per_million
    return AskedAgent(
        agent=agent,
        node=node.name,
        model=node.model_id,
        price=own.price if own is not None else prices.of(node.model_id),
        cadence=entry.cadence,
        gates=entry.gates,
        prompts=tuple(_tokens(node.model_id, request) for request in first.requests[agent]),
        reply_max=node.max_completion_tokens,
    )


def _tokens(model: str, request: ChatRequest) -> int:
    count: Any = import_module(ROOM_OF_TOKENS).estimate_text_tokens  # Any: another room
    return int(count(chat_body(model, request, {})))


def _further(spec: ArenaSpec, season: Season) -> list[str]:
    """What the estimate leaves out."""
    judge, table = spec.judge, spec.competition
    found = []
    if judge is not None and judge.chat_node in asked_nodes(spec):
        days = ceil(season.snapshots * season.interval_s / DAY_S)
        most = "" if judge.calls_per_day is None else f" at most {judge.calls_per_day * days:,}"
        found.append(f"Not in it:{most} calls of the judge to {judge.chat_node}.")
    if table is not None and table.replies == "record":
        found.append("Replies that are recorded already are not asked for again.")
    return found


def _play_first(contest: Contest) -> _First:
    """Play the first snapshot with rules in place of every model."""
    with TemporaryDirectory(prefix="arena-dry-run-") as folder:
        table = contest.spec.competition
        assert table is not None, "the caller has a contest"
        live = table.model_copy(update={"replies": "live", "llm_budget_usd": None})
        nodes = tuple(_as_rules(node) for node in contest.spec.chat_nodes)
        changed = {"chat_nodes": nodes, "competition": live, "judge": None, "coach": None}
        played = replace(
            contest, spec=contest.spec.model_copy(update=changed), directory=Path(folder)
        )
        settings = Settings().override(home=Path(folder), log_level="ERROR")
        logs.configure(settings, node="dry-run")
        with contextlib.closing(prepare(played, setup_of(played, settings))) as test:
            options: Any = test.members[0].options  # Any: the options of the connectors' room
            options.replay.end_at(0)
            test.play()
            return _first_of(test.cluster, [node.name for node in nodes])


def _as_rules(node: ChatNodeTable) -> ChatNodeTable:
    return ChatNodeTable(name=node.name, model_id=SCRIPTED, prompt=node.prompt)


def _first_of(cluster: MemoryCluster, nodes: list[str]) -> _First:
    requests: dict[str, list[ChatRequest]] = defaultdict(list)
    roster: dict[str, AgentSpec] = {}
    for node in nodes:
        for record in records_of(cluster, topics.PROMPTED.member(node).name):
            message = record.message_or_none()
            if isinstance(message, ChatRequest):
                requests[message.agent].append(message)
    for record in records_of(cluster, topics.ROSTER.name):
        message = record.message_or_none()
        if isinstance(message, AgentSpec):
            roster[message.agent] = message
    begun = {agent: [one for one in found if _begins(one)] for agent, found in requests.items()}
    return _First({agent: found for agent, found in begun.items() if found}, roster)


def _begins(request: ChatRequest) -> bool:
    """True for the first request of a role: no tool has answered in its conversation."""
    return not any(message.role == "tool" for message in request.messages)
