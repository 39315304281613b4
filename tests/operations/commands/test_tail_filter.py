"""The options and lines of `arena tail`, without a broker."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.bus.base import Record, Start
from arena.errors import UsageError
from arena.messages import Heartbeat, Message, OpenAccount, OrderDecided, Source, Ticker
from arena.visible_text import one_line
from arena.wire import encode
from operations.commands.message_format import describe
from operations.commands.tail_filter import RecordFilter, StartPosition, parse_start, record_line

NOW = datetime(2026, 11, 21, 18, 4, 29, tzinfo=UTC)
TICKER = Ticker(
    venue="coinbase",
    product_id="BTC-USD",
    price=Decimal("67201.10"),
    best_bid=Decimal("67201.00"),
    best_ask=Decimal("67203.55"),
    event_time=NOW,
    received_at=NOW,
)


def record(message: Message, key: str = "k") -> Record:
    """A message as a record of a topic."""
    encoded = encode(message)
    return Record("market.tickers", 0, 7, 0, key.encode(), encoded.value, dict(encoded.headers))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("earliest", StartPosition("earliest")),
        ("latest", StartPosition("latest")),
        ("120", StartPosition("offset", 120)),
        ("20 ago", StartPosition("records", 20)),
        ("10m ago", StartPosition("seconds", 600)),
        ("2 h ago", StartPosition("seconds", 7200)),
    ],
)
def test_start_positions_are_parsed(text: str, expected: StartPosition) -> None:
    """All forms of the help."""
    assert parse_start(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-3", "10m", "ago", "1.5h ago"])
def test_other_start_positions_are_refused(text: str) -> None:
    """The error lists the forms."""
    with pytest.raises(UsageError, match="write earliest, latest, an offset"):
        parse_start(text)


def test_start_position_counts_records_from_the_end() -> None:
    """In each partition, and never before its start."""
    ends = {("t", 0): 100, ("t", 1): 5}

    assert StartPosition("records", 20).for_bus(ends, 0) == Start(
        offsets={("t", 0): 80, ("t", 1): 0}
    )


def test_order_line_has_the_facts_of_the_trade() -> None:
    """Agent, quantity, product, price, fee and remaining cash."""
    order = OrderDecided(
        epoch=1,
        owner="o",
        seq=4,
        prev="p",
        source=Source(partition=0, offset=1),
        order_id="id",
        agent="scalper",
        turn_id="t",
        round=0,
        index=0,
        snapshot_id="s",
        outcome="filled",
        product_id="BTC-USD",
        action="buy",
        quantity=Decimal("0.041"),
        price=Decimal("67203.55"),
        fee=Decimal("16.53"),
        cash_after=Decimal("97228.12"),
        position_after=Decimal("0.041"),
        issued_at=NOW,
        at=NOW,
    )

    assert describe(order) == (
        "scalper buy 0.041 BTC-USD filled at 67,203.55  fee 16.53  cash 97,228.12  position 0.041"
    )


def test_json_has_the_documented_keys() -> None:
    """One object per line, with the recorded body."""
    line = json.loads(record_line(record(TICKER), RecordFilter(), as_json=True) or "")

    keys = ["topic", "partition", "offset", "timestamp", "key", "type", "message"]
    assert list(line) == keys
    assert (line["type"], line["message"]["price"]) == ("Ticker", "67201.10")


def test_malformed_record_is_marked() -> None:
    """Its line has the size and the reason."""
    broken = Record("market.tickers", 0, 7, 0, None, b"{not json", {"type": b"Ticker"})

    text = record_line(broken, RecordFilter(), as_json=False) or ""
    as_json = json.loads(record_line(broken, RecordFilter(), as_json=True) or "")

    assert "MALFORMED, 9 bytes: Ticker" in text
    assert (as_json["message"], as_json["size_bytes"]) == (None, 9)
    assert as_json["malformed"].startswith("Ticker")


@pytest.mark.parametrize(
    ("record_filter", "passes"),
    [
        (RecordFilter(), True),
        (RecordFilter(agent="momentum"), True),
        (RecordFilter(agent="scalper"), False),
        (RecordFilter(type_name="openaccount"), True),
        (RecordFilter(type_name="Ticker"), False),
        (RecordFilter(key="k"), True),
        (RecordFilter(key="other"), False),
        (RecordFilter(pattern=re.compile("moment.m")), True),
        (RecordFilter(pattern=re.compile("nothing")), False),
    ],
)
def test_filters(record_filter: RecordFilter, passes: bool) -> None:
    """By agent, type, key and pattern."""
    opened = OpenAccount(call_id="c", agent="momentum", issued_at=NOW)

    assert (record_line(record(opened), record_filter, as_json=False) is not None) == passes


def test_escape_sequences_are_made_visible() -> None:
    """A model's text cannot move the cursor or break the line."""
    assert one_line("a\x1b[2Jb\r\nc\td") == r"a\u001b[2Jb c d"


@given(
    value=st.binary(max_size=200) | st.none(),
    key=st.binary(max_size=10) | st.none(),
    kind=st.sampled_from([b"Ticker", b"Turn", b"nothing", b"\xff", b""]),
    as_json=st.booleans(),
)
def test_any_bytes_are_printed_as_one_line(
    value: bytes | None, key: bytes | None, kind: bytes, as_json: bool
) -> None:
    """For any record a line is printed and nothing is raised."""
    line = record_line(
        Record("t", 0, 0, 0, key, value, {"type": kind}), RecordFilter(), as_json=as_json
    )

    assert line
    assert "\n" not in line


def test_every_message_type_has_its_own_format() -> None:
    """No type uses the default list of fields."""
    import arena.messages as messages

    kinds = [getattr(messages, name) for name in messages.__all__]
    without = [
        kind.__name__
        for kind in kinds
        if isinstance(kind, type)
        and issubclass(kind, Message)
        and kind is not Message
        and describe.dispatch(kind) is describe.dispatch(Message)
    ]

    assert without == []


def test_heartbeat_shows_its_counters() -> None:
    """The counters are sorted by name."""
    beat = Heartbeat(
        node="tools/tools/host/1",
        kind="tools",
        name="tools",
        host="host",
        pid=1,
        started_at=NOW,
        at=NOW,
        counters={"orders": 3, "calls": 9},
    )

    assert describe(beat) == "tools/tools/host/1 running calls=9 orders=3"
