"""The typed reading of the account log: the fields the messages write, nothing unreadable."""

import json
from typing import Any

import msgspec
import pytest

from arena.account_log import (
    EpochEvent,
    LogEvent,
    OpenedEvent,
    OrderEvent,
    StateDigestEvent,
    decode_event,
)
from arena.account_state import GENESIS
from arena.errors import BrokenLog
from arena.messages import AccountOpened, Epoch, OrderDecided, StateDigest
from tests.arena.test_accounts import Log


@pytest.fixture
def log() -> Log:
    """A log with an owner, an account, a buy, a sell and a rejection."""
    log = Log()
    log.claim("one")
    log.open()
    log.append(log.fill("1", "buy", "0.5"))
    log.append(log.fill("2", "sell", "0.25"))
    log.append(log.reject("3"))
    return log


def _holds(read: object, written: object) -> bool:
    """True if everything that was read is in what was written."""
    if isinstance(read, dict) and isinstance(written, dict):
        return all(name in written and _holds(part, written[name]) for name, part in read.items())
    if isinstance(read, list) and isinstance(written, list):
        return len(read) == len(written) and all(map(_holds, read, written))
    return read == written


def _pop_fields_of_steps(read: dict[str, Any]) -> None:
    """Remove the fields that a market order without limits omits."""
    omitted = {"step": 0, "order_type": "market", "terms": None, "exits": [], "cause": ""}
    omitted["by_call"] = ""
    assert omitted == {name: read.pop(name) for name in omitted}
    assert read.pop("risk") is None


def test_event_has_fields_of_message(log: Log) -> None:
    """The fold reads the very fields the message models write."""
    kinds = []
    for offset, (kind, value) in enumerate(log.records):
        event = decode_event(kind, value, offset)
        kinds.append(type(event))
        read = msgspec.to_builtins(event)
        if kind == "Epoch":
            assert "" == read.pop("order_id")
        if kind == "OrderDecided":
            assert "" == read.pop("currency")
            _pop_fields_of_steps(read)
        assert _holds(read, json.loads(value))

    assert [EpochEvent, OpenedEvent, OrderEvent, OrderEvent, OrderEvent] == kinds
    assert GENESIS != log.shard.head


@pytest.mark.parametrize(
    ("struct", "message"),
    [
        (EpochEvent, Epoch),
        (StateDigestEvent, StateDigest),
        (OpenedEvent, AccountOpened),
        (OrderEvent, OrderDecided),
    ],
)
def test_only_fields_of_the_message_are_read(struct: Any, message: Any) -> None:
    """A field that the executor never writes would silently keep its default forever."""
    # Any: pytest hands classes over untyped.
    unknown = set(struct.__struct_fields__) - set(message.model_fields)

    assert unknown <= {"order_id"}


@pytest.mark.parametrize(
    ("field", "value"), [("postings", None), ("seq", "2"), ("outcome", "maybe"), ("agent", 7)]
)
def test_field_of_another_type_stops(log: Log, field: str, value: object) -> None:
    """Neither a missing posting nor a number as text is folded as something else."""
    kind, text = log.records[2]
    changed = json.loads(text) | {field: value}

    with pytest.raises(BrokenLog, match=field):
        decode_event(kind, json.dumps(changed).encode(), 2)


def test_text_that_is_not_utf8_stops(log: Log) -> None:
    """A wrong byte in a text is a broken record like any other."""
    kind, text = log.records[2]

    with pytest.raises(BrokenLog, match="utf-8"):
        decode_event(kind, text.replace(b'"agent":"', b'"agent":"\x80', 1), 2)


@pytest.mark.parametrize("field", ["postings", "agent", "source", "prev", "snapshot_id"])
def test_missing_field_stops(log: Log, field: str) -> None:
    """A record without what the fold needs is named with its field."""
    kind, text = log.records[2]
    changed = json.loads(text)
    del changed[field]

    with pytest.raises(BrokenLog, match=f"account.events@7.*{field}"):
        decode_event(kind, json.dumps(changed).encode(), 7)


def test_unknown_kind_has_common_fields(log: Log) -> None:
    """Whether it counts can be decided without knowing it."""
    event = decode_event("Dividend", log.records[2][1], 2)

    assert type(event) is LogEvent
    assert "1" == event.order_id


@pytest.mark.parametrize("field", ["used", "slippage", "latency_cost"])
def test_fill_without_its_price_stops(log: Log, field: str) -> None:
    """A fill without its quote or costs cannot be folded."""
    with pytest.raises(BrokenLog, match="lacks its quote"):
        log.append(log.fill("4", "buy", "0.1", **{field: None}))
