"""An event loop on virtual time: waits take no time, hangs are errors."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import Halt
from arena.threads import InlineThreads, WorkerThreads
from arena.virtual_time import Deadlock, VirtualClock, VirtualTimeLoop

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY_S = 86_400.0


def test_sleeps_end_in_order_and_take_no_time() -> None:
    """A day of sleep ends at once, and shorter sleeps end before longer ones."""
    ended: list[float] = []

    async def main() -> datetime:
        clock = VirtualClock(asyncio.get_running_loop(), START)

        async def sleep(delay_s: float) -> None:
            await clock.sleep(delay_s)
            ended.append(clock.monotonic())

        await asyncio.gather(*(sleep(delay_s) for delay_s in (DAY_S, 2.5, 60.0)))
        return clock.now()

    began_s = time.monotonic()
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        now = runner.run(main())

    assert [2.5, 60.0, DAY_S] == ended
    assert START + timedelta(days=1) == now
    assert time.monotonic() - began_s < DAY_S / 100


def test_time_outs_are_on_virtual_time() -> None:
    """A block that waits longer than its limit gets a `TimeoutError` at that time."""

    async def main() -> float:
        clock = VirtualClock(asyncio.get_running_loop(), START)
        with pytest.raises(TimeoutError):
            async with clock.timeout(5.0):
                await clock.sleep(100.0)
        return clock.monotonic()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert 5.0 == runner.run(main())


def test_bus_in_memory_waits_on_virtual_time() -> None:
    """A read without records ends after its time-out; records have the loop's time."""

    async def main() -> tuple[float, int]:
        clock = VirtualClock(asyncio.get_running_loop(), START)
        bus = MemoryBus(clock=clock)
        await bus.start()
        await bus.ensure_topics([topics.CONTROL])
        reader = await bus.log_reader(topics.CONTROL.name)
        assert [] == await reader.read(timeout_s=3_600.0)
        halt = Halt(by="test", at=clock.now())
        return clock.monotonic(), (await bus.append(topics.CONTROL.name, halt)).timestamp

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        elapsed_s, appended_ms = runner.run(main())

    assert 3_600.0 == elapsed_s
    assert appended_ms == (START.timestamp() + elapsed_s) * 1_000


def test_tasks_that_wait_for_each_other_are_an_error() -> None:
    """A loop without a timer could wait forever; the error has the time."""

    async def main() -> None:
        await asyncio.sleep(7.0)
        await asyncio.Event().wait()

    runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
    with pytest.raises(Deadlock, match="after 7 s"):
        runner.run(main())
    runner.close()


@pytest.mark.parametrize("threads", [WorkerThreads(), InlineThreads()])
async def test_blocking_work_has_its_result_or_its_error(
    threads: WorkerThreads | InlineThreads,
) -> None:
    """Both kinds of threads behave the same for the caller."""

    def fail() -> None:
        raise ValueError("no")

    assert 3 == await threads.run(lambda: 3)
    assert 4 == await threads.run_daemon(lambda: 4, name="four")
    with pytest.raises(ValueError, match="no"):
        await threads.run(fail)
    with pytest.raises(ValueError, match="no"):
        await threads.run_daemon(fail)
