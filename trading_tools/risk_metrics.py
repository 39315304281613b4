"""Measures what an agent's account risks now, and how far it is from its limits. Pure.

Limits are measured by the functions that check orders, for a buy of nothing: so the figures are
those that the next order starts from.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from arena.account_state import Account
from arena.money import from_units, to_digits, units_text
from arena.risk_limits import RiskLimits
from trading_tools.account_records import AccountRecords
from trading_tools.context import Answer
from trading_tools.risk.checks import Check
from trading_tools.risk.limit_distances import MeasuredAccount

PER_PRODUCT = ("max_symbol_exposure_pct", "max_position_risk_pct")
UNKNOWN = {
    "max_position_risk_pct": "no stop is set",
    "max_var_pct": "value at risk is measured when an order is checked",
}
"""Limit -> why it is unknown without an order."""

Figures = dict[str, JsonValue]


def risk_metrics(records: AccountRecords) -> Answer:
    """The answer of `get_risk_metrics`."""
    parts = []
    for wallet, account in records.accounts():
        parts.append((records.unit(wallet), measured(records, wallet, account)))
    main, *others = parts
    value: Figures = main[1] | ({"wallets": dict(others)} if others else {})
    return Answer("\n".join(_text(figures, unit) for unit, figures in parts), value)


def measured(records: AccountRecords, wallet: str, account: Account) -> Figures:
    """The figures of one account; percentages are of its equity."""
    values = dict(sorted(account.values(records.bids).items()))
    equity, exposure = account.equity(records.bids), sum(values.values())
    largest = max(values, key=lambda product: values[product], default="")
    unprotected = [p for p in values if records.orders.stop_level(p) is None]
    found: Figures = {
        "equity": units_text(equity),
        "exposure_pct": _percent(exposure, equity),
        "leverage": _share(exposure, equity),
        "cash_pct": _percent(account.cash, equity),
        "concentration": _concentration(values),
        "largest_position": largest or None,
        "largest_position_pct": _percent(values.get(largest, 0), equity),
        "positions_without_stop": list(unprotected),
    }
    buys = records.orders.buy_notionals(wallet)
    if buys:
        found["open_buys_pct"] = _percent(sum(buys.values()), equity)
    found["limits"] = []
    state = records.risk_of(wallet)
    if state is None:
        return found
    day, now_ms = f"{records.venue_at:%Y-%m-%d}", int(records.venue_at.timestamp() * 1000)
    now = MeasuredAccount(account, wallet, state, records.orders, records.bids, day, now_ms)
    found["limits"] = _limits(now, [*(values | buys)])
    if state.is_tripped(now_ms):
        found["only_sells_because_of"] = state.tripped
    return found


def _concentration(values: Mapping[str, int]) -> float | None:
    """The Herfindahl-Hirschman index: 1 is a single position, 1/k is k equal ones."""
    # Loads numpy, which no other part of the executor needs.
    import numpy as np

    from arena.metrics.exposure import concentration

    found = concentration(np.array([[*values.values()]], dtype=np.float64))
    return None if found is None else round(found, 4)


def _percent(part: int, whole: int) -> str | None:
    """A share in percent with two decimals; None of nothing."""
    return str(to_digits(Decimal(part) * 100 / Decimal(whole), 2)) if whole > 0 else None


def _share(part: int, whole: int) -> str | None:
    return str(to_digits(Decimal(part) / Decimal(whole), 4)) if whole > 0 else None


def _limits(now: MeasuredAccount, products: Sequence[str]) -> list[JsonValue]:
    """Every limit in force with its value now; of several products, the one nearest to it."""
    limits = RiskLimits.from_text(now.state.limits)
    found: dict[str, tuple[Check, str]] = {}
    for product_id in products or ("",):
        for check in now.checks(limits, product_id):
            known = found.get(check.limit)
            if known is None or _value(check) > _value(known[0]):
                found[check.limit] = check, product_id
    return [_limit_value(check, product_id) for check, product_id in found.values()]


def _value(check: Check) -> Decimal:
    return Decimal(check.before) if check.before else Decimal(-1)


def _limit_value(check: Check, product_id: str) -> JsonValue:
    found: dict[str, JsonValue] = {"limit": check.limit, "state": check.state}
    if check.threshold:
        found["threshold"] = check.threshold
    if check.before:
        found["value"] = check.before
    if check.threshold and check.before and check.limit.endswith("_pct"):
        left = Decimal(check.threshold) - Decimal(check.before)
        found["distance"] = str(-left if check.limit == "min_cash_pct" else left)
    if check.limit in PER_PRODUCT and product_id:
        found["product_id"] = product_id
    if check.detail:
        unknown = check.state == "unknown"
        found["detail"] = UNKNOWN.get(check.limit, check.detail) if unknown else check.detail
    return found


def _text(figures: Figures, unit: str) -> str:
    equity = to_digits(from_units(_units(figures["equity"])), 2)
    lines = [
        f"Equity {equity} {unit}: {figures['exposure_pct']} % in positions (leverage"
        f" {figures['leverage']}), {figures['cash_pct']} % in cash."
    ]
    if figures["largest_position"]:
        lines.append(
            f"Largest position {figures['largest_position']}: {figures['largest_position_pct']} %;"
            f" concentration {figures['concentration']} (1 is a single position)."
        )
    if "open_buys_pct" in figures:
        open_buys_pct = figures["open_buys_pct"]
        lines.append(f"Open limit buys: {open_buys_pct} % more, if they fill; limits count them.")
    without = figures["positions_without_stop"]
    if isinstance(without, list) and without:
        lines.append(f"Without a stop: {', '.join(map(str, without))}.")
    limits = figures["limits"]
    if isinstance(limits, list) and limits:
        lines.append("Limits (value now / limit):")
        lines += [_limit_text(one) for one in limits if isinstance(one, dict)]
    else:
        lines.append("No limits are set.")
    if tripped := figures.get("only_sells_because_of"):
        lines.append(f"Only sells are allowed now: {tripped} was breached.")
    return "\n".join(lines)


def _limit_text(limit: dict[str, JsonValue]) -> str:
    where = f" {limit['product_id']}" if "product_id" in limit else ""
    text = f"- {limit['limit']}{where}: {limit.get('value', '?')} / {limit.get('threshold', 'on')}"
    if "distance" in limit:
        text += f", {limit['distance']} left"
    if limit["state"] != "ok":
        text += f" ({limit['state']})"
    return f"{text}, {limit['detail']}" if "detail" in limit else text


def _units(text: JsonValue) -> int:
    from_text = Decimal(str(text)).scaleb(8)
    return int(from_text)
