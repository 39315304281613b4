"""Checks, for invariant 4, that exits fired at the first price that met them, and only then. Pure.

An exit fires at the first ticker after it was placed that meets its level, and sells there or, if
that is too old to trade on, at the first fresh one; `MarketChecked` names those that wait for it.
When its position is closed by anything, it is cancelled before the agent's next order is decided.
That none fires twice follows from the chain: a step after the last one does not count.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from arena.messages.orders import EXIT_TYPES
from arena.money import PriceUnits, price_text
from arena.open_orders import trailing_level
from ledger.audit.decoding import (
    DecodedRecord,
    Json,
    call_decided_by,
    is_fill,
    location_of,
    parse_time,
    prices,
)
from ledger.audit.holdings import FillTotals, Owner, owner_of

Report = Callable[[bool, str, str, str, object], object]
"""Reports location, subject, what was expected and what was found, if it does not hold."""
OPEN = "accepted"
TIMES_DIFFER = timedelta(seconds=5)
"""The difference to allow between a venue's clock and the time of a snapshot."""


@dataclass(slots=True)
class _Exit:
    """An exit that was armed.

    Attributes:
        placed: Partition and offset of the ticker after which it can fire.
        peak: The highest bid since then.
        fired: Partition and offset of the ticker that met its level; None if it did not fire.
        watched_to: Offset before which the owner had checked all tickers when it was closed.
        fired_at: Venue time of that ticker.
        waits: True if a check named it as triggered.
        met: Offset of the first ticker that met its level, as this check found it.
    """

    location: str
    subject: str
    shard: int
    product_id: str
    order_type: str
    trigger: PriceUnits
    trailing_pct: str
    exits_at: str
    placed: tuple[int, int]
    peak: PriceUnits
    fired: tuple[int, int] | None = None
    fired_at: str = ""
    watched_to: int = 0
    waits: bool = False
    met: int | None = None

    def take(self, bid: PriceUnits, offset: int) -> None:
        """Note a ticker: whether it is the first that meets the level."""
        if self.met is None and self._is_met(bid):
            self.met = offset

    def _is_met(self, bid: PriceUnits) -> bool:
        if self.order_type == "trailing_stop":
            self.peak = max(self.peak, bid)
            return bid <= trailing_level(self.peak, self.trailing_pct)
        if self.order_type == "take_profit":
            return bid >= self.trigger
        return bid <= self.trigger

    @property
    def level(self) -> PriceUnits:
        """The bid at which it fires now."""
        if self.order_type == "trailing_stop":
            return trailing_level(self.peak, self.trailing_pct)
        return self.trigger


@dataclass(slots=True)
class ExitsCheck:
    """The exits of all agents.

    Attributes:
        report: Reports a violation.
        armed, fired, cancelled: How many.
    """

    report: Report
    armed: int = 0
    fired: int = 0
    cancelled: int = 0
    _open: dict[Owner, dict[str, _Exit]] = field(default_factory=lambda: defaultdict(dict))
    _closed: list[_Exit] = field(default_factory=list)
    _checked: dict[int, dict[int, int]] = field(default_factory=dict)
    _due: dict[int, list[tuple[DecodedRecord, _Exit]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _watches_open: bool = False
    _watched: dict[tuple[str, int], list[_Exit]] = field(default_factory=lambda: defaultdict(list))

    def take(self, decoded: DecodedRecord, event: Json, totals: FillTotals) -> None:
        """Note an `OrderDecided`, after its fill was added to the account.

        Args:
            decoded: Its record.
            event: Its body.
            totals: The account after it.
        """
        if call_decided_by(event):
            self._check_closed(decoded, event, totals)
        if event.get("order_type") not in EXIT_TYPES:
            return
        order_id = event["order_id"]
        if event["outcome"] == OPEN:
            self._arm(decoded, event)
            return
        known = self._open[owner_of(event)].pop(order_id, None)
        if known is None:
            return
        shard = decoded.record.partition
        if not is_fill(event):
            self.cancelled += 1
            self._watch(known, self._checked.get(shard, {}).get(known.placed[0], 0))
            return
        self.fired += 1
        trigger = event.get("trigger")
        if not self._expect(
            decoded, known, trigger is not None, "a ticker that triggered it", "none"
        ):
            return
        assert trigger is not None
        known.fired = trigger["partition"], trigger["offset"]
        known.fired_at = str(trigger.get("event_time") or "")
        known.location = decoded.location
        self._expect(decoded, known, event["action"] == "sell", "a sell", event["action"])
        if known.order_type == "time_exit":
            self._due[shard].append((decoded, known))
        elif known.placed[0] == trigger["partition"]:
            self._watch(known, trigger["offset"] + 1)

    def _watch(self, known: _Exit, end: int) -> None:
        """Compare an exit with the tickers from its placing up to an offset, when they come."""
        known.watched_to = end
        if known.order_type != "time_exit" and end > known.placed[1] + 1:
            self._closed.append(known)
            self._watched[known.product_id, known.placed[0]].append(known)

    def check(self, decoded: DecodedRecord, body: Json) -> None:
        """Note a `MarketChecked`: time exits that fired before it were due.

        By its venue time, or by that of the ticker at which they fired: outside lock-step an owner
        may read a ticker before an earlier snapshot.
        """
        shard = decoded.record.partition
        self._checked[shard] = {int(number): end for number, end in body["offsets"].items()}
        as_of = parse_time(body["as_of"]) + TIMES_DIFFER
        for where, known in self._due.pop(shard, ()):
            due = parse_time(known.exits_at)
            holds = as_of >= due or (bool(known.fired_at) and parse_time(known.fired_at) >= due)
            text = f"a fill from {known.exits_at} on"
            self._expect(where, known, holds, text, f"before {body['as_of']}")
        if waiting := body.get("waiting"):
            for orders in self._open.values():
                for order_id in waiting.keys() & orders.keys():
                    orders[order_id].waits = True

    def _expect(
        self, decoded: DecodedRecord, known: _Exit, holds: bool, text: str, found: object
    ) -> bool:
        self.report(holds, decoded.location, known.subject, text, found)
        return holds

    def _arm(self, decoded: DecodedRecord, event: Json) -> None:
        self.armed += 1
        terms, used = event.get("terms") or {}, event.get("used") or {}
        self._open[owner_of(event)][event["order_id"]] = _Exit(
            location=decoded.location,
            subject=f"{event['order_type']} {event['order_id']}, agent {event['agent']}",
            shard=decoded.record.partition,
            product_id=event["product_id"],
            order_type=event["order_type"],
            trigger=prices(terms.get("trigger_price")),
            trailing_pct=terms.get("trailing_pct") or "",
            exits_at=terms.get("exits_at") or "",
            placed=tuple(terms.get("placed_after") or (0, -1)),
            peak=prices(used.get("bid")),
        )

    def _check_closed(self, decoded: DecodedRecord, event: Json, totals: FillTotals) -> None:
        """Check before a decision that each exit has a position, and that types differ."""
        of_type = set[tuple[str, str]]()
        traded = event["product_id"] if is_fill(event) else ""
        for order_id, known in self._open[owner_of(event)].items():
            if order_id == event["order_id"]:
                continue
            is_open = totals.positions.get(known.product_id, 0) > 0 or known.product_id == traded
            text = "an exit of a position that is open"
            self._expect(decoded, known, is_open, text, f"{known.product_id} is not held")
            kind = (known.product_id, known.order_type)
            text = f"one {known.order_type} of {known.product_id}"
            self._expect(decoded, known, kind not in of_type, text, "two")
            of_type.add(kind)

    def ticker(self, decoded: DecodedRecord, body: Json) -> None:
        """Note a ticker, which comes after all events."""
        if not self._watches_open:
            self._watches_open = True
            for orders in self._open.values():
                for one in orders.values():
                    self._watch(one, self._checked.get(one.shard, {}).get(one.placed[0], 0))
        place = (body["product_id"], decoded.record.partition)
        watching = self._watched.get(place)
        if not watching:
            return
        bid, ask = prices(body["best_bid"]), prices(body["best_ask"])
        if not 0 < bid <= ask:
            return
        offset, rest = decoded.record.offset, list[_Exit]()
        for one in watching:
            if one.placed[1] < offset < one.watched_to:
                one.take(bid, offset)
            if offset + 1 < one.watched_to:
                rest.append(one)
        self._watched[place] = rest

    def finish(self, is_kept: Callable[[int, int], bool]) -> int:
        """Compare where exits fired with where they had to, open ones as far as they were checked.

        Args:
            is_kept: True if the tickers from a partition and offset on are in the records.

        Returns:
            The number of exits whose tickers are not there.
        """
        unknown = 0
        for one in self._closed:
            partition = one.placed[0]
            if not is_kept(partition, one.placed[1] + 1):
                unknown += 1
                continue
            if one.fired is None:
                place = location_of("market.tickers", partition, one.met or 0)
                text = f"a fill after {place} met its level"
                self.report(one.met is None or one.waits, one.location, one.subject, text, "none")
                continue
            offset = one.fired[1]
            first = location_of("market.tickers", partition, offset)
            text = f"the first ticker that meets its level to be {first}"
            met = one.met
            found = (
                f"{partition}@{met}"
                if met is not None
                else f"none up to it ({price_text(one.level)})"
            )
            self.report(met == offset, one.location, one.subject, text, found)
        return unknown
