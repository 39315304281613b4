"""A broker that loses the end of a log while it is down."""

import asyncio
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.errors import BrokenLog
from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from operations.localbroker.ports import choose_ports
from tests.arena.test_hostile_records import read_count
from tests.faults.log_truncation import truncate_tail

COMMANDS = topics.COMMANDS.name


async def test_log_truncated_by_broker_stops_readers(tmp_path: Path) -> None:
    """Readers that were connected all the time give nothing of what took the lost offsets."""
    port = choose_ports(0).client
    settings = Settings(bootstrap_servers=f"127.0.0.1:{port}")
    broker = LocalBroker(tmp_path, port=port, allow_fallback=False)
    await asyncio.to_thread(broker.start)
    try:
        bus = KafkaBus(settings)
        await bus.start()
        await bus.ensure_topics([topics.COMMANDS])
        for number in range(10):
            value = b"old %d" % number
            await (await bus.send_bytes(COMMANDS, value, key=None, partition=0, headers=()))
        reader = await bus.log_reader(COMMANDS)
        await read_count(reader, 10)
        member = await bus.group_reader("g", COMMANDS)
        await read_count(member, 10)
        await member.commit({(COMMANDS, 0): 10})
        await asyncio.to_thread(broker.kill)
        assert 6 == truncate_tail(tmp_path, settings.prefix + COMMANDS, 0, keep=6)
        await asyncio.to_thread(broker.start)
        writer = KafkaBus(settings)
        await writer.start()
        for number in range(10):
            value = b"new %d" % number
            await (await writer.send_bytes(COMMANDS, value, key=None, partition=0, headers=()))
        await writer.close()

        with pytest.raises(BrokenLog, match=r"offset 9, which was read, .*start again"):
            await read_count(reader, 1)
        with pytest.raises(BrokenLog, match=r"offset 9, which was handled, .*start again"):
            await read_count(member, 1)
        await reader.close()
        await member.close()
        again = await bus.group_reader("g", COMMANDS)
        assert [b"new %d" % n for n in range(10)] == [
            record.value for record in await read_count(again, 10)
        ]
        await again.close()
        await bus.close()
    finally:
        await asyncio.to_thread(broker.stop)
