"""Halts all trading with `arena halt` at times, and records the offsets without fills.

From the end of the log after the halt was confirmed to its end before `arena resume` is sent, no
order may be filled, whichever executor owns the shard meanwhile.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TextIO

from aiokafka import AIOKafkaConsumer

from operations.commands.supervised_run import LAUNCHER
from operations.storm.client_errors import CLIENT_ERRORS
from operations.storm.watcher import EVENTS

HOLD_S = 3.0
CONFIRM_S = 8
COMMAND_S = 60.0
ASK_S = 8.0
RETRY_S = 0.5
RESUMES_MAX = 40
ATTEMPTS_MAX = 2
DECIDING_POLLS_MAX = 120


@dataclass
class HaltInjector:
    """Halts and resumes with the commands that an operator would use.

    Attributes:
        environ: Address, prefix and login of the operator.
        options: Address and login, as arguments of aiokafka's clients.
        times: When to halt, seconds after `run` begins, ascending.
        oracle: Gets a line per confirmed halt: [first offset, one past the last].
        is_deciding: True if orders are decided now; a halt waits for that.
        counts: `halt`: confirmed halts. not_injected: The others, as text.
    """

    environ: Mapping[str, str]
    options: dict[str, Any]  # Any: what aiokafka takes
    times: tuple[float, ...]
    oracle: TextIO
    is_deciding: Callable[[], bool] = lambda: True
    counts: Counter[str] = field(default_factory=Counter)
    not_injected: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Halt at each time, wait, resume."""
        began_s = time.monotonic()
        for at_s in self.times:
            await asyncio.sleep(max(0.0, began_s + at_s - time.monotonic()))
            for _ in range(ATTEMPTS_MAX):
                await self._wait_until_deciding()
                if not (code := await self._halt()):
                    break
            else:
                self.not_injected.append(f"halt at {at_s:.0f} s: exit {code}, not confirmed")

    async def _halt(self) -> int:
        """Halt, wait if it is confirmed, resume; return the exit code of the halt."""
        try:
            code = await self._command("halt", "--reason", "storm", "--wait", str(CONFIRM_S))
            if code == 0:
                begin = await self._end()
                await asyncio.sleep(HOLD_S)
                self.oracle.write(json.dumps([begin, await self._end()]) + "\n")
                self.counts["halt"] += 1
            return code
        finally:  # a halt that was interrupted may have taken effect
            await self._resume()

    async def _wait_until_deciding(self) -> None:
        for _ in range(DECIDING_POLLS_MAX):
            if self.is_deciding():
                return
            await asyncio.sleep(RETRY_S)

    async def _resume(self) -> None:
        """Resume; it takes effect even if no shard owner confirms it."""
        for _ in range(RESUMES_MAX):
            if await self._command("resume", "--wait", "0") in (0, 1):
                return
            await asyncio.sleep(RETRY_S)

    async def _command(self, *words: str) -> int:
        """Run `arena WORDS`; return its exit code, -1 if it did not end in time."""
        process = await asyncio.create_subprocess_exec(
            *LAUNCHER,
            *words,
            env=dict(self.environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(COMMAND_S):
                return await process.wait()
        except TimeoutError:
            return -1
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _end(self) -> int:
        """Return the end offset of `account.events`; ask until a broker answers."""
        while True:
            consumer = AIOKafkaConsumer(**self.options, enable_auto_commit=False)
            try:
                async with asyncio.timeout(ASK_S):
                    await consumer.start()
                    found: dict[Any, int] = await consumer.end_offsets([EVENTS])
                    return found[EVENTS]
            except CLIENT_ERRORS:
                await asyncio.sleep(RETRY_S)
            finally:
                with suppress(*CLIENT_ERRORS):
                    async with asyncio.timeout(ASK_S):
                        await consumer.stop()
