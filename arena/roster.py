"""Which agents are known: from `arena.roster`, and whose halts from `arena.control`. Read once."""

from arena import topics
from arena.bus.base import Bus
from arena.errors import Malformed
from arena.messages import AgentSpec, Message
from arena.switch import AGENT_KEY, Switch

READ_TIMEOUT_S = 1.0


async def read_agents(bus: Bus) -> dict[str, AgentSpec]:
    """Agent -> what the roster says of it; empty before anything was started."""
    found = await _newest(bus, topics.ROSTER)
    return {m.agent: m for m in found.values() if isinstance(m, AgentSpec)}


async def read_halted(bus: Bus) -> set[str]:
    """Names that a halt of their own is in force for."""
    stops = (await read_switch(bus)).stops.values()
    return {stop.name for stop in stops if stop.scope.startswith(AGENT_KEY)}


async def read_switch(bus: Bus) -> Switch:
    """What is halted now."""
    switch = Switch()
    await bus.ensure_topics([topics.CONTROL])
    reader = await bus.log_reader(topics.CONTROL.name)
    try:
        while await reader.behind():
            for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                switch.take(record)
        return switch
    finally:
        await reader.close()


async def _newest(bus: Bus, topic: topics.TopicSpec) -> dict[str, Message]:
    """Key -> the newest message of a compacted topic, of the keys of agents."""
    await bus.ensure_topics([topic])
    reader = await bus.log_reader(topic.name)
    newest: dict[str, Message] = {}
    try:
        while await reader.behind():
            for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                if not record.key_text.startswith(AGENT_KEY):
                    continue
                if record.value is None:
                    newest.pop(record.key_text, None)
                    continue
                try:
                    newest[record.key_text] = record.message()
                except Malformed:
                    continue  # `arena tail` shows it
        return newest
    finally:
        await reader.close()
