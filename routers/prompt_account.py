"""Renders an agent's account in its prompt, and what happened to its orders meanwhile. Pure.

    ## Since your last turn
    - your stop sold 0.4 SOL-USD at 139.02, -1.2 %
    ## Your account
    cash_usd: 99901.5
    equity_usd: 100012.31
    position: SOL-USD quantity=0.4 average_cost=140.71 bid=141.02 unrealised_usd=+0.12 held=9m
    order: SOL-USD stop_loss sell all level=136.5 distance=-3.21% id=...

Both parts together have the bound of the account.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from arena.currency import DEFAULT_CURRENCY, cash_digits
from arena.messages import MarketSnapshot, OrderClosing, PortfolioOrder
from arena.money import decimal_text, to_digits
from routers.portfolio import KnownPortfolio, MarkedPortfolio, MarkedPosition, mark
from routers.prompt_sizes import FULL, PromptForm
from routers.prompt_text import cut_to, duration_text

CLOSINGS_SHARE = 2
"""What happened may take up one part in so many of the account's characters."""
ORDER_NAMES: Mapping[str, str] = {
    "limit": "limit order",
    "stop_loss": "stop",
    "take_profit": "take-profit",
    "trailing_stop": "trailing stop",
    "time_exit": "time exit",
    "market": "order",
}
OWN_CAUSES = frozenset({"cancelled", "replaced", "position_closed", "sibling_filled"})
"""Causes of cancellations that follow from what the agent did, or from another closing."""
FLATTEN = "flatten:"
"""How the cause of a sale begins that a limit of risk forced."""


def account_texts(
    known: KnownPortfolio | None,
    snapshot: MarketSnapshot,
    form: PromptForm,
    closings: Sequence[OrderClosing],
) -> list[str]:
    """The sections about the agent's account; empty if nothing is known.

    Args:
        known: The account as the agent knows it, or None.
        snapshot: The snapshot at whose bids the account is valued.
        form: The bounds.
        closings: What happened to its orders since its last turn, oldest first.
    """
    texts = []
    chars_max = form.account_chars_max
    if closings:
        happened = cut_to(_closings_text(closings, form), chars_max // CLOSINGS_SHARE)
        chars_max -= len(happened) + 1
        texts.append(happened)
    if known is not None:
        texts.append(_account_text(known, snapshot, form, chars_max))
    return texts


def is_news(closing: OrderClosing) -> bool:
    """True if an agent must be told of a closed order: it did not close it itself."""
    return closing.status != "cancelled" or closing.cause not in OWN_CAUSES


def closing_phrase(closing: OrderClosing) -> str:
    """What became of an order, such as "your stop sold 0.4 SOL-USD at 139.02, -1.2 %"."""
    name = f"your {ORDER_NAMES[closing.order_type]}"
    if closing.cause.startswith(FLATTEN):
        name = f"the limit {closing.cause.removeprefix(FLATTEN)}"
    filled = ""
    if closing.quantity is not None:
        done = "bought" if closing.action == "buy" else "sold"
        filled = f"{done} {decimal_text(closing.quantity)} {closing.product_id}"
        if closing.price is not None:
            filled += f" at {decimal_text(closing.price)}"
        if closing.realised_pct is not None:
            filled += f", {_signed(closing.realised_pct)} %"
    if closing.status == "filled":
        return f"{name} {filled}"
    why = (closing.reason or closing.cause).replace("_", " ")
    because = f" ({why})" if why and why != closing.status else ""
    became = "expired" if closing.status == "expired" else f"was {closing.status}"
    rest = f"; it had {filled}" if filled else ""
    return f"{name} for {closing.product_id} {became}{because}{rest}"


def _signed(percent: Decimal) -> str:
    text = decimal_text(percent.normalize())
    return text if percent < 0 else f"+{text}"


def _closings_text(closings: Sequence[OrderClosing], form: PromptForm) -> str:
    shown = closings[-form.closings_max :]
    lines = ["## Since your last turn"]
    if more := len(closings) - len(shown):
        lines.append(f"({more} older ones are not shown)")
    lines += [f"- {closing_phrase(closing)}" for closing in shown]
    return "\n".join(lines)


def _account_text(
    known: KnownPortfolio, snapshot: MarketSnapshot, form: PromptForm, chars_max: int
) -> str:
    account = mark(known, snapshot)
    lines = ["## Your account"]
    for one in (account, *account.wallets):
        lines += _currency_lines(one, form)
    lines += _order_lines(known, snapshot, form)
    return cut_to("\n".join(lines), chars_max)


def _order_lines(
    known: KnownPortfolio, snapshot: MarketSnapshot, form: PromptForm
) -> Iterator[str]:
    bids = {v.product_id: v.ticker.best_bid for v in snapshot.products if v.ticker is not None}
    orders = known.portfolio.orders
    shown = orders[: form.orders_max]
    for order in shown:
        yield _order_line(order, bids.get(order.product_id), with_id=form is FULL)
    if (more := max(len(orders), known.portfolio.orders_open) - len(shown)) > 0:
        yield f"({more} further orders are not shown)"


def _order_line(order: PortfolioOrder, bid: Decimal | None, *, with_id: bool) -> str:
    amount = "all" if order.quantity is None else decimal_text(order.quantity)
    parts = [f"order: {order.product_id} {order.order_type} {order.action} {amount}"]
    if order.level is not None:
        parts.append(f"level={decimal_text(order.level)}")
        if bid:
            parts.append(f"distance={to_digits((order.level - bid) * 100 / bid, 2):+f}%")
    if order.ends_at is not None:
        word = "expires" if order.order_type == "limit" else "at"
        parts.append(f"{word}={order.ends_at:%H:%M:%S}")
    return " ".join([*parts, f"id={order.order_id}"] if with_id else parts)


def _currency_lines(account: MarkedPortfolio, form: PromptForm) -> list[str]:
    """The lines of one currency: cash, equity, positions."""
    unit = account.currency
    key, word = ("_usd", "") if unit == DEFAULT_CURRENCY else ("", f" {unit}")
    lines = [
        f"cash{key}: {decimal_text(account.cash_usd)}{word}",
        f"equity{key}: {_round_to_cent(account.equity_usd, unit):f}{word}",
    ]
    if account.scraped_usd:
        aside = f"{decimal_text(account.scraped_usd)}{word}"
        lines.append(f"set_aside{key}: {aside} (part of your equity, not to be traded with)")
    shown = account.positions[: form.positions_max]
    lines += [_position_line(position, unit, key) for position in shown]
    if not account.positions:
        lines.append("position: none")
    if (more := len(account.positions) - form.positions_max) > 0:
        lines.append(f"({more} further positions are not shown: ask for your portfolio)")
    return lines


def _round_to_cent(amount: Decimal, currency: str) -> Decimal:
    return to_digits(amount, cash_digits(currency))


def _position_line(position: MarkedPosition, currency: str, key: str) -> str:
    parts = [
        f"position: {position.product_id}",
        f"quantity={decimal_text(position.quantity)}",
        f"average_cost={decimal_text(position.average_cost)}",
    ]
    if position.bid is not None and position.unrealised_usd is not None:
        parts.append(f"bid={decimal_text(position.bid)}")
        parts.append(f"unrealised{key}={_round_to_cent(position.unrealised_usd, currency):+f}")
    if position.held_s is not None:
        parts.append(f"held={duration_text(position.held_s)}")
    return " ".join(parts)
