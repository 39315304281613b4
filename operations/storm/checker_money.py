"""Cash, positions and prices, computed a second time in `Decimal` from the raw records."""

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from decimal import Decimal

from operations.storm.checker_records import (
    ExecutorSettings,
    Findings,
    Json,
    RawRecord,
    RecomputedAccount,
    parse,
)
from operations.storm.checker_refusals import (
    ATOM,
    HaltHistory,
    age_ms,
    check_reason,
    notional_and_fee,
    read_order,
    slipped,
)


class MarketRecords:
    """Tickers by place, and listings by product."""

    def __init__(self, records: list[RawRecord]) -> None:
        """Read the topic once."""
        self.tickers: dict[tuple[int, int], Json] = {}
        self.listings: dict[str, Json] = {}
        self.places: dict[tuple[str, int], list[int]] = defaultdict(list)
        for raw in records:
            body = parse(raw.value)
            if body is None or "product_id" not in body:
                continue
            if raw.kind == "Ticker":
                self.tickers[raw.partition, raw.offset] = body
                self.places[body["product_id"], raw.partition].append(raw.offset)
            elif raw.kind == "Product":
                self.listings[body["product_id"]] = body

    def newest_before(self, product_id: str, offsets: Json) -> int:
        """Offset of the product's newest ticker before the given ends, or -1."""
        found = -1
        for partition, end in offsets.items():
            offsets_there = self.places.get((product_id, int(partition)), [])
            if place := bisect_left(offsets_there, end):
                found = max(found, offsets_there[place - 1])
        return found


def check_money(
    effective: list[Json],
    commands: dict[str, list[tuple[int, Json]]],
    market: MarketRecords,
    terms: ExecutorSettings,
    halts: HaltHistory,
    findings: Findings,
) -> dict[str, RecomputedAccount]:
    """Cash and positions from the fills alone, after every event."""
    books: dict[str, RecomputedAccount] = {}
    house: Counter[str] = Counter()
    for event in effective:
        name = f"seq {event['seq']}"
        check_postings(event, house, findings)
        if event["kind"] == "AccountOpened":
            findings.expect(event["agent"] not in books, f"{name}: opened twice")
            findings.expect(Decimal(event["cash_usd"]) == terms.cash, f"{name}: other cash")
            books[event["agent"]] = RecomputedAccount(terms.cash)
        book = books.get(event["agent"])
        if book is None:
            findings.say(f"{name}: {event['agent']} has no account")
            continue
        if event["kind"] == "OrderDecided":
            if event["order_id"] not in commands:
                continue  # told by `check_terminal`
            call = commands[event["order_id"]][0][1]
            check_copy(event, call, name, findings)
            findings.counts[event["outcome"]] += 1
            asked = read_order(call["arguments"])
            product_id = "" if asked is None else asked.product_id
            findings.expect(event["product_id"] == product_id, f"{name}: another product")
            money = book.cash, book.positions.get(product_id, Decimal(0))
            ticker = check_price(event, market, findings)
            listing = market.listings.get(product_id)
            check_reason(event, call, ticker, listing, money, terms, halts, findings)
            if event["outcome"] == "filled":
                check_fill(event, call, book, market, terms, findings)
            else:
                findings.counts[f"rejected_{event['reason']}"] += 1
                findings.expect(event["postings"] == [], f"{name}: a rejection with postings")
            findings.expect(Decimal(event["cash_after"]) == book.cash, f"{name}: cash differs")
        findings.expect(book.cash >= 0, f"{name}: cash {book.cash}")
        findings.expect(all(q >= 0 for q in book.positions.values()), f"{name}: short")
        book.note(event["source"]["offset"])
    return books


def check_copy(event: Json, call: Json, name: str, findings: Findings) -> None:
    """The event says what the command said."""
    for key in ("agent", "turn_id", "round", "index", "snapshot_id", "issued_at"):
        findings.expect(event[key] == call[key], f"{name}: {key} is not the command's")


def check_postings(event: Json, house: Counter[str], findings: Findings) -> None:
    """The legs of an event sum to zero per unit; so do all of them together."""
    sums: Counter[str] = Counter()
    for leg in event["postings"]:
        sums[leg["unit"]] += int(leg["amount"])
        house[leg["unit"]] += int(leg["amount"])
    findings.expect(not any(sums.values()), f"seq {event['seq']}: postings sum to {dict(sums)}")
    findings.expect(not any(house.values()), f"seq {event['seq']}: all postings {dict(house)}")


def check_price(event: Json, market: MarketRecords, findings: Findings) -> Json | None:
    """The price that an event names was in the market, and as old as it says.

    Returns:
        Its record, or None if the event names no such price.
    """
    name, used, product_id = f"seq {event['seq']}", event["used"], event["product_id"]
    if used is None:
        findings.expect(event["outcome"] != "filled", f"{name}: filled without a price")
        return None
    ticker = market.tickers.get((used["partition"], used["offset"]))
    if ticker is None or ticker["product_id"] != product_id:
        findings.say(f"{name}: no ticker of {product_id} at {used['offset']}")
        return None
    same = (ticker["best_bid"], ticker["best_ask"], ticker["event_time"])
    findings.expect(same == (used["bid"], used["ask"], used["event_time"]), f"{name}: quote")
    age = age_ms(event, ticker)
    findings.expect(used["age_ms"] == age, f"{name}: age {age} ms")
    return ticker


def check_fill(
    event: Json,
    call: Json,
    book: RecomputedAccount,
    market: MarketRecords,
    terms: ExecutorSettings,
    findings: Findings,
) -> None:
    """A fill's price is that of a real ticker, and its money is price times quantity and fee."""
    name = f"seq {event['seq']}"
    buy = event["action"] == "buy"
    asked = json.loads(call["arguments"], parse_float=Decimal, parse_int=Decimal)
    product_id, quantity = asked["product_id"], Decimal(asked["quantity"])
    findings.expect(Decimal(event["quantity"]) == quantity, f"{name}: another quantity")
    findings.expect(event["action"] == asked["action"], f"{name}: another action")
    used = event["used"]
    if used is None or (used["partition"], used["offset"]) not in market.tickers:
        return  # told by `check_price`
    newest_seen = market.newest_before(product_id, call["ticker_offsets"])
    findings.expect(used["offset"] >= newest_seen, f"{name}: priced from older news")
    best = Decimal(used["ask"] if buy else used["bid"])
    seen = call["quotes_seen"].get(product_id)
    if seen is not None:
        was = Decimal(seen["ask"] if buy else seen["bid"])
        lost = (best - was if buy else was - best) * quantity
        findings.expect(near(event["latency_cost"], lost), f"{name}: latency cost")
    price = slipped(best, terms.slippage_bps, market.listings[product_id], buy)
    findings.expect(
        Decimal(event["price"]) == price, f"{name}: price {event['price']}, not {price}"
    )
    notional, fee = notional_and_fee(price, quantity, terms.fee_bps)
    findings.expect(Decimal(event["notional"]) == notional, f"{name}: notional")
    findings.expect(Decimal(event["fee"]) == fee, f"{name}: fee {event['fee']}, not {fee}")
    lost = (price - best if buy else best - price) * quantity
    findings.expect(near(event["slippage"], lost), f"{name}: slippage")
    moved = -(notional + fee) if buy else notional - fee
    book.cash += moved
    legs = {(leg["account"], leg["unit"]): int(leg["amount"]) * ATOM for leg in event["postings"]}
    agent, base = event["agent"], market.listings[product_id]["base_currency"]
    findings.expect(legs.get((f"agent/{agent}/cash", "USD")) == moved, f"{name}: cash leg")
    signed = quantity if buy else -quantity
    findings.expect(legs.get((f"agent/{agent}/position", base)) == signed, f"{name}: base leg")
    held = book.positions.get(product_id, Decimal(0)) + (quantity if buy else -quantity)
    book.positions[product_id] = held
    findings.expect(Decimal(event["position_after"]) == held, f"{name}: position")


def near(text: str, exact: Decimal) -> bool:
    """True if a figure is the exact one, but for its last digit."""
    return abs(Decimal(text) - exact) <= ATOM
