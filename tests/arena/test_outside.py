"""Work that takes real time beside virtual time."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from arena.outside import OutsideThread
from arena.virtual_time import Deadlock, VirtualClock, VirtualTimeLoop

START = datetime(2026, 1, 1, tzinfo=UTC)
WORK_S = 0.1


def test_virtual_time_stands_still_while_work_takes_real_time() -> None:
    """A timer of an hour does not end before work of a tenth of a second; pieces run at once."""
    loop = VirtualTimeLoop()
    outside, clock, ends = OutsideThread(loop), VirtualClock(loop, START), list[str]()

    async def work() -> str:
        async with asyncio.timeout(10 * WORK_S):
            await asyncio.sleep(WORK_S)
        return "answer"

    async def ask() -> None:
        assert await outside.run(work) == "answer"
        assert clock.monotonic() == 0
        ends.append("work")

    async def wait() -> None:
        await clock.sleep(3600)
        ends.append("timer")

    async def main() -> None:
        await asyncio.gather(wait(), *(ask() for _ in range(20)))

    began_s = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
        assert clock.monotonic() == 3600
    outside.close()
    assert ends == ["work"] * 20 + ["timer"]
    assert WORK_S <= time.monotonic() - began_s < 10 * WORK_S


def test_errors_and_time_outs_of_work_reach_the_caller() -> None:
    """A time-out within the work is one of real time; afterwards a deadlock is found again."""
    loop = VirtualTimeLoop()
    outside = OutsideThread(loop)

    async def late() -> None:
        async with asyncio.timeout(WORK_S):
            await asyncio.sleep(3600)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await outside.run(late)
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=lambda: loop) as runner, pytest.raises(Deadlock):
        runner.run(main())
    outside.close()


def test_a_cancellation_reaches_the_work_and_close_ends_the_rest() -> None:
    """Neither a caller that is cancelled nor the end of the run waits for a server that hangs."""
    loop = VirtualTimeLoop()
    outside, cancelled, started = OutsideThread(loop), list[str](), list[str]()

    async def hang(name: str) -> None:
        started.append(name)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    async def begun(count: int) -> None:
        while len(started) < count:
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(outside.run(lambda: hang("first")))
        await begun(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        left = asyncio.create_task(outside.run(lambda: hang("second")))
        await begun(2)
        assert not left.done()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    outside.close()
    assert cancelled == ["first", "second"]
