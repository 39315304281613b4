"""The halts of a storm, without brokers."""

import asyncio
import io

import pytest

from operations.storm.halt_injector import HaltInjector


class FakeHaltInjector(HaltInjector):
    """Its commands succeed at once, and are recorded."""

    ran: list[str]
    fails: bool = False

    async def _command(self, *words: str) -> int:
        self.ran.append(words[0])
        return 0

    async def _end(self) -> int:
        if self.fails:
            raise RuntimeError("no end")
        await asyncio.Event().wait()
        return 0


@pytest.mark.parametrize("fails", [True, False])
async def test_interrupted_halt_is_resumed(fails: bool) -> None:
    """After an error, or at the end of the storm, the arena is not left halted."""
    halter = FakeHaltInjector({}, {}, (0.0,), io.StringIO())
    halter.ran, halter.fails = [], fails
    run = asyncio.create_task(halter.run())
    while "halt" not in halter.ran:
        await asyncio.sleep(0)
    run.cancel()
    (ended,) = await asyncio.gather(run, return_exceptions=True)

    assert isinstance(ended, RuntimeError if fails else asyncio.CancelledError)
    assert ["halt", "resume"] == halter.ran
