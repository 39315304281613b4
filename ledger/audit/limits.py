"""Checks invariant 4: the limits of an account hold after every event of the log. Pure.

Cash and positions are never negative; an account starts with the cash of the rules, in each
currency; only a share of a profit is set aside; an order is a multiple of the product's increment,
worth its minimum and settled in the product's quote currency; and a halted agent gets no fill but
those that reduce its risk: exits, and sales of resting limit orders. A halt by an unreadable
record has no time: it starts with the first rejection that names it. No order breaches a limit of
risk (`ledger.audit.risk_limits`), and exits fire when they must (`ledger.audit.exits`).
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from arena import topics
from arena.account_log import STRUCTURAL
from arena.currency import DEFAULT_CURRENCY
from arena.kill_switch import ALL_AGENTS, KillSwitch, key_of
from arena.messages import Halt, Resume
from arena.money import SCALE, units_text
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord, Json, is_fill, parse_time, units
from ledger.audit.exits import ExitsCheck
from ledger.audit.holdings import (
    NOT_KEPT,
    FillTotals,
    Owner,
    fill_moves,
    opening_cash,
    owner_of,
)
from ledger.audit.risk_limits import RiskCheck
from ledger.audit.rules import Listings, RulesInForce

HALT_TAKES_EFFECT = timedelta(seconds=1)
"""How long after a halt was requested an order may still fill."""
CLOCKS_DIFFER = timedelta(seconds=1)
"""The difference to allow between the clocks of the hosts that resume and fill."""
UNREAD = re.compile(r"halted by a record that cannot be read, ([^ ;]+)")
"""Finds the location of the unreadable record in a rejection."""


@dataclass(frozen=True, slots=True)
class _FilledOrder:
    """A fill; `is_rest` if it is a later step of a limit order, for which no minimum holds."""

    location: str
    subject: str
    product_id: str
    quantity: int
    notional: int
    currency: str
    is_rest: bool


@dataclass(slots=True)
class _HaltPeriod:
    scope: str
    location: str
    since: datetime | None = None
    until: datetime | None = None
    named_in: set[int] = field(default_factory=set)
    """Shards in which an order was rejected because of it."""


class LimitsChecker(Checker):
    """Checks the limits at every event."""

    number = 4
    title = "limits hold at every prefix of the log"
    needs = (topics.EVENTS.name, topics.ROSTER.name)
    required_count = "prefixes"

    def __init__(self, scope: Scope) -> None:
        """Start without accounts and halts.

        Args:
            scope: What records will come.
        """
        super().__init__(scope)
        self._holdings: dict[Owner, FillTotals] = {}
        self._shares: dict[str, int] = {}
        self._rules = RulesInForce()
        self._listings = Listings()
        self._switch = KillSwitch()
        self._halts: list[_HaltPeriod] = []
        self._open: defaultdict[str, list[_HaltPeriod]] = defaultdict(list)
        self._unreadable: dict[str, _HaltPeriod] = {}
        self._orders: list[_FilledOrder] = []
        self._currencies: dict[str, str] = {}
        self._risk = RiskCheck()
        self._exits = ExitsCheck(self.expect)

    def take(self, decoded: DecodedRecord) -> None:
        """Note rules, halts and listings; check events."""
        if decoded.topic == topics.ROSTER.name:
            self._rules.take(decoded)
        elif decoded.topic == topics.CONTROL.name:
            self._control(decoded)
        elif decoded.topic == topics.TICKERS.name:
            self._listings.take(decoded)
            if decoded.kind == "Ticker" and decoded.body is not None:
                self._exits.ticker(decoded, decoded.body)
        elif decoded.topic == topics.EVENTS.name and decoded.effective:
            if decoded.kind == "Epoch":
                self._rules.take_epoch(decoded)
            elif self.scope.first(decoded.topic, decoded.record.partition) > 0:
                self.why = NOT_KEPT
            elif decoded.kind == "MarketChecked":
                self._exits.check(decoded, decoded.body or {})
            elif decoded.kind not in STRUCTURAL:
                self._event(decoded)

    def _control(self, decoded: DecodedRecord) -> None:
        noted = self._switch.take(decoded.record)
        if not noted.scope:
            return
        if isinstance(noted.message, Resume):
            for halt in self._open.pop(noted.scope, []):
                halt.until = noted.message.at
            return
        halt = _HaltPeriod(noted.scope, decoded.location)
        if isinstance(noted.message, Halt):
            self.counts["halts"] += 1
            # Its record may have been on its way for a while.
            written = datetime.fromtimestamp(decoded.record.timestamp_ms / 1_000, UTC)
            halt.since = max(noted.message.at, written)
            self._halts.append(halt)
        else:
            self.counts["unreadable halts"] += 1
            self._unreadable[decoded.location] = halt
        self._open[noted.scope].append(halt)

    def _event(self, decoded: DecodedRecord) -> None:
        event = decoded.body or {}
        self.counts["prefixes"] += 1
        if decoded.kind == "AccountOpened":
            self._opened(decoded, event)
        elif decoded.kind == "RiskLimitsSet":
            self._risk.set_limits(event)
        elif decoded.kind == "RiskTripped":
            self._risk.trip(event)
        else:
            self._decided(decoded, event)

    def _decided(self, decoded: DecodedRecord, event: Json) -> None:
        totals = self._holdings.setdefault(owner_of(event), FillTotals())
        if is_fill(event):
            self._fill(decoded, event, totals)
        elif event["reason"] == "halted" and (unread := UNREAD.search(event["detail"])):
            self._apply_unreadable_halt(unread[1], decoded.record.partition)
        self._exits.take(decoded, event, totals)

    def _apply_unreadable_halt(self, location: str, shard: int) -> None:
        """Start a halt by an unreadable record in a shard: an order was rejected because of it."""
        if (halt := self._unreadable.get(location)) is not None:
            if not halt.named_in:
                self._halts.append(halt)
            halt.named_in.add(shard)

    def _opened(self, decoded: DecodedRecord, event: Json) -> None:
        agent, posted = event["agent"], opening_cash(event)
        subject, owner = f"agent {agent}", (agent, "")
        self.expect(
            owner not in self._holdings, decoded.location, subject, "one account", "a second"
        )
        self._holdings[owner] = FillTotals(cash=units(event["cash_usd"]))
        main, *further = posted or [""]
        self._currencies[agent] = main
        for currency in further:
            self._holdings[agent, currency] = FillTotals(cash=posted[currency])
        self._shares[agent] = units(event.get("scrape"))
        rules = self._rules.at(decoded.record.partition, parse_time(event["at"]))
        if rules is not None:
            amounts = {rules.currency: str(rules.starting_cash_usd)}
            amounts |= {currency: str(cash) for currency, cash in sorted(rules.wallets.items())}
            wanted = {currency: units(cash) for currency, cash in amounts.items()}
            text = " and ".join(f"{cash} {currency}" for currency, cash in amounts.items())
            units_posted = {leg["unit"] for leg in event.get("postings") or ()}
            found = {**posted, main: units(event["cash_usd"])}
            same = found == wanted and main == rules.currency and units_posted == wanted.keys()
            said = " ".join([event["cash_usd"], *sorted(units_posted)])
            self.expect(same, decoded.location, subject, f"{text} by the rules", said)

    def _fill(self, decoded: DecodedRecord, event: Json, totals: FillTotals) -> None:
        agent, product_id = event["agent"], event["product_id"]
        subject = f"order {event['order_id']}, agent {agent}"
        self.counts["fills"] += 1
        cash, quantity = fill_moves(event)
        totals.cash += cash
        totals.scraped += units(event.get("scraped"))
        held = totals.positions[product_id] = totals.positions.get(product_id, 0) + quantity
        at_least = "cash of at least 0"
        self.expect(totals.cash >= 0, decoded.location, subject, at_least, units_text(totals.cash))
        at_least = f"a position of at least 0 {product_id}"
        self.expect(held >= 0, decoded.location, subject, at_least, units_text(held))
        self._check_scrape(decoded, event, subject)
        if event["action"] == "buy" or not event.get("cause"):
            self._check_halts(decoded, event, subject)
        self._check_risk(decoded, event, totals, subject)
        notional = units(event["notional"])
        order = _FilledOrder(
            decoded.location,
            subject,
            product_id,
            units(event["quantity"]),
            notional,
            self._currency_of(event),
            event.get("order_type") == "limit" and event.get("step", 0) > 0,
        )
        self._orders.append(order)

    def _check_scrape(self, decoded: DecodedRecord, event: Json, subject: str) -> None:
        scraped, realised = units(event.get("scraped")), units(event.get("realised"))
        most = max(0, realised) * self._shares.get(event["agent"], 0) // SCALE
        text = f"at most {units_text(most)} {self._currency_of(event)} set aside"
        self.expect(0 <= scraped <= most, decoded.location, subject, text, units_text(scraped))

    def _check_risk(
        self, decoded: DecodedRecord, event: Json, totals: FillTotals, subject: str
    ) -> None:
        def expect(holds: bool, text: str, found: object) -> bool:
            return self.expect(holds, decoded.location, subject, text, found)

        rules = self._rules.at(decoded.record.partition, parse_time(event["at"]))
        self._risk.fill(event, totals, self._currency_of(event), rules, expect)

    def _currency_of(self, event: Json) -> str:
        """Return the currency that an order is settled in; that of the rules until it is known."""
        return event.get("currency") or self._currencies.get(event["agent"]) or DEFAULT_CURRENCY

    def _check_halts(self, decoded: DecodedRecord, event: Json, subject: str) -> None:
        at = parse_time(event["at"])
        for halt in self._halts:
            if halt.scope not in (ALL_AGENTS, key_of(event["agent"])):
                continue
            if halt.since is None:
                begun = decoded.record.partition in halt.named_in
                what = f"the rejection by {halt.location}, which cannot be read"
            else:
                begun = at > halt.since + HALT_TAKES_EFFECT
                what = f"the halt at {halt.since:%H:%M:%S}"
            if begun and (halt.until is None or at < halt.until - CLOCKS_DIFFER):
                found = f"a fill at {at:%H:%M:%S}"
                self.expect(False, decoded.location, subject, f"no fill after {what}", found)
                return

    def finish(self) -> None:
        """Check every order against the listings and tickers, which come after the events."""
        self._finish_risk()
        for order in self._orders:
            listings = self._listings.of(order.product_id)
            if not listings:
                continue
            self.counts["steps"] += 1
            fits = any(
                order.quantity > 0
                and order.quantity % base == 0
                and (order.is_rest or order.notional >= least)
                for base, _, least in listings
            )
            worth = f"{units_text(order.notional)} {order.currency}"
            found = f"{units_text(order.quantity)} worth {worth}"
            wanted = f"a multiple of an increment of {order.product_id}, worth its minimum"
            self.expect(fits, order.location, order.subject, wanted, found)
            quotes = self._listings.quotes_of(order.product_id)
            text = f"{order.product_id} settled in {' or '.join(sorted(quotes))}"
            holds = order.currency in quotes
            self.expect(holds, order.location, order.subject, text, order.currency)

    def _finish_risk(self) -> None:
        """Count what was measured against limits of risk, and check where exits fired."""
        unknown = self._exits.finish(
            lambda partition, offset: offset >= self.scope.first(topics.TICKERS.name, partition)
        )
        for name, count in (
            ("buys measured by limits of risk", self._risk.buys),
            ("of them, without the bids of all positions", self._risk.unknown),
            ("exits armed", self._exits.armed),
            ("exits fired", self._exits.fired),
            ("exits cancelled", self._exits.cancelled),
            ("exits whose tickers are not kept", unknown),
        ):
            if count:
                self.counts[name] = count
