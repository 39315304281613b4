"""Fills market orders on paper, at the prices and with the account that a prompt shows. Pure.

Calls of a search are not carried out. With paper fills the checks can measure sizes against the
account and the strategy's own rules. An order that needs more than the shown bid or ask and the
stated costs, such as one with a limit price, is not filled, and the account is unknown after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from pydantic_core import from_json

from arena.messages import HeldPosition, JsonObject, Portfolio, RequestedCall
from arena.messages.tools import DECIDED_TOOLS, TRADE_TOOL
from arena.money import AMOUNT_DIGITS_MAX, BPS, decimal_text, parse_decimal
from judge.evaluations.turn_view import REJECTED, quotes

NOT_CARRIED_OUT: Final = "(not carried out)"
WHOLE: Final = "all"
AMOUNT_STEP: Final = Decimal("0.00000001")
PRICE_STEP: Final = Decimal("0.000000000000000001")
AVAILABLE_MAX: Final = Decimal(10) ** AMOUNT_DIGITS_MAX
CASH_SLACK: Final = Decimal("1.001")
"""An order may exceed the cash by this share: costs are stated in whole basis points."""
LIMIT: Final = "limit"
LIMIT_ARGUMENT: Final = "limit_price"

_WIDE = Context(prec=60)


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result that one call would have.

    Attributes:
        ok: True if it would be carried out.
        text: The answer.
    """

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class FilledAnswer:
    """The results that the calls of an answer would have.

    Attributes:
        results: One per call.
        portfolio: The account afterwards; None if it is unknown.
        is_known: True if every order was filled or refused here.
    """

    results: tuple[CallResult, ...]
    portfolio: Portfolio | None
    is_known: bool


@dataclass(slots=True)
class _Account:
    """An account in one currency: cash, and product -> quantity and average cost."""

    cash: Decimal
    held: dict[str, tuple[Decimal, Decimal]]


def fill_calls(
    calls: Sequence[RequestedCall],
    tools: frozenset[str],
    prompt: str,
    account: Portfolio | None,
    cost_bps: Decimal | None,
) -> FilledAnswer:
    """The results that the calls of an answer would have, in their order.

    Args:
        calls: The calls.
        tools: Names of the tools that were offered.
        prompt: The prompt, with its tickers.
        account: The account that the prompt shows; None if it is unknown.
        cost_bps: Fee and slippage of one order in basis points of its value; None if unknown.
    """
    known = quotes(prompt)
    prices = {name: (Decimal(str(bid)), Decimal(str(ask))) for name, (bid, ask) in known.items()}
    own = _account_of(account)
    results: list[CallResult] = []
    is_known = own is not None and cost_bps is not None
    for call in calls:
        if call.name not in tools:
            results.append(CallResult(False, f"there is no tool {call.name!r}"))
            continue
        if call.problem or call.name not in DECIDED_TOOLS:
            results.append(CallResult(not call.problem, NOT_CARRIED_OUT))
            continue
        found = None
        if call.name == TRADE_TOOL and own is not None and cost_bps is not None:
            found = _filled(_arguments(call), prices, own, cost_bps)
        is_known = is_known and found is not None
        results.append(found or CallResult(True, NOT_CARRIED_OUT))
    after = None if own is None or account is None or not is_known else _portfolio(own, prices)
    return FilledAnswer(tuple(results), after, is_known)


def _arguments(call: RequestedCall) -> JsonObject | None:
    try:
        value = from_json(call.arguments or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _account_of(account: Portfolio | None) -> _Account | None:
    """The account, if it is in one currency and no limit order reserves a part of it."""
    if account is None or account.wallets:
        return None
    if any(order.order_type == LIMIT for order in account.orders):
        return None
    held = {one.product_id: (one.quantity, one.average_cost) for one in account.positions}
    return _Account(account.cash_usd, held)


def _filled(
    arguments: JsonObject | None,
    prices: dict[str, tuple[Decimal, Decimal]],
    own: _Account,
    cost_bps: Decimal,
) -> CallResult | None:
    """The result that an order would have; None if it cannot be computed from the prompt."""
    if arguments is None or arguments.get(LIMIT_ARGUMENT) is not None:
        return None
    product_id, side = str(arguments.get("product_id")), str(arguments.get("action")).lower()
    price = prices.get(product_id)
    if price is None or side not in ("buy", "sell"):
        return None
    bid, ask = price
    available = own.cash / (ask * (1 + cost_bps / BPS)) if side == "buy" else _held(own, product_id)
    if available >= AVAILABLE_MAX:
        return None
    try:
        quantity = _quantity(arguments.get("quantity"), available)
    except ValueError as error:
        return CallResult(False, f"{REJECTED}invalid quantity: {error}")
    if side == "sell" and not available:
        return CallResult(False, f"{REJECTED}insufficient position: no {product_id} is held")
    if quantity > available * (CASH_SLACK if side == "buy" else 1):
        short = "cash" if side == "buy" else "position"
        asked, most = _text(quantity), _text(available)
        return CallResult(
            False, f"{REJECTED}insufficient {short}: {asked} {product_id}, at most {most}"
        )
    return _fill(own, product_id, side, quantity, ask if side == "buy" else bid, cost_bps)


def _held(own: _Account, product_id: str) -> Decimal:
    return own.held.get(product_id, (Decimal(0), Decimal(0)))[0]


def _quantity(value: object, available: Decimal) -> Decimal:
    """The quantity of an order, in base units.

    Raises:
        ValueError: It is not a number above zero, "all", or a percentage.
    """
    text = str(value).strip()
    if text.lower() == WHOLE:
        return available
    if text.endswith("%"):
        share = parse_decimal(text[:-1].strip())
        if not 0 < share <= 100:
            raise ValueError(f"{text} of what is available")
        return available * share / 100
    number = parse_decimal(text)
    if number <= 0:
        raise ValueError(f"{text} is not above zero")
    return number


def _fill(
    own: _Account, product_id: str, side: str, quantity: Decimal, price: Decimal, cost_bps: Decimal
) -> CallResult:
    notional = quantity * price
    fee = notional * cost_bps / BPS
    before, average = own.held.get(product_id, (Decimal(0), Decimal(0)))
    if side == "buy":
        own.cash -= notional + fee
        whole = before + quantity
        own.held[product_id] = (whole, (before * average + notional + fee) / whole)
        word, joint = "Bought", "plus"
    else:
        own.cash += notional - fee
        own.held[product_id] = (before - quantity, average)
        word, joint = "Sold", "less"
    text = (
        f"{word} {_text(quantity)} {product_id} at {decimal_text(price)}"
        f" for {notional:.2f} USD {joint} {fee:.2f} fee. {NOT_CARRIED_OUT}"
    )
    return CallResult(True, text)


def _rounded(number: Decimal, step: Decimal) -> Decimal:
    return number.quantize(step, context=_WIDE)


def _text(quantity: Decimal) -> str:
    return decimal_text(_rounded(quantity, AMOUNT_STEP))


def _portfolio(own: _Account, prices: dict[str, tuple[Decimal, Decimal]]) -> Portfolio:
    """The account at the shown bids."""
    return Portfolio(
        cash_usd=_rounded(own.cash, AMOUNT_STEP),
        positions=tuple(
            HeldPosition(
                product_id=product_id,
                quantity=_rounded(quantity, AMOUNT_STEP),
                average_cost=_rounded(average, PRICE_STEP),
                bid=prices[product_id][0] if product_id in prices else None,
            )
            for product_id, (quantity, average) in own.held.items()
            if quantity > 0
        ),
    )
