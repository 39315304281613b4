"""Reads the known agents from `arena.roster` and the kill switch from `arena.control`, once."""

from contextlib import suppress

from arena import topics
from arena.bus.base import Bus, Record
from arena.errors import Malformed
from arena.kill_switch import AGENT_KEY, KillSwitch
from arena.messages import AgentSpec, Message
from arena.read_topic import for_each_record


async def read_agents(bus: Bus) -> dict[str, AgentSpec]:
    """Agent -> its entry on the roster; empty before the first start."""
    found = await _newest(bus, topics.ROSTER)
    return {m.agent: m for m in found.values() if isinstance(m, AgentSpec)}


async def read_halted(bus: Bus) -> set[str]:
    """Names of the agents with a halt of their own."""
    stops = (await read_kill_switch(bus)).halts.values()
    return {stop.name for stop in stops if stop.scope.startswith(AGENT_KEY)}


async def read_kill_switch(bus: Bus) -> KillSwitch:
    """Read the kill switch.

    Raises:
        BrokerUnavailable: The topic cannot be read to its end.
    """
    switch = KillSwitch()
    await for_each_record(bus, topics.CONTROL, switch.take)
    return switch


async def _newest(bus: Bus, topic: topics.TopicSpec) -> dict[str, Message]:
    """Key -> the newest message of a compacted topic, for keys of agents."""
    newest: dict[str, Message] = {}

    def take(record: Record) -> None:
        if not record.key_text.startswith(AGENT_KEY):
            return
        if record.value is None:
            newest.pop(record.key_text, None)
            return
        with suppress(Malformed):  # `arena tail` shows it
            newest[record.key_text] = record.message()

    await for_each_record(bus, topic, take)
    return newest
