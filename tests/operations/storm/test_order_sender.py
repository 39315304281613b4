"""The order sender of a storm keeps sending, whatever error its client has."""

import asyncio
import io
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaProducer

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection_options
from arena.messages import QuoteSeen
from arena.settings import Settings
from operations.storm import order_sender as module
from operations.storm.checker_run import partitions_of
from operations.storm.order_sender import OrderSender
from operations.storm.storm_commands import PRODUCTS

DEADLINE_S = 10.0


class Producer:
    """Acks every record, except the first: then it has no metadata."""

    failures: ClassVar[list[Exception]] = []
    sent: ClassVar[list[bytes]] = []

    def __init__(self, **options: Any) -> None:
        """Any options."""

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def send(self, topic: str, value: bytes, **more: Any) -> "asyncio.Future[Any]":
        """Fail, or ack."""
        if self.failures:
            raise self.failures.pop()
        self.sent.append(value)
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.set_result(SimpleNamespace(offset=len(self.sent) - 1))
        return done


@pytest.mark.parametrize("error", [AssertionError("Unrecognized partition"), TypeError("None")])
async def test_client_without_metadata_is_replaced(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new producer sends the command again, and every ack is recorded."""
    oracle = io.StringIO()
    monkeypatch.setattr(module, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(Producer, "failures", [error])
    monkeypatch.setattr(Producer, "sent", [])
    monkeypatch.setattr(OrderSender, "_follow_market", lambda self: asyncio.sleep(DEADLINE_S))
    storm = OrderSender({}, 7, 1_000.0, oracle)
    storm._quotes.update(dict.fromkeys(PRODUCTS, QuoteSeen(bid=Decimal(10), ask=Decimal(11))))
    running = asyncio.create_task(storm.run())
    async with asyncio.timeout(DEADLINE_S):
        while storm.counts["acked"] < 20 and not running.done():
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert storm.counts[f"driver_lost_{type(error).__name__}"]
    assert storm.counts["sent_again_unacked"]
    acked = [json.loads(line) for line in oracle.getvalue().splitlines()]
    assert len(acked) >= 20
    assert len(Producer.sent) >= len(acked)


async def test_prices_are_read_when_the_tickers_are_visible(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic that at first is missing, or not readable by ACL, does not end the sender."""
    name = settings.prefix + topics.TICKERS.name
    monkeypatch.setattr(module, "TICKERS", name)
    monkeypatch.setattr(OrderSender, "_keep_sending", lambda self: asyncio.sleep(DEADLINE_S))
    storm = OrderSender(connection_options(settings), 7, 1.0, io.StringIO())
    looked_up = asyncio.Event()

    async def look_up(*args: Any) -> dict[str, list[int]]:
        found = await partitions_of(*args)
        looked_up.set()
        return found

    monkeypatch.setattr(module, "partitions_of", look_up)
    running = asyncio.create_task(storm.run())
    async with asyncio.timeout(3 * DEADLINE_S):
        await looked_up.wait()
        bus = KafkaBus(settings, client_id="test")
        await bus.start()
        await bus.ensure_topics([topics.TICKERS])
        ticker = {"product_id": PRODUCTS[0], "best_bid": "10", "best_ask": "11"}
        producer = AIOKafkaProducer(**connection_options(settings))
        await producer.start()
        await producer.send_and_wait(name, json.dumps(ticker).encode(), partition=0)
        await producer.stop()
        await bus.close()
        while not storm._quotes and not running.done():
            await asyncio.sleep(0.05)
    has_ended = running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert not has_ended
    assert Decimal(10) == storm._quotes[PRODUCTS[0]].bid


async def test_reader_that_cancels_itself_ends_the_order_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise it would look as if the sender had been stopped."""

    async def cancel(self: OrderSender) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(OrderSender, "_follow_market", cancel)
    monkeypatch.setattr(OrderSender, "_keep_sending", lambda self: asyncio.sleep(DEADLINE_S))

    with pytest.raises(RuntimeError, match="ended before the storm"):
        await OrderSender({}, 7, 1.0, io.StringIO()).run()


@pytest.mark.parametrize("price", ["abc", "NaN", "-Infinity", "0", [1], None, {}])
def test_invalid_ticker_changes_no_price(price: object) -> None:
    """An invalid price is skipped, whatever it is."""
    storm = OrderSender({}, 7, 1.0, io.StringIO())
    sound = {"product_id": PRODUCTS[0], "best_bid": "10", "best_ask": "11"}
    storm._read_ticker(json.dumps(sound).encode())

    for name in ("best_ask", "product_id"):
        storm._read_ticker(json.dumps({**sound, name: price}).encode())

    assert {PRODUCTS[0]: QuoteSeen(bid=Decimal(10), ask=Decimal(11))} == storm._quotes


@pytest.mark.parametrize("part", ["_read_market", "_send_with_producer"])
async def test_failed_task_ends_the_order_sender(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that brokers cannot cause is raised, not lost with its task."""

    async def fail(_: OrderSender) -> None:
        raise ArithmeticError("a fault of the storm")

    async def hold(_: OrderSender) -> None:
        await asyncio.sleep(DEADLINE_S)

    other = {"_read_market": "_send_with_producer", "_send_with_producer": "_read_market"}[part]
    monkeypatch.setattr(OrderSender, part, fail)
    monkeypatch.setattr(OrderSender, other, hold)

    with pytest.raises(ArithmeticError, match="a fault of the storm"):
        async with asyncio.timeout(DEADLINE_S / 10):
            await OrderSender({}, 7, 1.0, io.StringIO()).run()
