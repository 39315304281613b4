"""Cash, positions and prices, computed a second time in `Decimal` from the raw records."""

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from decimal import Decimal

from operations.storm.checker_records import (
    ExecutorSettings,
    Findings,
    Json,
    RecomputedAccount,
    TopicRecord,
    parse,
)
from operations.storm.checker_refusals import (
    ATOM,
    HaltedScopes,
    age_ms,
    check_reason,
    notional_and_fee,
    read_order,
    slipped,
)

CURRENCY = "USD"
"""The only currency of a storm's accounts: its executors give them no wallets."""


class MarketRecords:
    """Tickers by partition and offset, and listings by product."""

    def __init__(self, records: list[TopicRecord]) -> None:
        """Index the records of `market.tickers`."""
        self.tickers: dict[tuple[int, int], Json] = {}
        self.listings: dict[str, Json] = {}
        self.offsets_of: dict[tuple[str, int], list[int]] = defaultdict(list)
        for raw in records:
            body = parse(raw.value)
            if body is None or "product_id" not in body:
                continue
            if raw.kind == "Ticker":
                self.tickers[raw.partition, raw.offset] = body
                self.offsets_of[body["product_id"], raw.partition].append(raw.offset)
            elif raw.kind == "Product":
                self.listings[body["product_id"]] = body

    def newest_before(self, product_id: str, offsets: Json) -> int:
        """Return the offset of a product's newest ticker before the given ends, or -1."""
        found = -1
        for partition, end in offsets.items():
            offsets_there = self.offsets_of.get((product_id, int(partition)), [])
            if count := bisect_left(offsets_there, end):
                found = max(found, offsets_there[count - 1])
        return found


NOT_RECOMPUTED = frozenset({"RiskLimitsSet", "RiskTripped", "MarketChecked"})
LIVES = ("step", "order_type", "terms", "exits", "cause", "risk")
"""Fields that only limit orders and exits, and orders under limits of risk, have."""
LIVING = (
    "a storm sends market orders without exits to executors without limits; this checker does not"
    " recompute others (`arena audit verify` does)"
)


def check_money(
    effective: list[Json],
    commands: dict[str, list[tuple[int, Json]]],
    market: MarketRecords,
    terms: ExecutorSettings,
    halts: HaltedScopes,
    findings: Findings,
) -> dict[str, RecomputedAccount]:
    """Compute cash and positions from the fills, and compare them after every event."""
    accounts: dict[str, RecomputedAccount] = {}
    totals: Counter[str] = Counter()
    for event in effective:
        name = f"seq {event['seq']}"
        if event["kind"] in NOT_RECOMPUTED or any(event.get(key) for key in LIVES):
            findings.add(f"{name}: {LIVING}")
            continue
        check_postings(event, totals, findings)
        if event["kind"] == "AccountOpened":
            findings.expect(event["agent"] not in accounts, f"{name}: opened twice")
            findings.expect(Decimal(event["cash_usd"]) == terms.cash, f"{name}: other cash")
            opened_in = {leg["unit"] for leg in event["postings"]}
            findings.expect(opened_in == {CURRENCY}, f"{name}: opened in {sorted(opened_in)}")
            accounts[event["agent"]] = RecomputedAccount(terms.cash)
        account = accounts.get(event["agent"])
        if account is None:
            findings.add(f"{name}: {event['agent']} has no account")
            continue
        if event["kind"] == "OrderDecided":
            if event["order_id"] not in commands:
                continue  # reported by `check_terminal`
            call = commands[event["order_id"]][0][1]
            check_command_fields(event, call, name, findings)
            findings.expect(not event.get("currency"), f"{name}: settled in a wallet")
            findings.counts[event["outcome"]] += 1
            order = read_order(call["arguments"])
            product_id = "" if order is None else order.product_id
            findings.expect(event["product_id"] == product_id, f"{name}: another product")
            money = account.cash, account.positions.get(product_id, Decimal(0))
            ticker = check_price(event, market, findings)
            listing = market.listings.get(product_id)
            check_reason(event, call, ticker, listing, money, terms, halts, findings)
            if event["outcome"] == "filled":
                check_fill(event, call, account, market, terms, findings)
            else:
                findings.counts[f"rejected_{event['reason']}"] += 1
                findings.expect(event["postings"] == [], f"{name}: a rejection with postings")
            findings.expect(Decimal(event["cash_after"]) == account.cash, f"{name}: cash differs")
        findings.expect(account.cash >= 0, f"{name}: cash {account.cash}")
        findings.expect(all(q >= 0 for q in account.positions.values()), f"{name}: short")
        account.note(event["source"]["offset"])
    return accounts


def check_command_fields(event: Json, call: Json, name: str, findings: Findings) -> None:
    """Check that the event has the fields of its command."""
    for key in ("agent", "turn_id", "round", "index", "snapshot_id", "issued_at"):
        findings.expect(event[key] == call[key], f"{name}: {key} is not the command's")


def check_postings(event: Json, totals: Counter[str], findings: Findings) -> None:
    """Check that the legs of an event, and of all events together, sum to zero per unit."""
    sums: Counter[str] = Counter()
    for leg in event["postings"]:
        sums[leg["unit"]] += int(leg["amount"])
        totals[leg["unit"]] += int(leg["amount"])
    findings.expect(not any(sums.values()), f"seq {event['seq']}: postings sum to {dict(sums)}")
    findings.expect(not any(totals.values()), f"seq {event['seq']}: all postings {dict(totals)}")


def check_price(event: Json, market: MarketRecords, findings: Findings) -> Json | None:
    """Check that the price of an event was in the market, and its age.

    Returns:
        The ticker of the price, or None if the event names none.
    """
    name, used, product_id = f"seq {event['seq']}", event["used"], event["product_id"]
    if used is None:
        findings.expect(event["outcome"] != "filled", f"{name}: filled without a price")
        return None
    ticker = market.tickers.get((used["partition"], used["offset"]))
    if ticker is None or ticker["product_id"] != product_id:
        findings.add(f"{name}: no ticker of {product_id} at {used['offset']}")
        return None
    same = (ticker["best_bid"], ticker["best_ask"], ticker["event_time"])
    findings.expect(same == (used["bid"], used["ask"], used["event_time"]), f"{name}: quote")
    age = age_ms(event, ticker)
    findings.expect(used["age_ms"] == age, f"{name}: age {age} ms")
    return ticker


def check_fill(
    event: Json,
    call: Json,
    account: RecomputedAccount,
    market: MarketRecords,
    terms: ExecutorSettings,
    findings: Findings,
) -> None:
    """Check that a fill has the price of a real ticker, and the amounts that follow from it."""
    name = f"seq {event['seq']}"
    buy = event["action"] == "buy"
    order = json.loads(call["arguments"], parse_float=Decimal, parse_int=Decimal)
    product_id, quantity = order["product_id"], Decimal(order["quantity"])
    findings.expect(Decimal(event["quantity"]) == quantity, f"{name}: another quantity")
    findings.expect(event["action"] == order["action"], f"{name}: another action")
    used = event["used"]
    if used is None or (used["partition"], used["offset"]) not in market.tickers:
        return  # reported by `check_price`
    newest_seen = market.newest_before(product_id, call["ticker_offsets"])
    findings.expect(used["offset"] >= newest_seen, f"{name}: the price is older than the snapshot")
    best = Decimal(used["ask"] if buy else used["bid"])
    seen = call["quotes_seen"].get(product_id)
    if seen is not None:
        was = Decimal(seen["ask"] if buy else seen["bid"])
        lost = (best - was if buy else was - best) * quantity
        findings.expect(is_near(event["latency_cost"], lost), f"{name}: latency cost")
    price = slipped(best, terms.slippage_bps, market.listings[product_id], buy)
    findings.expect(
        Decimal(event["price"]) == price, f"{name}: price {event['price']}, not {price}"
    )
    notional, fee = notional_and_fee(price, quantity, terms.fee_bps)
    findings.expect(Decimal(event["notional"]) == notional, f"{name}: notional")
    findings.expect(Decimal(event["fee"]) == fee, f"{name}: fee {event['fee']}, not {fee}")
    lost = (price - best if buy else best - price) * quantity
    findings.expect(is_near(event["slippage"], lost), f"{name}: slippage")
    moved = -(notional + fee) if buy else notional - fee
    account.cash += moved
    legs = {(leg["account"], leg["unit"]): int(leg["amount"]) * ATOM for leg in event["postings"]}
    agent, base = event["agent"], market.listings[product_id]["base_currency"]
    findings.expect(legs.get((f"agent/{agent}/cash", CURRENCY)) == moved, f"{name}: cash leg")
    signed = quantity if buy else -quantity
    findings.expect(legs.get((f"agent/{agent}/position", base)) == signed, f"{name}: base leg")
    held = account.positions.get(product_id, Decimal(0)) + (quantity if buy else -quantity)
    account.positions[product_id] = held
    findings.expect(Decimal(event["position_after"]) == held, f"{name}: position")


def is_near(text: str, exact: Decimal) -> bool:
    """True if a figure is exact, except for its last digit."""
    return abs(Decimal(text) - exact) <= ATOM
