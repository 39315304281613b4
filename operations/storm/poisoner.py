"""Writes poison records into the topics of a storm, now and then."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from operations.storm.cast import PREFIX
from operations.storm.poison import Poison, draw

SEND_S = 20.0
TROUBLE = (KafkaError, TimeoutError, OSError, ValueError)


@dataclass
class Poisoner:
    """Sends one record after the other, each with a producer of its own.

    Attributes:
        options: Address and login, as aiokafka takes them.
        every_s: Mean seconds between two. counts: `poison` acked, `poison_unsent` not.
        acked: Told of each record that was acked in `account.commands`: offset and value.
    """

    options: dict[str, Any]  # Any: what aiokafka takes
    seed: int
    every_s: float
    acked: Callable[[int, bytes], None]
    counts: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Send until cancelled."""
        rng = Random(self.seed)
        while True:
            await asyncio.sleep(self.every_s * rng.uniform(0.5, 1.5))
            poison = draw(rng)
            try:
                async with asyncio.timeout(SEND_S):
                    await self._send(poison)
            except TROUBLE as error:
                self.counts["poison_unsent"] += 1
                self.counts[f"poison_unsent_{type(error).__name__}"] += 1
            else:
                self.counts["poison"] += 1

    async def _send(self, poison: Poison) -> None:
        transactional = f"storm-{self.seed}" if poison.transaction else None
        producer = AIOKafkaProducer(
            **self.options,
            acks="all",
            compression_type=poison.codec,
            max_request_size=2_000_000,
            transactional_id=transactional,
        )
        await producer.start()
        try:
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
                self.acked(done.offset, poison.value or b"")
        finally:
            with suppress(*TROUBLE):
                await producer.stop()
