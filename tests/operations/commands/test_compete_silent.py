"""A contest whose broker does not answer reports it, and can still be stopped."""

import asyncio
from io import StringIO
from signal import SIGINT
from types import SimpleNamespace

import pytest

from arena.bus.base import LogReader
from arena.bus.memory import MemoryBus
from arena.errors import BrokerUnavailable
from operations.commands import compete_monitor
from operations.commands.compete_monitor import ContestMonitor, EndReason
from operations.commands.live_line import LiveLine
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import parse_spec
from tests.operations.commands.test_compete_judged import TEXT, Run

DEADLINE_S = 20.0


async def test_silent_broker_is_reported_once_and_when_it_answers_again(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the contest without waiting for the ends of the logs."""
    for name, seconds in (("POLL_EVERY_S", 0.01), ("SILENT_S", 0.05)):
        monkeypatch.setattr(compete_monitor, name, seconds)
    supervisor = SimpleNamespace(foreground_ended=False)
    monkeypatch.setattr(Run, "supervisor", supervisor, raising=False)
    monkeypatch.setattr(Run, "note_dead", lambda self, dead: None, raising=False)
    run, printed, signals = Run(memory_bus, "running", ()), StringIO(), StopSignals()
    line, spec = LiveLine(printed), parse_spec(TEXT, path="c.toml")
    monitor = ContestMonitor(run, spec, line, seconds=None)  # type: ignore[arg-type]  # a stand-in
    reader = await memory_bus.log_reader(*compete_monitor.FOLLOWED_TOPICS)
    polling = asyncio.create_task(monitor._poll_broker(reader))
    following = asyncio.create_task(monitor._follow(reader, signals))

    async def fail(self: LogReader) -> dict[tuple[str, int], int]:
        raise BrokerUnavailable("no broker answers")

    async def printed_text(text: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while text not in printed.getvalue() and not following.done():
                await asyncio.sleep(0.01)

    await asyncio.sleep(0.3)
    assert "broker" not in printed.getvalue()
    with monkeypatch.context() as silence:
        silence.setattr(type(reader), "end_offsets", fail)
        await printed_text("has not answered for")
        await asyncio.sleep(0.2)
    await printed_text("answers again")
    assert 1 == printed.getvalue().count("has not answered for")
    monkeypatch.setattr(type(reader), "end_offsets", fail)
    while monitor._silent_since_s is None:
        await asyncio.sleep(0.01)
    signals.received = SIGINT
    async with asyncio.timeout(DEADLINE_S):
        end = await following
    polling.cancel()

    assert EndReason.STOPPED is end.reason
