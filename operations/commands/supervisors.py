"""Reads which supervisors run, from their heartbeats in `arena.heartbeats`."""

import asyncio
import socket
from datetime import UTC, datetime

from arena import topics
from arena.bus.base import EARLIEST, Bus
from arena.clock_skew import SkewFold, broker_now, by_broker_clock
from arena.errors import BrokerUnavailable
from arena.liveness import parse_heartbeat
from arena.messages import Heartbeat
from arena.process_commands import RunningSupervisor, running_supervisors
from operations.commands.local_states import local_states

READ_DEADLINE_S = 10.0


async def read_supervisors(bus: Bus) -> list[RunningSupervisor]:
    """The supervisors that run, by host and run; none in an arena that was never started.

    Raises:
        BrokerUnavailable: The heartbeats were not read in time.
    """
    newest: dict[str, Heartbeat] = {}
    own: dict[str, Heartbeat] = {}
    clocks, host = SkewFold(), socket.gethostname()
    if not await bus.existing_topics([topics.HEARTBEATS.name]):
        return []
    reader = await bus.log_reader(topics.HEARTBEATS.name, start=EARLIEST)
    try:
        async with asyncio.timeout(READ_DEADLINE_S):
            while await reader.lag():
                for record in await reader.read():
                    beat = parse_heartbeat(record)
                    if beat is not None:
                        clocks.note(beat.host, beat.at.timestamp() * 1_000, record.timestamp_ms)
                        own[beat.node] = beat
                        newest[beat.node] = by_broker_clock(beat, record.timestamp_ms)
    except TimeoutError:
        raise BrokerUnavailable(
            f"the heartbeats were not read within {READ_DEADLINE_S:.0f} s",
            remedy="check that the broker runs: `arena broker status`",
        ) from None
    finally:
        await reader.close()
    gone = {node for node, state in local_states([*own.values()], host).items() if state == "gone"}
    now = broker_now(datetime.now(UTC), host, clocks.skews(broker_time=True))
    return running_supervisors((b for b in newest.values() if b.node not in gone), now)
