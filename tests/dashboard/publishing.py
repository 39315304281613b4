"""Publishes a scenario's records to a bus, and runs the dashboard as a process."""

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
    """Append the records from index `first` on; return the index after the last.

    A turn is appended after the records it refers to, as in an arena, where executor, chat node and
    router wait for the acks of their records before they answer. Judges rely on it.
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
    """The command line of the dashboard."""
    return [sys.executable, "-m", "arena", "dashboard", *arguments]


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a process in the test's arena."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ARENA_", "NO_COLOR"))}
    return {
        **kept,
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
        "ARENA_HOME": str(settings.home),
        **more,
    }
