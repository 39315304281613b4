"""Checks invariant 5: every fill's price is in `market.tickers`, fresh and in the collar. Pure.

A fill names the ticker it was priced with. That record must be there, with that product and those
prices; the rules of the epoch give the maximum age, the collar around the price that the agent saw,
the slippage and the fee.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from arena import topics
from arena.currency import cash_step
from arena.messages import Rules, Ticker
from arena.money import (
    BPS,
    PriceUnits,
    cash_notional_units,
    fee_units,
    notional_units,
    price_difference,
    price_text,
    slip_price,
    to_price_units,
    units_text,
)
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import (
    DecodedRecord,
    Json,
    is_fill,
    location_of,
    parse_time,
    prices,
    units,
)
from ledger.audit.rules import Listings, RulesInForce

TICKERS = topics.TICKERS.name
TRIGGERED = "triggered"


@dataclass(slots=True)
class _Fill:
    """A fill, and its tickers.

    Attributes:
        quote: The ticker it names.
        newest: Offset of the product's newest ticker in its agent's snapshot; -1 for none.
        clock: The newest venue time of the market at the end of that snapshot.
        limit: The limit price of a limit order; None for other orders.
    """

    location: str
    subject: str
    event: Json
    rules: Rules | None
    quote: Ticker | None = None
    newest: int = -1
    clock: datetime | None = None
    limit: PriceUnits | None = None

    @property
    def at_limit(self) -> PriceUnits | None:
        """The limit that a resting order filled at, after the market had traded through it."""
        return self.limit if self.event.get("cause") == TRIGGERED else None


class PricesChecker(Checker):
    """Finds the ticker of every fill, and recomputes the fill from it."""

    number = 5
    title = "every fill's price is in market.tickers"
    needs = (topics.EVENTS.name, TICKERS, topics.ROSTER.name)
    required_count = "fills"

    def __init__(self, scope: Scope) -> None:
        """Start without fills.

        Args:
            scope: What records will come.
        """
        super().__init__(scope)
        self._rules = RulesInForce()
        self._listings = Listings()
        self._ends: dict[str, dict[int, int]] = {}
        self._fills: list[_Fill] = []
        self._named: dict[tuple[int, int], list[_Fill]] = defaultdict(list)
        self._bounds: dict[tuple[int, int], list[_Fill]] = defaultdict(list)
        self._newest: dict[str, int] = {}
        self._limits: dict[str, PriceUnits] = {}
        self._clock: datetime | None = None

    def take(self, decoded: DecodedRecord) -> None:
        """Collect fills, then find their tickers."""
        if decoded.topic == topics.ROSTER.name:
            self._rules.take(decoded)
        elif decoded.topic == topics.COMMANDS.name:
            self._command(decoded)
        elif decoded.topic == topics.EVENTS.name and decoded.effective:
            self._event(decoded)
        elif decoded.topic == TICKERS:
            self._listings.take(decoded)
            self._ticker(decoded)

    def _command(self, decoded: DecodedRecord) -> None:
        body = decoded.body or {}
        if decoded.kind == "ToolCall" and body.get("ticker_offsets"):
            ends = {int(p): int(end) for p, end in body["ticker_offsets"].items()}
            self._ends.setdefault(str(body.get("call_id")), ends)

    def _event(self, decoded: DecodedRecord) -> None:
        event = decoded.body or {}
        if decoded.kind == "Epoch":
            self._rules.take_epoch(decoded)
            return
        ends = self._ends.pop(event.get("order_id", ""), {})
        if limit := (event.get("terms") or {}).get("limit_price"):
            self._limits[event["order_id"]] = prices(limit)
        if not is_fill(event):
            return
        self.counts["fills"] += 1
        subject = f"order {event['order_id']}, agent {event['agent']}"
        used = event["used"]
        if not self.expect(used is not None, decoded.location, subject, "a price used", "none"):
            return
        location = (used["partition"], used["offset"])
        end = ends.get(used["partition"], 0)
        rules = self._rules.at(decoded.record.partition, parse_time(event["at"]))
        limit = self._limits.get(event["order_id"])
        fill = _Fill(decoded.location, subject, event, rules, limit=limit)
        self._fills.append(fill)
        self._named[location].append(fill)
        if end:
            self._bounds[used["partition"], end].append(fill)

    def _ticker(self, decoded: DecodedRecord) -> None:
        record = decoded.record
        self._set_bounds(record.partition, record.offset)
        body = decoded.body
        if decoded.kind != "Ticker" or body is None:
            return
        self.counts["tickers"] += 1
        self._newest[body["product_id"]] = record.offset
        event_time = parse_time(body["event_time"])
        self._clock = event_time if self._clock is None else max(event_time, self._clock)
        for fill in self._named.get((record.partition, record.offset), ()):
            ticker = record.message()
            fill.quote = ticker if isinstance(ticker, Ticker) else None

    def _set_bounds(self, partition: int, offset: int) -> None:
        """Set the newest tickers of the snapshots that end at this offset."""
        for fill in self._bounds.pop((partition, offset), ()):
            fill.newest = self._newest.get(fill.event["product_id"], -1)
            fill.clock = self._clock

    def finish(self) -> None:
        """Recompute every fill."""
        for partition in self.scope.spans.get(TICKERS, {}):
            self._set_bounds(partition, self.scope.end(TICKERS, partition))
        for fill in self._fills:
            self._check(fill)

    def _check(self, fill: _Fill) -> None:
        used, product_id = fill.event["used"], fill.event["product_id"]
        partition, offset = used["partition"], used["offset"]
        location, ticker = location_of(TICKERS, partition, offset), fill.quote
        if ticker is None:
            if offset < self.scope.first(TICKERS, partition):
                self.counts["tickers no longer kept"] += 1
                return
            if self.scope.live and offset >= self.scope.end(TICKERS, partition):
                self.counts["tickers newer than these records"] += 1
                return
            text = f"a ticker of {product_id} at {location}"
            self.expect(False, fill.location, fill.subject, text, "none")
            return
        recorded = (
            product_id,
            prices(used["bid"]),
            prices(used["ask"]),
            parse_time(used["event_time"]),
        )
        bid, ask = to_price_units(ticker.best_bid), to_price_units(ticker.best_ask)
        found = (ticker.product_id, bid, ask, ticker.event_time)
        expected = f"{product_id} {used['bid']}/{used['ask']} at {location}"
        text = f"{ticker.product_id} {ticker.best_bid}/{ticker.best_ask}"
        if not self.expect(recorded == found, fill.location, fill.subject, expected, text):
            return
        newest = f"a ticker as new as {location_of(TICKERS, partition, fill.newest)}"
        self.expect(offset >= fill.newest, fill.location, fill.subject, newest, location)
        if fill.rules is None:
            self.counts["fills without known rules"] += 1
            return
        self._check_age(fill, ticker, fill.rules)
        best = ask if fill.event["action"] == "buy" else bid
        self._check_limit(fill, best)
        self._check_collar(fill, best, fill.rules)
        self._check_money(fill, fill.at_limit or best, fill.rules)

    def _check_limit(self, fill: _Fill, best: PriceUnits) -> None:
        """Check that a limit order paid no worse than its limit, and that the market went there."""
        limit, recorded, buy = (
            fill.limit,
            prices(fill.event["price"]),
            fill.event["action"] == "buy",
        )
        if limit is None:
            return
        self.counts["fills of limit orders"] += 1
        text = f"a price no worse than its limit of {price_text(limit)}"
        holds = recorded <= limit if buy else recorded >= limit
        self.expect(holds, fill.location, fill.subject, text, fill.event["price"])
        through = (best < limit if buy else best > limit) if fill.at_limit else True
        text = f"a market that traded through {price_text(limit)}"
        self.expect(through, fill.location, fill.subject, text, price_text(best))

    def _check_age(self, fill: _Fill, ticker: Ticker, rules: Rules) -> None:
        """Check that the recorded age of a price is right, and no more than the rules allow.

        In lock-step it is measured by the clock of the market, which may have passed the snapshot
        if the turn was late: then the age is this or more.
        """
        event, recorded_ms = fill.event, fill.event["used"]["age_ms"]
        alive_at = max(ticker.received_at, ticker.confirmed_at or ticker.received_at)
        lock_step = rules.pacing == "lock-step"
        now = (fill.clock or alive_at) if lock_step else parse_time(event["at"])
        age_ms = max(0, int((now - alive_at).total_seconds() * 1000))
        holds = recorded_ms >= age_ms if lock_step else recorded_ms == age_ms
        self.expect(
            holds, fill.location, fill.subject, f"an age of {age_ms} ms", f"{recorded_ms} ms"
        )
        most_ms = int(rules.price_age_s_max * 1000)
        text = f"a price at most {most_ms} ms old"
        self.expect(recorded_ms <= most_ms, fill.location, fill.subject, text, f"{recorded_ms} ms")

    def _check_collar(self, fill: _Fill, best: PriceUnits, rules: Rules) -> None:
        event = fill.event
        if event["seen"] is None:
            self.counts["fills of agents that saw no price"] += 1
            return
        side = 1 if event["action"] == "buy" else -1
        seen = prices(event["seen"]["ask" if side > 0 else "bid"])
        lost = side * notional_units(units(event["quantity"]), price_difference(best, seen))
        self._compare(fill, "latency cost", lost, event["latency_cost"])
        if fill.limit is not None:
            return
        within = abs(best - seen) * BPS * BPS <= int(rules.collar_bps * BPS) * seen
        text = f"at most {rules.collar_bps} bps from {price_text(seen)} seen"
        self.expect(within, fill.location, fill.subject, text, price_text(best))

    def _check_money(self, fill: _Fill, best: PriceUnits, rules: Rules) -> None:
        event = fill.event
        quantity, recorded = units(event["quantity"]), prices(event["price"])
        up = event["action"] == "buy"
        slipped = [
            slip_price(best, rules.slippage_bps, increment, up=up)
            for _, increment, _ in self._listings.of(event["product_id"])
        ]
        if fill.limit is not None:
            within, at_limit = (min if up else max), fill.at_limit
            slipped = [at_limit or within(price, fill.limit) for price in slipped]
        if slipped:
            self.counts["prices computed again"] += 1
            text = f"a price of {price_text(slipped[-1])}"
            holds = recorded in slipped
            self.expect(holds, fill.location, fill.subject, text, event["price"])
        step = cash_step(event.get("currency") or rules.currency)
        notional = cash_notional_units(quantity, recorded, step)
        self._compare(fill, "notional", notional, event["notional"])
        self._compare(fill, "fee", fee_units(notional, rules.fee_bps, step), event["fee"])
        lost = (1 if up else -1) * notional_units(quantity, price_difference(recorded, best))
        self._compare(fill, "slippage", lost, event["slippage"])

    def _compare(self, fill: _Fill, name: str, wanted: int, recorded: str) -> None:
        text = f"a {name} of {units_text(wanted)}"
        self.expect(units(recorded) == wanted, fill.location, fill.subject, text, recorded)
