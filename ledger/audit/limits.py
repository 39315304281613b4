"""Invariant 4: what an account may do, held at every prefix of the log. Pure.

Cash and positions are never negative; an account begins with the cash of the rules; only a share
of a profit is set aside; an order is of the product's steps and worth its least; and who is halted
gets no fill for as long as that lasts. A halt by a record that cannot be read has no time of its
own: it holds from the first refusal that names it.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from arena import topics
from arena.account_log import STRUCTURAL
from arena.currency import DEFAULT_CURRENCY
from arena.messages import Halt, Resume
from arena.money import SCALE, units_text
from arena.switch import EVERYBODY, Switch, key_of
from ledger.audit.findings import Checker, Scope
from ledger.audit.money import NOT_KEPT, Holding, fill_moves
from ledger.audit.reading import Json, Seen, units, when
from ledger.audit.rules import Listings, RulesInForce

HALT_TAKES_EFFECT = timedelta(seconds=1)
"""An order may still fill so long after a halt was asked for."""
CLOCKS_DIFFER = timedelta(seconds=1)
"""Who resumes and who fills may be two hosts."""
UNREAD = re.compile(r"halted by a record that cannot be read, ([^ ;]+)")
"""In the refusal by a halt that has no time of its own: the place of its record."""


@dataclass(frozen=True, slots=True)
class _Order:
    place: str
    subject: str
    product_id: str
    quantity: int
    notional: int


@dataclass(slots=True)
class _Halted:
    scope: str
    place: str
    since: datetime | None = None
    until: datetime | None = None
    named_in: set[int] = field(default_factory=set)
    """Shards in which an order was refused by it."""


class LimitsChecker(Checker):
    """Walks the fills with nothing but the limits in mind."""

    number = 4
    title = "limits hold at every prefix of the log"
    needs = (topics.EVENTS.name, topics.ROSTER.name)
    counted = "prefixes"

    def __init__(self, scope: Scope) -> None:
        """No account, no halt."""
        super().__init__(scope)
        self._holdings: dict[str, Holding] = {}
        self._shares: dict[str, int] = {}
        self._rules = RulesInForce()
        self._listings = Listings()
        self._switch = Switch()
        self._halted: list[_Halted] = []
        self._open: defaultdict[str, list[_Halted]] = defaultdict(list)
        self._unread: dict[str, _Halted] = {}
        self._orders: list[_Order] = []
        self._currency = DEFAULT_CURRENCY

    def take(self, seen: Seen) -> None:
        """Take in rules, halts, listings and events."""
        if seen.topic == topics.ROSTER.name:
            self._rules.take(seen)
        elif seen.topic == topics.CONTROL.name:
            self._control(seen)
        elif seen.topic == topics.TICKERS.name:
            self._listings.take(seen)
        elif seen.topic == topics.EVENTS.name and seen.effective:
            if seen.kind == "Epoch":
                self._rules.take_epoch(seen)
            elif self.scope.first(seen.topic, seen.record.partition) > 0:
                self.why = NOT_KEPT
            elif seen.kind not in STRUCTURAL:
                self._event(seen)

    def _control(self, seen: Seen) -> None:
        noted = self._switch.take(seen.record)
        if not noted.scope:
            return
        if isinstance(noted.message, Resume):
            for halted in self._open.pop(noted.scope, []):
                halted.until = noted.message.at
            return
        halted = _Halted(noted.scope, seen.place)
        if isinstance(noted.message, Halt):
            self.looked["halts"] += 1
            halted.since = noted.message.at
            self._halted.append(halted)
        else:
            self.looked["unreadable halts"] += 1
            self._unread[seen.place] = halted
        self._open[noted.scope].append(halted)

    def _event(self, seen: Seen) -> None:
        event = seen.body or {}
        agent = event["agent"]
        self.looked["prefixes"] += 1
        if seen.kind == "AccountOpened":
            self._opened(seen, event)
        elif event["outcome"] == "filled":
            self._fill(seen, event, self._holdings.setdefault(agent, Holding()))
        elif event["reason"] == "halted" and (unread := UNREAD.search(event["detail"])):
            self._obey(unread[1], seen.record.partition)

    def _obey(self, place: str, shard: int) -> None:
        """An order was refused by an unreadable record: from here on it holds in this shard."""
        if (halted := self._unread.get(place)) is not None:
            if not halted.named_in:
                self._halted.append(halted)
            halted.named_in.add(shard)

    def _opened(self, seen: Seen, event: Json) -> None:
        agent, cash = event["agent"], units(event["cash_usd"])
        subject = f"agent {agent}"
        self.expect(agent not in self._holdings, seen.place, subject, "one account", "a second")
        self._holdings[agent] = Holding(cash=cash)
        self._shares[agent] = units(event.get("scrape"))
        rules = self._rules.at(seen.record.partition, when(event["at"]))
        if rules is not None:
            wanted = rules.starting_cash_usd
            found = event["cash_usd"]
            text = f"{wanted} {rules.currency} by the rules"
            self._currency = rules.currency
            posted = {leg["unit"] for leg in event.get("postings") or ()}
            same = units(found) == units(str(wanted)) and posted == {rules.currency}
            self.expect(same, seen.place, subject, text, f"{found} {' '.join(sorted(posted))}")

    def _fill(self, seen: Seen, event: Json, holding: Holding) -> None:
        agent, product_id = event["agent"], event["product_id"]
        subject = f"order {event['order_id']}, agent {agent}"
        self.looked["fills"] += 1
        cash, quantity = fill_moves(event)
        holding.cash += cash
        held = holding.positions[product_id] = holding.positions.get(product_id, 0) + quantity
        at_least = "cash of at least 0"
        self.expect(holding.cash >= 0, seen.place, subject, at_least, units_text(holding.cash))
        at_least = f"a position of at least 0 {product_id}"
        self.expect(held >= 0, seen.place, subject, at_least, units_text(held))
        self._scrape(seen, event, subject)
        self._halt(seen, event, subject)
        notional = units(event["notional"])
        order = _Order(seen.place, subject, product_id, units(event["quantity"]), notional)
        self._orders.append(order)

    def _scrape(self, seen: Seen, event: Json, subject: str) -> None:
        scraped, realised = units(event.get("scraped")), units(event.get("realised"))
        most = max(0, realised) * self._shares.get(event["agent"], 0) // SCALE
        text = f"at most {units_text(most)} {self._currency} set aside"
        self.expect(0 <= scraped <= most, seen.place, subject, text, units_text(scraped))

    def _halt(self, seen: Seen, event: Json, subject: str) -> None:
        at = when(event["at"])
        for halted in self._halted:
            if halted.scope not in (EVERYBODY, key_of(event["agent"])):
                continue
            if halted.since is None:
                begun = seen.record.partition in halted.named_in
                what = f"the refusal by {halted.place}, which cannot be read"
            else:
                begun = at > halted.since + HALT_TAKES_EFFECT
                what = f"the halt at {halted.since:%H:%M:%S}"
            if begun and (halted.until is None or at < halted.until - CLOCKS_DIFFER):
                found = f"a fill at {at:%H:%M:%S}"
                self.expect(False, seen.place, subject, f"no fill after {what}", found)
                return

    def finish(self) -> None:
        """Hold every order against the listings, which come after the events."""
        for order in self._orders:
            listings = self._listings.of(order.product_id)
            if not listings:
                continue
            self.looked["steps"] += 1
            fits = any(
                order.quantity > 0 and order.quantity % base == 0 and order.notional >= least
                for base, _, least in listings
            )
            worth = f"{units_text(order.notional)} {self._currency}"
            found = f"{units_text(order.quantity)} worth {worth}"
            wanted = f"a multiple of a step of {order.product_id}, worth its least"
            self.expect(fits, order.place, order.subject, wanted, found)
