"""Traces of orders: every step is found, every hash is the same, and a changed one is reported."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from arena import ids, topics
from arena.errors import UsageError
from connectors.market.events import TickerSeen
from connectors.venues.binance.protocol import BinanceDecoder
from ledger.audit.raw_frames import find_frame, sent_ticker
from ledger.audit.sources import RecordSource
from ledger.audit.trace import _snapshot, trace
from ledger.audit.trace_records import find_event, find_other_records, order_ids
from tests.ledger.audit.contest_log import TICKERS, TURNS, ContestLog, body_of, kind_of, updating

BINANCE_FRAMES = Path(__file__).parents[2] / "connectors" / "fixtures" / "binance_frames.jsonl"
CALLS = topics.LLM_CALLS.name
STEPS = [
    "order",
    "command",
    "turn",
    "version of the text",
    "model reply",
    "request",
    "snapshot",
    "ticker seen",
    "ticker used",
    "frame of the price seen",
]


def frame_line(ticker: dict[str, str], **changes: str) -> bytes:
    """A ticker frame as a connector records it."""
    names = ("product_id", "sequence", "best_bid", "best_ask", "trade_id")
    frame = {"type": "ticker"} | {name: ticker[name] for name in names} | changes
    line = {"t": "1.000000", "conn": 1, "data": orjson.dumps(frame).decode()}
    return orjson.dumps(line) + b"\n"


def test_every_order_is_traced_to_its_tickers(sound_records: Path) -> None:
    """Each step is found with its hash, and every comparison holds."""
    source = RecordSource("a contest", sound_records)
    orders = order_ids(source)

    for order_id in orders[::7]:
        steps = trace(source, order_id)

        names = [step.name for step in steps]
        if names[0] == "exit":
            names = [n.removeprefix("entry: ") for n in names if n.startswith("entry: ")]
        assert STEPS == names
        others = [step for step in steps if "frame" not in step.name]
        assert [] == [step.name for step in others if step.missing]
        assert [] == [step for step in steps if not step.holds]
        assert all(len(step.sha256) == 64 for step in others)
        assert "no raw frames" in steps[-1].missing


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"simulated": False}, "sim as of 2026"),
        ({"simulated": True}, "simulated sim as of 2026"),
        ({"simulated": True, "recorded": True}, "recorded sim as of 2026"),
        (
            {"simulated": True, "recorded": True, "source": "BTC-USD.csv (Kraken)"},
            "BTC-USD.csv (Kraken) as of 2026",
        ),
    ],
)
def test_trace_names_the_source_of_the_prices(
    changes: dict[str, object], text: str, sound_records: Path
) -> None:
    """Only live prices have the venue alone."""
    source = RecordSource("a contest", sound_records)
    found = find_event(source, order_ids(source)[0])
    find_other_records(source, found)
    assert found.snapshot is not None
    record, snapshot = found.snapshot
    found.snapshot = record, snapshot.model_copy(update={"venue": "sim", **changes})

    assert _snapshot(found).summary.startswith(text)


@pytest.mark.parametrize(("ask", "holds"), [(None, True), ("9.99", False)])
def test_ticker_is_traced_to_the_bytes_of_the_venue(
    log: ContestLog, tmp_path: Path, ask: str | None, holds: bool
) -> None:
    """The frame is found by product and sequence; other prices in it are reported."""
    for index, record in enumerate(log.records[TICKERS]):
        if kind_of(record) == "Ticker":
            numbers = {"sequence": 1_000 + index, "trade_id": index}
            log.change(TICKERS, index, updating(numbers))
    tickers = [body_of(r) for r in log.records[TICKERS] if kind_of(r) == "Ticker"]
    for index, record in enumerate(log.records["market.snapshots"]):
        body = body_of(record)
        for view in body["products"]:
            shown = view["ticker"]
            view["ticker"] = next(
                t
                for t in tickers
                if (t["product_id"], t["event_time"]) == (shown["product_id"], shown["event_time"])
            )
        log.change("market.snapshots", index, updating(body))
    changes = {} if ask is None else {"best_ask": ask}
    lines = [frame_line(ticker, **changes) for ticker in tickers]
    (tmp_path / "frames.jsonl").write_bytes(b"not a line\n" + b"".join(lines))
    source = RecordSource("a contest", log.write(tmp_path / "records"), run=tmp_path)

    frame = trace(source, order_ids(source)[0])[-1]

    assert "" == frame.missing
    assert holds == frame.holds
    assert frame.location.startswith("frames.jsonl, line ")


def test_changed_prompt_is_reported(log: ContestLog, tmp_path: Path) -> None:
    """A turn whose messages were changed no longer has the hash of its prompt."""
    order = next(
        (i, r)
        for i, r in enumerate(log.records[TURNS])
        if any(round_["tool_call_ids"] for round_ in body_of(r).get("rounds", ()))
    )
    index, record = order

    def reword(body: dict[str, list[dict[str, str]]]) -> None:
        body["messages"][1]["content"] += "!"

    log.change(TURNS, index, reword)
    source = RecordSource("a contest", log.write(tmp_path / "records"))
    made = {i for round_ in body_of(record)["rounds"] for i in round_["tool_call_ids"]}
    order_id = next(o for o in order_ids(source) if o in made)

    steps = {step.name: step for step in trace(source, order_id)}

    assert ["prompt SHA-256"] == [c.what for c in steps["turn"].checks if not c.holds]
    assert steps["request"].holds


def test_role_may_have_a_prompt_of_its_own(log: ContestLog, tmp_path: Path) -> None:
    """The prompt of its request is not that of the turn."""

    def as_role(body: dict[str, Any]) -> None:
        names = ("", "trader")
        body["role"] = names[1]
        body["call_id"] = ids.model_call_id(body["turn_id"], body["round"], *names)
        body["messages"][1]["content"] = "Trade as the analysts say."

    for topic in [name for name in log.records if name.startswith(topics.PROMPTED.name)]:
        for index in range(len(log.records[topic])):
            log.change(topic, index, as_role)
    source = RecordSource("a contest", log.write(tmp_path / "records"))

    steps = {step.name: step for step in trace(source, order_ids(source)[0])}

    failed = [check.what for check in steps["request"].checks if not check.holds]
    assert ["body that was sent, SHA-256"] == failed


@pytest.mark.parametrize("changes", [{"options": {"seed": 8}}, {"model": "another"}])
def test_changed_request_is_reported(
    log: ContestLog, tmp_path: Path, changes: dict[str, object]
) -> None:
    """The bytes sent to the model are rebuilt from the topics."""
    for index in range(len(log.records[CALLS])):
        log.change(CALLS, index, updating(changes))
    source = RecordSource("a contest", log.write(tmp_path / "records"))

    steps = trace(source, order_ids(source)[0])

    assert ["body that was sent, SHA-256"] == [
        check.what for step in steps for check in step.checks if not check.holds
    ]


def test_unambiguous_beginning_of_an_id_is_enough(sound_records: Path) -> None:
    """A prefix finds the order; an unknown or ambiguous one is refused with a remedy."""
    source = RecordSource("a contest", sound_records)
    order_id = order_ids(source)[0]

    assert trace(source, order_id)[0].location == trace(source, order_id[:13])[0].location
    with pytest.raises(UsageError, match="--random"):
        trace(source, "nothing")
    with pytest.raises(UsageError, match="write more of it"):
        trace(source, "")


def test_truncated_recording_is_read(tmp_path: Path) -> None:
    """A truncated line is skipped; the lines before it are found."""
    ticker = {
        "product_id": "BTC-USD",
        "sequence": "7",
        "best_bid": "1",
        "best_ask": "2",
        "trade_id": "3",
    }
    line = frame_line(ticker).replace(rb"\"7\"", b"7")
    path = tmp_path / "frames.jsonl"
    path.write_bytes(line + line[:-9])

    frame = find_frame([path], "BTC-USD", 7)

    assert frame is not None
    assert ("frames.jsonl", 1) == (frame.file, frame.line)
    assert find_frame([path], "BTC-USD", 8) is None


def test_every_ticker_of_binance_has_its_frame(tmp_path: Path) -> None:
    """Recorded frames: the quotes of a ticker are in the book update of its sequence number."""
    lines = BINANCE_FRAMES.read_bytes().splitlines(keepends=True)
    decode, tickers = BinanceDecoder(), list[TickerSeen]()
    for line in lines:
        event = decode(orjson.loads(line)["data"])
        tickers += [event] if isinstance(event, TickerSeen) else []
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b"".join(lines))

    assert tickers
    for ticker in tickers:
        frame = find_frame([path], ticker.product_id, ticker.sequence)
        assert frame is not None
        sent = sent_ticker(frame.raw, ticker.product_id, ticker.sequence)
        assert sent is not None
        assert (ticker.best_bid, ticker.best_ask) == (
            Decimal(str(sent.bid)),
            Decimal(str(sent.ask)),
        )
    assert None is find_frame([path], tickers[0].product_id, 1)
