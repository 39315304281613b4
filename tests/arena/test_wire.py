"""Bytes and headers of every message, and what is done with bytes that are none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena import ids, messages, wire
from arena.bus import Record
from arena.bus.dead_letters import VALUE_BYTES_MAX, dead_letter
from arena.errors import Malformed
from arena.messages import ChatRequest, Message, Ticker
from arena.messages.market import MarketSnapshot

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TURN = ids.turn_id("momentum", "snapshot")


def request() -> ChatRequest:
    """A request as a router sends it."""
    return ChatRequest(
        call_id=ids.model_call_id(TURN, 0),
        agent="momentum",
        turn_id=TURN,
        round=0,
        strategy="momentum",
        snapshot_id="s",
        messages=(),
        issued_at=NOW,
        deadline_at=NOW,
        reply_to="agent.inbox.momentum",
    )


def test_message_round_trip() -> None:
    """Decoding what was encoded gives an equal message."""
    encoded = wire.encode(request())

    assert request() == wire.decode(encoded.value, encoded.headers)


def test_headers_have_type_and_ids() -> None:
    """Type, schema, turn, call, deadline and trace are in the headers."""
    headers = dict(wire.encode(request()).headers)

    assert b"ChatRequest" == headers["type"]
    assert b"1" == headers["schema"]
    assert TURN.encode() == headers["correlation_id"]
    assert request().call_id.encode() == headers["causation_id"]
    assert b"%d" % (NOW.timestamp() * 1000) == headers["deadline_ms"]
    version, trace, span, flags = headers["traceparent"].decode().split("-")
    assert ("00", 32, 16, "01") == (version, len(trace), len(span), flags)


def test_every_message_type_is_known_by_its_name() -> None:
    """Every exported message class is decoded by its name."""
    exported = [getattr(messages, name) for name in messages.__all__]
    kinds = [m for m in exported if isinstance(m, type) and issubclass(m, Message)]

    assert kinds
    for name in (m.__name__ for m in kinds if m is not Message):
        with pytest.raises(Malformed, match=f"^a {name} without a body$"):
            wire.decode(None, {"type": name.encode()})


def test_unknown_fields_are_ignored() -> None:
    """A body from a newer writer is still read."""
    encoded = wire.encode(request())
    newer = encoded.value[:-1] + b',"added_later":{"a":1}}'

    assert request() == wire.decode(newer, encoded.headers)


@pytest.mark.parametrize(
    ("value", "headers", "why"),
    [
        (b"{}", {}, "type"),
        (b"{}", {"type": b"Nonsense"}, "Nonsense"),
        (None, {"type": b"Ticker"}, "without a body"),
        (b"\xff\x00", {"type": b"Ticker"}, "Ticker"),
        (b"[]", {"type": b"Ticker"}, "Ticker"),
        (b'{"venue":"x"}', {"type": b"Ticker"}, "product_id"),
    ],
)
def test_malformed_bytes_are_refused_with_reason(
    value: bytes | None, headers: dict[str, bytes], why: str
) -> None:
    """Each kind of bad record is refused with a reason that names the field."""
    with pytest.raises(Malformed, match=why):
        wire.decode(value, headers)


@given(st.binary(max_size=200), st.sampled_from(["Ticker", "ToolCall", "OrderDecided", "Turn"]))
def test_arbitrary_bytes_raise_only_malformed(value: bytes, name: str) -> None:
    """Any bytes give a message or `Malformed`, nothing else."""
    try:
        decoded = wire.decode(value, {"type": name.encode()})
    except Malformed:
        return
    assert name == type(decoded).__name__


def test_time_without_zone_is_refused() -> None:
    """Naive datetimes never enter a message."""
    body = (
        b'{"venue":"x","product_id":"A-B","price":"1","best_bid":"1","best_ask":"1",'
        b'"event_time":"2026-11-21T09:30:00","received_at":"2026-11-21T09:30:00Z"}'
    )
    with pytest.raises(Malformed, match="timezone"):
        wire.decode(body, {"type": b"Ticker"})


def test_partition_keys_of_a_dict_survive_json() -> None:
    """Ticker offsets keep integer keys through JSON."""
    snapshot = MarketSnapshot(
        snapshot_id="s",
        venue="v",
        as_of=NOW,
        interval_s=60,
        ticker_offsets={3: 7},
        published_at=NOW,
    )
    encoded = wire.encode(snapshot)

    assert snapshot == wire.decode(encoded.value, encoded.headers)


def test_dead_letter_has_original_bytes() -> None:
    """A dead letter has the unchanged value."""
    record = Record("market.tickers", 2, 41, 5, b"k", b"\xff\x00", {"type": b"Ticker"})
    letter = dead_letter(record, "no JSON", "dashboard", NOW)

    assert ("market.tickers", 2, 41) == (letter.topic, letter.partition, letter.offset)
    assert "/wA=" == letter.value_base64
    assert "aw==" == letter.key_base64


def test_huge_dead_letter_is_cut_with_note() -> None:
    """A value over the bound is cut, and the error names its size."""
    value = b"x" * (VALUE_BYTES_MAX + 1)
    letter = dead_letter(Record("t", 0, 0, 0, None, value), "bad", "r", NOW)

    assert f"cut from {VALUE_BYTES_MAX + 1:,} bytes" in letter.error
    assert len(letter.value_base64 or "") <= VALUE_BYTES_MAX * 4 // 3 + 4


def test_ids_are_the_same_for_the_same_cause() -> None:
    """A re-run of a turn gives the same ids; another round or index another."""
    assert ids.turn_id("a", "s") == ids.turn_id("a", "s")
    assert ids.tool_call_id(TURN, 0, 1) != ids.tool_call_id(TURN, 1, 0)
    assert ids.derive("a", "bc") != ids.derive("ab", "c")


def test_ticker_needs_decimal_strings() -> None:
    """A JSON number as a price is malformed."""
    body = Ticker(
        venue="v",
        product_id="A-B",
        price="1",
        best_bid="1",
        best_ask="1",
        event_time=NOW,
        received_at=NOW,
    )
    encoded = wire.encode(body)
    with pytest.raises(Malformed, match="price"):
        wire.decode(encoded.value.replace(b'"price":"1"', b'"price":1.0'), encoded.headers)
