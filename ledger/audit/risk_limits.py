"""Checks, for invariant 4, that no order breached a limit of risk. Pure.

Each buy that filled is measured again from the records: holdings are those of the fills, prices the
bids that its verdict names, limits those that the log sets. Later moves of prices may breach a
limit of exposure; an order may not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from arena.currency import cash_step
from arena.messages import Rules
from arena.money import decimal_text, notional_units, units_text
from arena.risk_limits import RiskLimits
from ledger.audit.decoding import Json, parse_time, prices, units
from ledger.audit.holdings import FillTotals, Owner, owner_of

Expect = Callable[[bool, str, object], object]
"""Reports what was expected and what was found, if it does not hold."""
WHOLE = 10_000
"""100 % in hundredths of a percent."""
DAY_CHARS = len("2026-11-30")


@dataclass(slots=True)
class _Losses:
    """What the limits of one account are measured against.

    Attributes:
        day: UTC day of `entries`, the number of buys that filled on it.
        last_loss: Venue time of the newest sell at a loss; `in_a_row` is how many there were since
            the last one at a profit.
        tripped: The limit of loss that was breached; "" if the account may buy.
        until: Venue time until which it may only sell; None until that is lifted.
    """

    day: str = ""
    entries: int = 0
    last_loss: datetime | None = None
    in_a_row: int = 0
    tripped: str = ""
    until: datetime | None = None


@dataclass(slots=True)
class RiskCheck:
    """The limits of every account, as the log sets them.

    Attributes:
        buys: Number of fills that were measured.
        unknown: Limits that could not be measured again, because a bid is not in the records.
    """

    buys: int = 0
    unknown: int = 0
    _limits: dict[str, RiskLimits] = field(default_factory=dict)
    _losses: dict[Owner, _Losses] = field(default_factory=dict)

    def set_limits(self, event: Json) -> None:
        """Note a `RiskLimitsSet`."""
        agent = event["agent"]
        self._limits[agent] = RiskLimits.from_json(event["limits"])
        if event.get("lift"):
            for owner in self._losses:
                if owner[0] == agent:
                    self._losses[owner] = _Losses()

    def trip(self, event: Json) -> None:
        """Note a `RiskTripped`."""
        losses = self._losses.setdefault(owner_of(event), _Losses())
        losses.tripped = event["limit"]
        losses.until = parse_time(event["until"]) if event.get("until") else None

    def fill(
        self, event: Json, totals: FillTotals, currency: str, rules: Rules | None, expect: Expect
    ) -> None:
        """Measure one fill, and count it.

        Args:
            event: The fill.
            totals: The account after it.
            currency: Currency of the account.
            rules: The rules of the epoch.
            expect: Reports a violation.
        """
        owner = owner_of(event)
        losses = self._losses.setdefault(owner, _Losses())
        limits = self._limits.get(event["agent"])
        if event["action"] == "buy" and (losses.tripped or (limits and limits.text)):
            self.buys += 1
            self._check(event, totals, currency, rules, expect)
        if limits and limits.text:
            _count(event, losses)

    def _check(
        self, event: Json, totals: FillTotals, currency: str, rules: Rules | None, expect: Expect
    ) -> None:
        limits = self._limits.get(event["agent"], RiskLimits())
        verdict = event.get("risk")
        if not expect(verdict is not None, "a verdict about the limits in force", "none"):
            return
        assert verdict is not None
        decision = verdict["decision"]
        expect(decision != "rejected", "an order that risk let pass", decision)
        _check_names(verdict, limits, expect)
        latest = parse_time(event["used"]["event_time"])
        latest += timedelta(milliseconds=int(rules.price_age_s_max * 1000) if rules else 0)
        self._check_pauses(event, limits, latest, expect)
        if limits.max_order_notional is not None:
            most = units(str(limits.max_order_notional)) + cash_step(currency)
            text = f"an order of at most {decimal_text(limits.max_order_notional)} {currency}"
            expect(units(event["notional"]) <= most, text, event["notional"])
        for name, vetoed in (
            ("veto_products", event["product_id"] in limits.veto_products),
            ("veto_actions", "buy" in limits.veto_actions),
        ):
            expect(not vetoed, f"no buy against {name}", f"a buy of {event['product_id']}")
        self._check_exposure(event, totals, limits, verdict, expect)

    def _check_pauses(
        self, event: Json, limits: RiskLimits, latest: datetime, expect: Expect
    ) -> None:
        """Check that no pause was in force, even if venue time was as late as `latest`."""
        losses = self._losses[owner_of(event)]
        found = f"a buy at {event['used']['event_time']}"
        if losses.tripped:
            over = losses.until is not None and latest >= losses.until
            text = f"sells only, {losses.tripped} was breached"
            expect(over, f"{text}, until {losses.until or 'it is lifted'}", found)
        if limits.max_trades_per_day is not None and f"{latest:%Y-%m-%d}" == losses.day:
            text = f"at most {limits.max_trades_per_day} buys on {losses.day}"
            bought = losses.entries + 1
            expect(bought <= limits.max_trades_per_day, text, f"{bought} buys")
        pauses = [("cooldown_after_loss_s", limits.cooldown_after_loss_s)]
        if limits.loss_streak_max is not None and losses.in_a_row >= limits.loss_streak_max:
            pauses.append(("loss_streak_cooldown_s", limits.loss_streak_cooldown_s))
        for name, seconds in pauses:
            if seconds is not None and losses.last_loss is not None:
                end = losses.last_loss + timedelta(seconds=seconds)
                text = f"no buy before {end:%Y-%m-%d %H:%M:%S} by {name}"
                expect(latest >= end, text, found)

    def _check_exposure(
        self, event: Json, totals: FillTotals, limits: RiskLimits, verdict: Json, expect: Expect
    ) -> None:
        bids = verdict.get("bids") or {}
        held = {name: quantity for name, quantity in totals.positions.items() if quantity}
        if not held.keys() <= bids.keys():
            self.unknown += 1
            return
        values = {name: notional_units(held[name], prices(bids[name])) for name in held}
        exposed = sum(values.values())
        equity = totals.cash + totals.scraped + exposed
        scaled, own = limits.scaled, values.get(event["product_id"], 0)
        for name, threshold, value in (
            ("max_symbol_exposure_pct", scaled.symbol, own),
            ("max_portfolio_exposure_pct", scaled.portfolio, exposed),
        ):
            if threshold is not None:
                found = f"{units_text(value)} of {units_text(equity)}"
                text = f"a share of at most {threshold / 100:g} % by {name}"
                expect(value * WHOLE <= threshold * equity, text, found)
        if scaled.cash is not None:
            found = f"{units_text(totals.cash)} of {units_text(equity)}"
            text = f"cash of at least {scaled.cash / 100:g} % by min_cash_pct"
            expect(totals.cash * WHOLE >= scaled.cash * equity, text, found)
        for name, threshold, start in (
            ("max_daily_loss_pct", scaled.daily_loss, units(verdict["day_equity"])),
            ("max_drawdown_pct", scaled.drawdown, units(verdict["peak_equity"])),
        ):
            if threshold is not None and start > 0:
                found = f"{units_text(equity)} of {units_text(start)}"
                text = f"a loss of at most {threshold / 100:g} % by {name}"
                expect((start - equity) * WHOLE <= threshold * start, text, found)


def _check_names(verdict: Json, limits: RiskLimits, expect: Expect) -> None:
    """Check that every limit in force was looked at, at its threshold."""
    looked_at = {check["limit"]: check.get("threshold", "") for check in verdict["checks"]}
    for name, threshold in limits.thresholds.items():
        found = looked_at.get(name, "nothing")
        text = f"a check of {name}" + (f" at {threshold}" if threshold else "")
        expect(name in looked_at and _is_same(found, threshold), text, found)
    breached = [check["limit"] for check in verdict["checks"] if check["state"] == "breached"]
    if verdict["decision"] == "approved":
        expect(not breached, "an approved order within its limits", f"breached {breached}")


def _count(event: Json, losses: _Losses) -> None:
    at = event["used"]["event_time"]
    if (day := at[:DAY_CHARS]) > losses.day:
        losses.day, losses.entries = day, 0
    if event["action"] == "buy":
        losses.entries += 1
    elif (realised := units(event.get("realised"))) < 0:
        losses.in_a_row += 1
        losses.last_loss = parse_time(at)
    elif realised > 0:
        losses.in_a_row = 0


def _is_same(found: str, threshold: str) -> bool:
    """True for the same number, however many zeros it is written with."""
    try:
        return found == threshold or Decimal(found) == Decimal(threshold)
    except InvalidOperation:
        return False
