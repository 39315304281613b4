"""Sends poison records to the topics of a storm, each at its time."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer

from operations.storm.client_errors import CLIENT_ERRORS, raise_failed
from operations.storm.poison import Poison, draw_poison
from operations.storm.storm_commands import PREFIX

SEND_S = 12.0
STOP_S = 5.0
RETRY_S = 0.5
CONCURRENT_MAX = 8


@dataclass
class PoisonSender:
    """Sends each record with its own producer, until it is acked or `run` is cancelled.

    Attributes:
        options: Address and login, as arguments of aiokafka's clients.
        times: When to send, seconds after `run` begins, ascending.
        on_acked: Called with offset and value of each acked record of `account.commands`.
        counts: `poison`: acked records. not_injected: The others, as text.
    """

    options: dict[str, Any]  # Any: what aiokafka takes
    seed: int
    times: tuple[float, ...]
    on_acked: Callable[[int, bytes], None]
    counts: Counter[str] = field(default_factory=Counter)
    not_injected: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Send all; records that are not acked when this is cancelled are not injected."""
        rng, began_s = Random(self.seed), time.monotonic()
        slots = asyncio.Semaphore(CONCURRENT_MAX)
        tasks: set[asyncio.Task[None]] = set()
        try:
            for number, at_s in enumerate(self.times):
                await asyncio.sleep(max(0.0, began_s + at_s - time.monotonic()))
                raise_failed(tasks)
                tasks.add(asyncio.create_task(self._deliver(number, draw_poison(rng), slots)))
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, number: int, poison: Poison, slots: asyncio.Semaphore) -> None:
        """Send a record until it is acked."""
        why = "the storm was over"
        try:
            while True:
                try:
                    async with slots, asyncio.timeout(SEND_S):
                        await self._send(number, poison)
                except CLIENT_ERRORS as error:
                    why = type(error).__name__
                    await asyncio.sleep(RETRY_S)
                else:
                    self.counts["poison"] += 1
                    return
        except asyncio.CancelledError:
            self.not_injected.append(f"poison {number} to {poison.topic}: {why}")
            raise

    async def _send(self, number: int, poison: Poison) -> None:
        transactional = f"storm-{self.seed}-{number}" if poison.transaction else None
        producer = AIOKafkaProducer(
            **self.options,
            acks="all",
            compression_type=poison.codec,
            max_request_size=2_000_000,
            transactional_id=transactional,
        )
        try:
            await producer.start()
            if poison.transaction:
                await producer.begin_transaction()
            done = await producer.send_and_wait(
                PREFIX + poison.topic,
                poison.value,
                key=poison.key,
                partition=0,
                timestamp_ms=poison.timestamp_ms,
                headers=list(poison.headers),
            )
            if poison.transaction == "commit":
                await producer.commit_transaction()
            elif poison.transaction == "abort":
                await producer.abort_transaction()
            if poison.topic == "account.commands" and poison.transaction != "abort":
                self.on_acked(done.offset, poison.value or b"")
        finally:
            with suppress(*CLIENT_ERRORS):  # it may wait for records that no broker accepts
                async with asyncio.timeout(STOP_S):
                    await producer.stop()
