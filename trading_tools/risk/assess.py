"""Decides what the limits of an account say about one order. Pure, in integers.

A buy is measured as the account would be after it: cash less price and fee, the position at the
bid. So a limit that held before an order holds at the next record of the log, and only prices can
breach it later. Sells reduce risk: they are approved always.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from arena.messages.orders import ValueAtRiskBasis
from arena.money import PRICE_SCALE, price_text, units_text
from arena.risk_limits import RiskLimits
from trading_tools.risk.checks import (
    RATE_SCALE,
    ROUNDING_STEPS,
    Check,
    checks_of,
    exempt_checks,
    measures_of,
    var_check,
)
from trading_tools.risk.inputs import RiskInputs
from trading_tools.risk.words import adjusted_words, rejected_words

Decided = Literal["approved", "adjusted", "rejected"]
VALUE_AT_RISK: Final = "max_var_pct"
BIDS_REMEMBERED: Final = 4_096
SEARCH_POINTS: Final = 16
"""Quantities that are tried for a value at risk that passes, before the largest is searched."""


class Assessment(NamedTuple):
    """What risk says about an order.

    Attributes:
        quantity: What may be traded: as asked, cut, or 0.
        limit: The limit that cut or rejected the order; "" for an approved one.
        checks: Every limit in force, measured for the quantity asked for.
        detail: The sentence for the model; "" for an approved order.
        largest: The largest quantity that passes all limits, at most the one asked for.
    """

    decision: Decided
    quantity: int
    limit: str
    checks: tuple[Check, ...]
    detail: str
    largest: int
    inputs: RiskInputs


def assess(inputs: RiskInputs, limits: RiskLimits) -> Assessment:
    """Decide about an order.

    Args:
        inputs: The order, the account and the market.
        limits: The limits of the account.
    """
    asked = inputs.quantity
    if inputs.action == "sell":
        return Assessment("approved", asked, "", exempt_checks(limits), "", asked, inputs)
    checks = checks_of(inputs, limits)
    risk_of_day = var_check(inputs, limits)
    if risk_of_day is not None:
        checks = (*checks, risk_of_day)
    breached = [check for check in checks if check.state == "breached"]
    if not breached:
        return Assessment("approved", asked, "", checks, "", asked, inputs)
    largest, limit = _largest(inputs, limits, breached)
    if limits.on_breach == "adjust" and largest > 0:
        detail = adjusted_words(limit, inputs, largest)
        return Assessment("adjusted", largest, limit.limit, checks, detail, largest, inputs)
    payable = max(0, min(largest, _payable(inputs)))
    detail = rejected_words(limit, inputs, _worthwhile(inputs, payable))
    return Assessment("rejected", 0, limit.limit, checks, detail, largest, inputs)


# Any: JSON values, in the order of the fields of `RiskVerdict`.
def verdict_dict(found: Assessment) -> dict[str, Any]:
    """The `RiskVerdict` of an order's record, JSON-ready, as the message writes it."""
    inputs = found.inputs
    verdict: dict[str, Any] = {
        "decision": found.decision,
        "asked": units_text(inputs.quantity),
    }
    if found.limit:
        verdict["limit"] = found.limit
    verdict["checks"] = [_check_dict(check) for check in found.checks]
    verdict["equity"] = units_text(inputs.equity)
    verdict["day_equity"] = units_text(inputs.day_equity)
    verdict["peak_equity"] = units_text(inputs.peak_equity)
    bids = inputs.bids
    named = {
        product: _bid_text(bids[product])
        for product in (*inputs.positions, inputs.product_id)
        if product in bids
    }
    if named:
        verdict["bids"] = named
    if inputs.value_at_risk is not None:
        verdict["value_at_risk"] = _basis_dict(inputs.value_at_risk.basis)
    return verdict


def _check_dict(check: Check) -> dict[str, str]:
    limit, state, threshold, before, after, detail, _ = check
    found: dict[str, str] = {"limit": limit, "state": state}
    if threshold:
        found["threshold"] = threshold
    if before:
        found["before"] = before
    if after:
        found["after"] = after
    if detail:
        found["detail"] = detail
    return found


def _basis_dict(basis: ValueAtRiskBasis) -> dict[str, Any]:
    found: dict[str, Any] = basis.model_dump(mode="json")
    return found


_bid_text = lru_cache(maxsize=BIDS_REMEMBERED)(price_text)


def _most(check: Check) -> int:
    return check.most


def _largest(inputs: RiskInputs, limits: RiskLimits, breached: list[Check]) -> tuple[int, Check]:
    """The largest quantity that passes all limits, and the limit that allows no more.

    Value at risk need not grow with the quantity: it is searched from above at `SEARCH_POINTS`
    quantities, then exactly between the largest of them that passes and the next.
    """
    step, threshold = inputs.base_step, limits.scaled.value_at_risk
    others = [check for check in breached if check.limit != VALUE_AT_RISK]
    limit = min(others or breached, key=_most)
    most = min(inputs.quantity, max(0, limit.most)) if others else inputs.quantity
    steps = most // step
    found = inputs.value_at_risk
    if threshold is not None and found is not None and found.measure is not None:
        measure, bound = found.measure, threshold

        def passes(tried: int) -> bool:
            return measure(tried * step) <= bound

        if steps > 0 and not passes(steps):
            steps = _search(steps, passes)
            limit = next((c for c in breached if c.limit == VALUE_AT_RISK), limit)
    return _worthwhile(inputs, steps * step), limit


def _search(failing: int, passes: Callable[[int], bool]) -> int:
    """The largest number below one that fails, such that it passes and the next one fails."""
    passing = 0
    for point in range(SEARCH_POINTS - 1, 0, -1):
        tried = failing * point // SEARCH_POINTS
        if tried > 0 and passes(tried):
            passing = tried
            break
        failing = tried or failing
    while failing - passing > 1:
        middle = (passing + failing) // 2
        if passes(middle):
            passing = middle
        else:
            failing = middle
    return passing


def _payable(inputs: RiskInputs) -> int:
    """The largest quantity that the free cash pays for."""
    cash = inputs.cash - inputs.reserved - ROUNDING_STEPS * inputs.cash_step
    most = cash * RATE_SCALE // measures_of(inputs).paid
    return most // inputs.base_step * inputs.base_step


def _worthwhile(inputs: RiskInputs, quantity: int) -> int:
    """The quantity, or 0 if it is worth less than the smallest order of the product."""
    worth = quantity * inputs.price // PRICE_SCALE
    return quantity if quantity > 0 and worth >= inputs.min_funds else 0
