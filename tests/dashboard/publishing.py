"""Putting a scenario's records into a real arena."""

import asyncio
import os
import sys
from pathlib import Path

from arena import topics
from arena.bus.base import Bus
from arena.settings import Settings
from tests.dashboard.scenario import Scenario

ROOT = Path(__file__).resolve().parents[2]


async def publish(bus: Bus, scenario: Scenario, first: int = 0) -> int:
    """Append the records from a place on, as they are; the place behind the last.

    What a turn is made of is in the logs before it, as in an arena: an executor, a chat node and a
    router wait for the acks of what they append before they answer. Judges rely on it.
    """
    for last in (False, True):
        acks = [
            await bus.send_bytes(
                record.topic,
                record.value or b"",
                key=record.key,
                partition=record.partition,
                headers=tuple(record.headers.items()),
            )
            for record in scenario.records[first:]
            if (record.topic == topics.TURNS.name) is last
        ]
        await asyncio.gather(*acks)
    return len(scenario.records)


def command(*arguments: str) -> list[str]:
    """The dashboard as a process."""
    return [sys.executable, "-m", "arena", "dashboard", *arguments]


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """What a process of the test's arena has in its environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ARENA_", "NO_COLOR"))}
    return {
        **kept,
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
        "ARENA_HOME": str(settings.home),
        **more,
    }
