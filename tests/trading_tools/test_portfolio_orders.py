"""Open and closed orders in a portfolio, for programs and for models."""

from datetime import UTC, datetime
from decimal import Decimal

import orjson

from arena.account_state import Account
from arena.money import PriceUnits, to_price_units, to_units
from arena.open_orders import AgentOrders, ClosedOrder, OpenOrder
from tests.trading_tools.helpers import ticker
from trading_tools.context import AccountContext, Answer
from trading_tools.portfolio import portfolio_of
from trading_tools.portfolio_orders import ORDERS_SHOWN_MAX, orders_of
from trading_tools.quotes import MarketState
from trading_tools.registry import ANSWER_BYTES_MAX, load_catalogue

BTC = "BTC-USD"
ENDS_MS = 1_790_000_000_000
ENDS_TEXT = "2026-09-21T14:13:20Z"


def price(text: str) -> PriceUnits:
    """A price in units."""
    return to_price_units(Decimal(text))


def market() -> MarketState:
    """A bid of 62,000."""
    found = MarketState()
    found.note(ticker("62000", "62010"), 0, 0)
    return found


def orders() -> AgentOrders:
    """One order of each type, and two closed ones."""
    peak = price("63000")
    found = [
        OpenOrder("o-stop", BTC, "stop_loss", "sell", trigger=price("60140")),
        OpenOrder("o-trail", BTC, "trailing_stop", "sell", trailing_pct="2", peak=peak),
        OpenOrder("o-time", BTC, "time_exit", "sell", exits_ms=ENDS_MS),
        OpenOrder("o-unknown", "XYZ-USD", "take_profit", "sell", trigger=price("1.5")),
        OpenOrder(
            "o-limit",
            BTC,
            "limit",
            "buy",
            quantity=to_units(Decimal("0.5")),
            filled=to_units(Decimal("0.1")),
            limit=price("61000.5"),
            expires_ms=ENDS_MS,
        ),
    ]
    closed = [
        ClosedOrder(
            "c-1", BTC, "limit", "buy", "expired", "", "expired", 0, 0, 0, 0, seq=7, at_ms=0
        ),
        ClosedOrder(
            "c-2",
            "SOL-USD",
            "stop_loss",
            "sell",
            "filled",
            "",
            "triggered",
            quantity=to_units(Decimal("0.4")),
            price=price("139.02"),
            realised=to_units(Decimal("-0.67")),
            realised_pct=to_units(Decimal("-0.012")),
            seq=9,
            at_ms=1,
        ),
    ]
    return AgentOrders({order.order_id: order for order in found}, closed)


def test_value_has_what_each_type_has() -> None:
    """Level and distance to the bid, the quantity of a limit order, the end of both."""
    assert [
        {
            "order_id": "o-stop",
            "order_type": "stop_loss",
            "product_id": BTC,
            "action": "sell",
            "level": "60140",
            "distance_pct": "-3.00",
        },
        {
            "order_id": "o-trail",
            "order_type": "trailing_stop",
            "product_id": BTC,
            "action": "sell",
            "level": "61740",
            "distance_pct": "-0.42",
            "trailing_pct": "2",
        },
        {
            "order_id": "o-time",
            "order_type": "time_exit",
            "product_id": BTC,
            "action": "sell",
            "ends_at": ENDS_TEXT,
        },
        {
            "order_id": "o-unknown",
            "order_type": "take_profit",
            "product_id": "XYZ-USD",
            "action": "sell",
            "level": "1.5",
        },
        {
            "order_id": "o-limit",
            "order_type": "limit",
            "product_id": BTC,
            "action": "buy",
            "quantity": "0.4",
            "level": "61000.5",
            "distance_pct": "-1.61",
            "ends_at": ENDS_TEXT,
        },
    ] == orders_of(orders(), market().quotes).value()["orders"]


def test_closed_orders_have_their_fill() -> None:
    """Or none, and why they closed."""
    assert [
        {
            "order_id": "c-1",
            "order_type": "limit",
            "product_id": BTC,
            "action": "buy",
            "status": "expired",
            "cause": "expired",
            "seq": 7,
        },
        {
            "order_id": "c-2",
            "order_type": "stop_loss",
            "product_id": "SOL-USD",
            "action": "sell",
            "status": "filled",
            "cause": "triggered",
            "quantity": "0.4",
            "price": "139.02",
            "realised": "-0.67",
            "realised_pct": "-1.20",
            "seq": 9,
        },
    ] == orders_of(orders(), market().quotes).value()["closed"]


def test_text_is_one_line_per_order() -> None:
    """With the id that cancel_order takes."""
    lines = orders_of(orders(), market().quotes).lines()

    assert [
        "5 open orders:",
        "- stop-loss BTC-USD: sell all at 60140 (-3.00 % from the bid), id o-stop",
        "- trailing stop BTC-USD: sell all at 61740 (-0.42 % from the bid), 2 % below its high,"
        " id o-trail",
        "- time exit BTC-USD: sell all, at 14:13:20, id o-time",
        "- take-profit XYZ-USD: sell all at 1.5, id o-unknown",
        "- limit order BTC-USD: buy 0.4 at 61000.5 (-1.61 % from the bid), expires"
        " 14:13:20, id o-limit",
        "Closed last:",
        "- limit order BTC-USD: expired",
        "- stop-loss SOL-USD: sold 0.4 at 139.02, -1.20 %",
    ] == lines


def test_portfolio_without_orders_is_unchanged() -> None:
    """Neither key nor line; agents without limit orders and exits do not pay for them."""
    plain = portfolio_of(Account(), market().quotes)

    assert plain == portfolio_of(Account(), market().quotes, orders=AgentOrders())
    assert {"cash_usd": "0", "equity_usd": "0", "positions": []} == plain.value()
    assert "Cash 0.00 USD, equity 0.00 USD. No positions." == plain.text()


def test_portfolio_has_the_orders() -> None:
    """After the positions."""
    portfolio = portfolio_of(Account(), market().quotes, orders=orders())
    value = portfolio.value()

    assert isinstance(value, dict)
    assert {"cash_usd", "equity_usd", "positions", "orders", "closed"} == set(value)
    assert "No positions.\n5 open orders:\n- stop-loss" in portfolio.text()


def test_list_orders_shows_all_within_the_size_of_an_answer() -> None:
    """A portfolio shows the first ones and the number."""
    many = AgentOrders(
        {
            f"{n:036}": OpenOrder(f"{n:036}", BTC, "stop_loss", "sell", trigger=price("60140"))
            for n in range(200)
        }
    )
    portfolio = portfolio_of(Account(), market().quotes, orders=many)
    now = datetime(2026, 11, 30, tzinfo=UTC)
    ctx = AccountContext("momentum", "t", "c", "s", now, lambda: portfolio)
    answer = load_catalogue()["list_orders"].call(ctx, {})
    value = portfolio.value()

    assert isinstance(answer, Answer)
    assert isinstance(answer.value, dict)
    assert isinstance(value, dict)
    listed, shown = answer.value["orders"], value["orders"]
    assert isinstance(listed, list)
    assert isinstance(shown, list)
    assert (200, 200, ORDERS_SHOWN_MAX) == (len(listed), value["orders_open"], len(shown))
    assert "- and 170 more: see list_orders" in portfolio.text()
    assert len(orjson.dumps([answer.text, answer.value])) < ANSWER_BYTES_MAX


def test_list_orders_without_orders() -> None:
    """It says so, and what closed last."""
    quiet = portfolio_of(Account(), {}, orders=AgentOrders(closed=orders().closed))
    ctx = AccountContext("a", "t", "c", "s", datetime(2026, 11, 30, tzinfo=UTC), lambda: quiet)
    answer = load_catalogue()["list_orders"].call(ctx, {})

    assert isinstance(answer, Answer)
    assert answer.text.startswith("No open orders.\nClosed last:\n- limit order")
