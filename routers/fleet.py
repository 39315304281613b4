"""The agents of one process: one inbox reader, one roster reader and one bus for all of them.

Reads `agent.inbox.<agent>` from the end (taken before any request is sent, so no reply is missed),
`arena.roster` and `arena.heartbeats`. Writes what its agents write, and `dead_letters`.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from arena import topics
from arena.bus.base import LATEST, LogReader
from arena.bus.partitions import require_partitions
from arena.errors import UsageError
from arena.node import Node
from arena.vitals import DEAD_DETAIL
from routers.chat_nodes import ChatNodes
from routers.contestant import is_other, replaced_words, require_name, who
from routers.market import Market
from routers.roster import Roster
from routers.router import AgentRouter
from routers.seat import Seat, announce, spec_of

TOOLS_DEADLINE_S = 30.0
INBOX_READ_S = 5.0
COMMIT_INTERVAL_S = 0.5
JOIN_LOOK_S = 0.02
ROSTER_LOOK_S = 0.5
"""How often an agent looks whether another process took its name."""


async def serve_agents(
    node: Node, seats: Sequence[Seat], *, tools_deadline_s: float = TOOLS_DEADLINE_S
) -> None:
    """Play the agents, all in the same pacing, until cancelled.

    Raises:
        DependencyMissing: A tool that a strategy names was not offered in time.
        UsageError: A name plays another strategy already, a baseline was given to a model, or
            every agent was replaced, or `market.snapshots` was given partitions.
    """
    _describe(node, seats)
    own = [topics.INBOX.member(seat.agent) for seat in seats]
    prompted = {seat.chat_node: topics.PROMPTED.member(seat.chat_node) for seat in seats}
    await node.bus.ensure_topics([*topics.fixed_topics(), *own, *prompted.values()])
    await require_partitions(node.bus, topics.SNAPSHOTS)
    roster = Roster(node)
    market = Market(node)
    recovering = asyncio.Lock()
    agents = [AgentRouter(node, seat, market, roster, recovering) for seat in seats]
    chat_nodes = ChatNodes(node, seats)
    for agent in agents:
        agent.silent_note = partial(chat_nodes.note, agent.seat.chat_node)
    try:
        await roster.catch_up()
        for seat in seats:
            mine = spec_of(seat, node.clock.now())
            require_name(mine, roster.agents.get(seat.agent), replace=seat.replace)
        await chat_nodes.open()
        tools = {t for s in seats for t in s.strategy.tools}
        await roster.open(tools, tools_deadline_s, pacing=seats[0].pacing)
        inbox = await node.bus.log_reader(*(spec.name for spec in own), start=LATEST)
        try:
            await _together(
                _dispatch(node, inbox, agents),
                roster.follow(),
                chat_nodes.follow(),
                _tend(node, agents),
                _play_all(node, agents, roster, chat_nodes),
            )
        finally:
            await inbox.close()
    finally:
        await chat_nodes.close()
        await roster.close()


async def _play_all(
    node: Node, agents: Sequence[AgentRouter], roster: Roster, chat_nodes: ChatNodes
) -> None:
    """Play every agent until it is replaced; the process ends with the last one."""
    await _together(*(_play(node, agent, roster, chat_nodes) for agent in agents))
    names = ", ".join(agent.seat.agent for agent in agents)
    raise UsageError(
        f"every agent of this process was replaced: {names}",
        remedy="start it under other names, or with --replace to take them back",
    )


async def _play(node: Node, agent: AgentRouter, roster: Roster, chat_nodes: ChatNodes) -> None:
    """Play an agent as soon as its chat node may, until another process takes its name."""
    seat = agent.seat
    mine = spec_of(seat, node.clock.now())
    await chat_nodes.cleared(seat)
    before = roster.agents.get(seat.agent)
    if before is not None and is_other(mine, before):
        require_name(mine, before, replace=seat.replace)
        node.log.warning("takes the name", agent=seat.agent, before=who(before), now=who(mine))
        await announce(node, seat)
        roster.agents[seat.agent] = mine
    playing = asyncio.create_task(_together(agent.watch(), agent.run()))
    try:
        while not playing.done():
            now = roster.agents.get(seat.agent)
            if now is not None and is_other(mine, now):
                node.log.warning(replaced_words(mine, now))
                return
            await asyncio.wait([playing], timeout=ROSTER_LOOK_S)
        playing.result()
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        agent.retire()


def _describe(node: Node, seats: Sequence[Seat]) -> None:
    if len(seats) == 1:
        node.details = {"strategy": seats[0].strategy.name, "node": seats[0].chat_node}
    else:
        node.details = {"agents": {s.agent: f"{s.strategy.name}@{s.chat_node}" for s in seats}}


def _tell_dead(node: Node, agents: Sequence[AgentRouter]) -> None:
    """Keep the dead among the agents played here in the process's heartbeat."""
    dead = [a.vital.dead().document() for a in agents if a.active and a.vital.is_dead]
    if dead:
        node.details[DEAD_DETAIL] = [*dead]
    else:
        node.details.pop(DEAD_DETAIL, None)


# Any: a coroutine's send and yield types are of no interest here.
async def _together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all of them; the first error, or a cancellation, ends all and is raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _dispatch(node: Node, inbox: LogReader, agents: Sequence[AgentRouter]) -> None:
    """Hand every message of the inboxes to its agent; a standby's are its owner's to read.

    While its group shares out the snapshots again, nobody owns an agent. What comes then is for the
    turn under way, which is played on if the agent comes back.
    """
    by_topic = {topics.inbox(agent.seat.agent): agent for agent in agents}
    while True:
        for record in await inbox.read(timeout_s=INBOX_READ_S):
            agent = by_topic[record.topic]
            if agent.listens and (message := await node.read_message(record)) is not None:
                agent.deliver(message)


async def _tend(node: Node, agents: Sequence[AgentRouter]) -> None:
    """Commit what is recorded, and keep the process's status and gauges true.

    The process is starting until its agents follow the snapshots; a baseline may wait for its
    rules.
    """
    while not all(agent.joined or agent.seat.strategy.kind == "baseline" for agent in agents):
        await node.clock.sleep(JOIN_LOOK_S)
    while True:
        for agent in agents:
            await agent.commit()
        active = sum(agent.active for agent in agents)
        node.status = "running" if active else "standby"
        node.gauges["lag"] = max(agent.waiting for agent in agents)
        _tell_dead(node, agents)
        if len(agents) > 1:
            node.gauges["active_agents"] = active
        await node.clock.sleep(COMMIT_INTERVAL_S)
