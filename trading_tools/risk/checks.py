"""Measures an order by each limit in force. Pure, in integers.

Percentages are hundredths of a percent: values rounded against the order, so that a printed value
is above the limit if and only if the limit is breached.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from arena.messages.orders import CheckState
from arena.money import AMOUNT_MAX, BPS, PRICE_SCALE, SCALE, divide_up, units_text
from arena.risk_limits import REMEMBERED, RiskLimits, ScaledLimits
from trading_tools.risk.inputs import RiskInputs

RATE_SCALE: Final = PRICE_SCALE * BPS * BPS
"""Costs per base unit are in units of 10^-8 of cash times this."""
WHOLE: Final = 10_000
"""100 % in hundredths of a percent."""
ROUNDING_STEPS: Final = 2
"""Steps of cash by which rounding can raise the cost of an order: of the notional, of the fee."""
UNLIMITED: Final = 10**30
"""Stands for the largest quantity that passes, for limits that are not breached."""
TEXTS_REMEMBERED: Final = 20_000
"""Texts of percentages that are kept: every one from 0 to 100 %, and as many others."""
SHOWN_MAX: Final = 10**19 - 1
"""A larger percentage, in hundredths, is shown as this one: records hold 18 digits before the
point, and an order may ask for any quantity."""
NEAR_PCT: Final = 80
"""Share of a limit above which an order is near it."""


class Check(NamedTuple):
    """One limit, measured.

    Attributes:
        threshold, before, after: As text; "" if there is none.
        detail: Why it is unknown, or what stops the order.
        most: Of a breached limit, the largest quantity that passes; 0 or less if none does.
    """

    limit: str
    state: CheckState
    threshold: str = ""
    before: str = ""
    after: str = ""
    detail: str = ""
    most: int = UNLIMITED


@dataclass(slots=True)
class Measures:
    """What an order of one base unit (10^-8) costs, in 10^-8 of cash times `RATE_SCALE`.

    Attributes:
        paid: Price and fee.
        lost: What the equity loses: price and fee less the value at the mark.
        marked: The value at the mark: the bid, or the limit of a resting order.
        least_equity, most_equity: Equity before the order, less and plus what rounding can do.
        equity_after: At least the equity after the asked quantity, times `RATE_SCALE`.
    """

    inputs: RiskInputs
    paid: int
    lost: int
    marked: int
    least_equity: int
    most_equity: int
    equity_after: int


def measures_of(inputs: RiskInputs) -> Measures:
    """Prepare the figures that all limits share."""
    price = inputs.price
    mark = price if inputs.resting else inputs.bids.get(inputs.product_id, price)
    paid = price * (BPS * BPS + int(inputs.fee_bps * BPS))
    marked = mark * BPS * BPS
    lost = max(0, paid - marked)
    rounding = ROUNDING_STEPS * inputs.cash_step
    least = inputs.equity - rounding
    return Measures(
        inputs,
        paid,
        lost,
        marked,
        least,
        inputs.equity + rounding,
        least * RATE_SCALE - inputs.quantity * lost,
    )


def checks_of(inputs: RiskInputs, limits: RiskLimits) -> tuple[Check, ...]:
    """Measure a buy by every limit in force but value at risk, in the order of the fields."""
    scaled, found = limits.scaled, list[Check]()
    m = measures_of(inputs)
    if limits.veto_products:
        found.append(_veto("veto_products", inputs.product_id in limits.veto_products))
    if limits.veto_actions:
        found.append(_veto("veto_actions", inputs.action in limits.veto_actions))
    if limits.require_stop:
        found.append(_veto("require_stop", inputs.stop_price is None))
    if limits.max_trades_per_day is not None:
        found.append(_trades(inputs, limits.max_trades_per_day))
    if limits.cooldown_after_loss_s is not None:
        found.append(_cooldown(inputs, limits.cooldown_after_loss_s))
    if limits.loss_streak_max is not None and limits.loss_streak_cooldown_s is not None:
        found.append(_streak(inputs, limits.loss_streak_max, limits.loss_streak_cooldown_s))
    found += _losses(m, scaled)
    if scaled.price_jump is not None:
        found.append(_jump(inputs, scaled.price_jump))
    if scaled.notional is not None:
        found.append(_notional(inputs, scaled.notional))
    if scaled.symbol is not None:
        held = inputs.positions.get(inputs.product_id, 0)
        reserved = inputs.reserved_by_product.get(inputs.product_id, 0)
        value = held + reserved
        name = "max_symbol_exposure_pct"
        found.append(_share(m, name, scaled.symbol, value, value + 1, m.marked))
    if scaled.portfolio is not None:
        value = sum(inputs.positions.values()) + sum(inputs.reserved_by_product.values())
        name = "max_portfolio_exposure_pct"
        found.append(_share(m, name, scaled.portfolio, value, value + 1, m.marked))
    if scaled.position_risk is not None:
        found.append(_position_risk(m, scaled.position_risk))
    if scaled.cash is not None:
        found.append(_least_cash(m, scaled.cash))
    return tuple(found)


def var_check(inputs: RiskInputs, limits: RiskLimits) -> Check | None:
    """Measure a buy by value at risk; its `most` is 0 if it is breached. None without the limit."""
    threshold = limits.scaled.value_at_risk
    if threshold is None:
        return None
    name, found = "max_var_pct", inputs.value_at_risk
    if found is None or found.measure is None:
        why = "no candles are known" if found is None else found.unknown
        return Check(name, "unknown", hundredths_text(threshold), detail=why)
    return _fixed(name, threshold, found.measure(0), found.measure(inputs.quantity), 0)


def exempt_checks(limits: RiskLimits) -> tuple[Check, ...]:
    """The limits in force for an order that reduces risk: none applies."""
    return _exempt(limits.text)


@lru_cache(maxsize=REMEMBERED)
def _exempt(text: str) -> tuple[Check, ...]:
    found = RiskLimits.from_text(text).thresholds.items()
    return tuple(Check(name, "exempt", threshold) for name, threshold in found)


@lru_cache(maxsize=TEXTS_REMEMBERED)
def hundredths_text(value: int) -> str:
    """Hundredths as plain decimal text: 2750 is "27.5"; at most `SHOWN_MAX`."""
    if value < 0:
        return f"-{hundredths_text(-value)}"
    whole, part = divmod(min(value, SHOWN_MAX), 100)
    if not part:
        return str(whole)
    return f"{whole}.{part // 10}" if part % 10 == 0 else f"{whole}.{part:02d}"


def utc_words(at_ms: int) -> str:
    """A venue time for people: "2026-11-30 14:03:10 UTC"."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _share(m: Measures, name: str, threshold: int, before: int, value: int, per_unit: int) -> Check:
    """The check of a share of the equity after the order.

    Args:
        m: The figures of the order.
        name: The limit.
        threshold: The largest share, in hundredths of a percent.
        before: The value before the order, as it is shown.
        value: The same, and one unit for its rounding.
        per_unit: What a base unit adds, times `RATE_SCALE`.
    """
    equity, quantity, equity_after = m.inputs.equity, m.inputs.quantity, m.equity_after
    shown_before = hundredths_text(-(-WHOLE * before // equity)) if equity > 0 else ""
    shown_after = ""
    if equity_after > 0:
        after = -(-WHOLE * (value * RATE_SCALE + quantity * per_unit) // equity_after)
        shown_after = hundredths_text(after)
        if after <= threshold:
            state: CheckState = "near" if after * 100 > threshold * NEAR_PCT else "ok"
            return Check(name, state, hundredths_text(threshold), shown_before, shown_after)
    room = (threshold * m.least_equity - WHOLE * value) * RATE_SCALE
    cost = WHOLE * per_unit + threshold * m.lost
    most = room // cost if cost else -1
    return Check(name, "breached", hundredths_text(threshold), shown_before, shown_after, "", most)


def _position_risk(m: Measures, threshold: int) -> Check:
    """What the position loses if its stop fires at its price, before fees."""
    name, inputs = "max_position_risk_pct", m.inputs
    stop = inputs.stop_price
    if stop is None:
        return Check(name, "unknown", hundredths_text(threshold), detail="the position has no stop")
    bid = inputs.bids.get(inputs.product_id, inputs.price)
    held = inputs.positions.get(inputs.product_id, 0)
    risk = divide_up(held * max(0, bid - stop), bid) if held else 0
    return _share(m, name, threshold, risk, risk + 1, max(0, inputs.price - stop) * SCALE)


def _least_cash(m: Measures, threshold: int) -> Check:
    """Cash that is left, measured against the most that the equity can be."""
    inputs = m.inputs
    free = inputs.cash - inputs.reserved
    left = free - ROUNDING_STEPS * inputs.cash_step
    equity = m.most_equity * RATE_SCALE - inputs.quantity * m.lost
    threshold_text = hundredths_text(threshold)
    before = hundredths_text(WHOLE * free // inputs.equity) if inputs.equity > 0 else ""
    shown_after = ""
    if equity > 0:
        after = WHOLE * (left * RATE_SCALE - inputs.quantity * m.paid) // equity
        shown_after = hundredths_text(after)
        if after >= threshold:
            state: CheckState = "near" if after * NEAR_PCT < threshold * 100 else "ok"
            return Check("min_cash_pct", state, threshold_text, before, shown_after)
    room = (WHOLE * left - threshold * m.most_equity) * RATE_SCALE
    most = room // (WHOLE * m.paid - threshold * m.lost)
    return Check("min_cash_pct", "breached", threshold_text, before, shown_after, "", most)


def _losses(m: Measures, scaled: ScaledLimits) -> list[Check]:
    """Loss of the day and drawdown; a breach holds until its end, whatever the equity is now."""
    inputs, found, tripped = m.inputs, list[Check](), m.inputs.tripped
    if scaled.daily_loss is not None:
        found.append(_loss(m, "max_daily_loss_pct", scaled.daily_loss, inputs.day_equity))
    if scaled.drawdown is not None:
        found.append(_loss(m, "max_drawdown_pct", scaled.drawdown, inputs.peak_equity))
    if not tripped:
        return found
    until_ms = inputs.state.tripped_until_ms
    until = f"until {utc_words(until_ms)}" if until_ms else "until an operator lifts it"
    detail = f"it was breached: only sells are allowed {until}"
    breached = next((check for check in found if check.limit == tripped), Check(tripped, "ok"))
    others = [check for check in found if check.limit != tripped]
    return [breached._replace(state="breached", detail=detail, most=-1), *others]


def _loss(m: Measures, name: str, threshold: int, start: int) -> Check:
    if start <= 0:
        return Check(name, "unknown", hundredths_text(threshold), detail="no equity to start from")
    whole = start * RATE_SCALE
    before = max(0, -(-WHOLE * (start - m.inputs.equity) // start))
    after = max(0, -(-WHOLE * (whole - m.equity_after) // whole))
    shown = hundredths_text(threshold), hundredths_text(before), hundredths_text(after)
    if after <= threshold:
        state: CheckState = "near" if after * 100 > threshold * NEAR_PCT else "ok"
        return Check(name, state, *shown)
    room = (threshold * start - WHOLE * (start - m.least_equity)) * RATE_SCALE
    most = room // (WHOLE * m.lost) if m.lost else -1
    return Check(name, "breached", *shown, "", most)


def _notional(inputs: RiskInputs, threshold: int) -> Check:
    name, after = "max_order_notional", divide_up(inputs.quantity * inputs.price, PRICE_SCALE)
    shown = units_text(threshold), "", units_text(min(after, AMOUNT_MAX))
    if after > threshold:
        return Check(name, "breached", *shown, "", threshold * PRICE_SCALE // inputs.price)
    return Check(name, "near" if after * 100 > threshold * NEAR_PCT else "ok", *shown)


def _jump(inputs: RiskInputs, threshold: int) -> Check:
    name, close = "max_price_jump_pct", inputs.last_minute_close
    if not close or inputs.best is None:
        detail = "no closed minute is known" if not close else "there is no best price"
        return Check(name, "unknown", hundredths_text(threshold), detail=detail)
    jump = divide_up(WHOLE * abs(inputs.best - close), close)
    return _fixed(name, threshold, jump, jump, -1)


def _fixed(name: str, threshold: int, before: int, after: int, most: int) -> Check:
    """The check of a percentage, with the largest quantity if it is above the threshold."""
    shown = hundredths_text(threshold), hundredths_text(before), hundredths_text(after)
    if after > threshold:
        return Check(name, "breached", *shown, "", most)
    return Check(name, "near" if after * 100 > threshold * NEAR_PCT else "ok", *shown)


def _veto(name: str, vetoed: bool) -> Check:
    return Check(name, "breached", most=-1) if vetoed else Check(name, "ok")


def _trades(inputs: RiskInputs, most: int) -> Check:
    before = inputs.entries_today
    state: CheckState = "ok"
    if before >= most:
        state = "breached"
    elif (before + 1) * 100 > most * NEAR_PCT:
        state = "near"
    limit = UNLIMITED if before < most else -1
    return Check("max_trades_per_day", state, str(most), str(before), str(before + 1), "", limit)


def _cooldown(inputs: RiskInputs, seconds: int) -> Check:
    name, last_ms = "cooldown_after_loss_s", inputs.state.last_loss_ms
    if not last_ms:
        return Check(name, "ok", str(seconds))
    passed_s = max(0, inputs.now_ms - last_ms) // 1_000
    if passed_s >= seconds:
        return Check(name, "ok", str(seconds), str(passed_s))
    detail = f"buys are possible again from {utc_words(last_ms + seconds * 1_000)}"
    return Check(name, "breached", str(seconds), str(passed_s), "", detail, -1)


def _streak(inputs: RiskInputs, most: int, seconds: int) -> Check:
    name, state = "loss_streak_max", inputs.state
    losses = state.losses_in_a_row
    again_ms = state.last_loss_ms + seconds * 1_000
    if losses < most or inputs.now_ms >= again_ms:
        near: CheckState = "near" if 0 < losses < most and losses + 1 >= most else "ok"
        return Check(name, near, str(most), str(losses))
    detail = f"buys are possible again from {utc_words(again_ms)}"
    return Check(name, "breached", str(most), str(losses), "", detail, -1)
