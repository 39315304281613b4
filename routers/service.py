"""Serves the agents of one process: one inbox reader, one roster reader and one bus for all.

Reads `agent.inbox.<agent>` from its end (located before any request is sent, so no reply is
missed), `arena.roster`, `arena.heartbeats` and what `routers.coaching_reader` reads. Writes what
its agents write, and `dead_letters`.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from arena import topics
from arena.agent_health import DEAD_DETAIL
from arena.bus.base import LATEST, LogReader
from arena.bus.partitions import require_partitions
from arena.errors import UsageError
from arena.node import Node
from arena.shadow_agents import SHADOW_OF
from arena.tasks import run_until_all_end, wait_for_tasks
from routers.agent_config import AgentConfig, announce, spec_of
from routers.chat_node_monitor import ChatNodeMonitor
from routers.coaching_reader import CoachingReader
from routers.contestant import (
    check_name_is_free,
    contestant_text,
    is_other_contestant,
    replaced_text,
)
from routers.roster import Roster
from routers.router import AgentRouter
from routers.snapshot_cache import SnapshotCache

TOOLS_DEADLINE_S = 30.0
INBOX_READ_S = 5.0
COMMIT_INTERVAL_S = 0.5
JOIN_POLL_S = 0.02
ROSTER_POLL_S = 0.5
"""How often to check whether another process has taken an agent's name."""


async def serve_agents(
    node: Node, configs: Sequence[AgentConfig], *, tools_deadline_s: float = TOOLS_DEADLINE_S
) -> None:
    """Run the agents, all with the same pacing, until cancelled.

    Raises:
        DependencyMissing: A tool that a strategy names was not offered in time.
        UsageError: An agent's name is in use, the chat node of a baseline serves a model, every
            agent was replaced, or `market.snapshots` has more than one partition.
    """
    _describe(node, configs)
    own = [topics.INBOX.member(config.agent) for config in configs]
    prompted = {config.chat_node: topics.PROMPTED.member(config.chat_node) for config in configs}
    await node.bus.ensure_topics([*topics.fixed_topics(), *own, *prompted.values()])
    await require_partitions(node.bus, topics.SNAPSHOTS)
    roster = Roster(node)
    snapshots = SnapshotCache(node)
    recovering, coaching = (
        asyncio.Lock(),
        CoachingReader(node, [config.agent for config in configs]),
    )
    agents = [
        AgentRouter(node, config, snapshots, roster, recovering, coaching) for config in configs
    ]
    chat_nodes = ChatNodeMonitor(node, configs)
    for agent in agents:
        agent.no_answer_note = partial(chat_nodes.error_note, agent.config.chat_node)
    try:
        await roster.catch_up()
        for config in configs:
            mine = spec_of(config, node.clock.now())
            check_name_is_free(mine, roster.agents.get(config.agent), replace=config.replace)
        await chat_nodes.open()
        tools = {t for s in configs for t in s.strategy.tools}
        await roster.open(tools, tools_deadline_s, pacing=configs[0].pacing)
        inbox = await node.bus.log_reader(*(spec.name for spec in own), start=LATEST)
        try:
            await run_until_all_end(
                _dispatch(node, inbox, agents),
                roster.follow(),
                chat_nodes.follow(),
                _maintain(node, agents),
                _play_all(node, agents, roster, chat_nodes),
            )
        finally:
            await inbox.close()
    finally:
        await coaching.close()
        await chat_nodes.close()
        await roster.close()


async def _play_all(
    node: Node, agents: Sequence[AgentRouter], roster: Roster, chat_nodes: ChatNodeMonitor
) -> None:
    """Run every agent until it is replaced; the process ends with the last one."""
    await run_until_all_end(*(_play(node, agent, roster, chat_nodes) for agent in agents))
    names = ", ".join(agent.config.agent for agent in agents)
    raise UsageError(
        f"every agent of this process was replaced: {names}",
        remedy="start it under other names, or with --replace to take them back",
    )


async def _play(
    node: Node, agent: AgentRouter, roster: Roster, chat_nodes: ChatNodeMonitor
) -> None:
    """Run an agent once its chat node is allowed to, until another process takes its name."""
    config = agent.config
    mine = spec_of(config, node.clock.now())
    await chat_nodes.wait_until_allowed(config)
    before = roster.agents.get(config.agent)
    if before is not None and is_other_contestant(mine, before):
        check_name_is_free(mine, before, replace=config.replace)
        node.log.warning(
            "takes over the name",
            agent=config.agent,
            before=contestant_text(before),
            now=contestant_text(mine),
        )
        await announce(node, config)
        roster.agents[config.agent] = mine
    playing = asyncio.create_task(run_until_all_end(agent.watch(), agent.run()))
    try:
        while not playing.done():
            now = roster.agents.get(config.agent)
            if now is not None and is_other_contestant(mine, now):
                node.log.warning(replaced_text(mine, now))
                return
            await wait_for_tasks([playing], ROSTER_POLL_S, node.clock)
        playing.result()
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        agent.retire()


def _describe(node: Node, configs: Sequence[AgentConfig]) -> None:
    if len(configs) == 1:
        node.details = {"strategy": configs[0].strategy.name, "node": configs[0].chat_node}
    else:
        node.details = {"agents": {s.agent: f"{s.strategy.name}@{s.chat_node}" for s in configs}}
    if configs[0].shadow_of:
        node.details[SHADOW_OF] = configs[0].shadow_of


def _report_dead(node: Node, agents: Sequence[AgentRouter]) -> None:
    """Keep the dead agents of this process in its heartbeat."""
    dead = [a.health.dead().document() for a in agents if a.active and a.health.is_dead]
    if dead:
        node.details[DEAD_DETAIL] = [*dead]
    else:
        node.details.pop(DEAD_DETAIL, None)


async def _dispatch(node: Node, inbox: LogReader, agents: Sequence[AgentRouter]) -> None:
    """Deliver the messages of the inboxes to their agents; a standby ignores its agent's.

    While the consumer group rebalances, no process owns the agent. Messages that come then belong
    to the turn in progress, which continues if this process gets the agent back.
    """
    by_topic = {topics.inbox(agent.config.agent): agent for agent in agents}
    while True:
        for record in await inbox.read(timeout_s=INBOX_READ_S):
            agent = by_topic[record.topic]
            if agent.accepts_replies and (message := await node.read_message(record)) is not None:
                agent.deliver(message)


async def _maintain(node: Node, agents: Sequence[AgentRouter]) -> None:
    """Commit answered snapshots, and keep the process's status and gauges up to date.

    The status is "starting" until the agents follow the snapshots; a baseline may still be waiting
    for a chat node with its rules.
    """
    while not all(agent.joined or agent.config.strategy.kind == "baseline" for agent in agents):
        await node.clock.sleep(JOIN_POLL_S)
    while True:
        for agent in agents:
            await agent.commit()
        active = sum(agent.active for agent in agents)
        node.status = "running" if active else "standby"
        node.gauges["lag"] = max(agent.waiting for agent in agents)
        _report_dead(node, agents)
        if len(agents) > 1:
            node.gauges["active_agents"] = active
        await node.clock.sleep(COMMIT_INTERVAL_S)
