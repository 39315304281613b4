"""Tools with which an agent looks at its own account: risk, fills, performance."""

from decimal import Decimal

import pytest
from pydantic import JsonValue

from arena.risk_limits import RiskLimits
from tests.trading_tools.orders.desk_room import SOL, DeskRoom
from trading_tools.risk.requests import LimitSettings

Figures = dict[str, JsonValue]


# Any: arguments of a tool.
def asked(room: DeskRoom, tool: str, **arguments: object) -> tuple[str, Figures]:
    """Text and value of an answer."""
    reply = room.call(tool, **arguments).reply
    assert reply is not None
    assert isinstance(reply.value, dict)
    return reply.text, reply.value


def traded() -> DeskRoom:
    """A loss by a stop, a profit, and half of the cash in a position without a stop."""
    room = DeskRoom(limits=LimitSettings(RiskLimits.of_preset("standard")))
    room.tick("139.9", "140")
    room.buy("50", stop_loss_pct=2)
    room.tick("130", "130.1")
    room.buy("10")
    room.tick("150")
    room.call("execute_trade", product_id=SOL, quantity="all", action="sell")
    room.call("execute_trade", product_id=SOL, quantity="40%", action="buy")
    return room


def test_risk_of_an_account_without_positions() -> None:
    """Everything is cash, and no limit is near."""
    text, value = asked(DeskRoom(), "get_risk_metrics")

    assert ("0.00", "100.00", None) == (
        value["exposure_pct"],
        value["cash_pct"],
        value["concentration"],
    )
    assert "No limits are set." in text


def test_risk_measures_positions_and_limits() -> None:
    """Shares of the equity, what has no stop, and the distance to each limit."""
    text, value = asked(traded(), "get_risk_metrics")
    limits = value["limits"]

    assert ([SOL], 1.0) == (value["positions_without_stop"], value["concentration"])
    assert Decimal(str(value["exposure_pct"])) + Decimal(str(value["cash_pct"])) == 100
    assert isinstance(limits, list)
    by_name = {str(one["limit"]): one for one in limits if isinstance(one, dict)}
    symbol = by_name["max_symbol_exposure_pct"]
    assert (SOL, "50") == (symbol["product_id"], symbol["threshold"])
    # Limits round against the account.
    above = Decimal(str(symbol["value"])) - Decimal(str(value["exposure_pct"]))
    assert Decimal(0) <= above <= Decimal("0.01")
    assert Decimal(50) - Decimal(str(symbol["value"])) == Decimal(str(symbol["distance"]))
    assert "unknown" == by_name["max_position_risk_pct"]["state"]
    assert "Without a stop: SOL-USD." in text
    assert "- max_trades_per_day: 3 / " in text


def test_risk_of_a_position_with_a_stop() -> None:
    """The distance from the bid to the stop, of the equity."""
    room = DeskRoom(limits=LimitSettings(RiskLimits.of_preset("standard")))
    room.tick("100", "100.1")
    room.buy("100", stop_loss_pct=5)
    _, value = asked(room, "get_risk_metrics")

    assert [] == value["positions_without_stop"]
    assert "max_position_risk_pct', 'state': 'ok', 'threshold': '5', 'value': '0.4" in str(value)


def test_risk_says_only_sells_until_the_breach_ends() -> None:
    """A daily loss stops buys until midnight UTC, also without an order after it."""
    room = DeskRoom(limits=LimitSettings(RiskLimits.from_json({"max_daily_loss_pct": 5})))
    room.tick("140")
    room.buy("300")
    room.snapshot()
    room.tick("120")
    room.snapshot()
    stopped, value = asked(room, "get_risk_metrics")
    room.tick("120", after_s=86_400)
    later, value_later = asked(room, "get_risk_metrics")

    assert "max_daily_loss_pct" == value["only_sells_because_of"]
    assert "Only sells are allowed now" in stopped
    assert "only_sells_because_of" not in value_later
    assert "Only sells" not in later


def test_history_lists_fills_with_what_filled_them() -> None:
    """Oldest first; a rejected order is not a fill."""
    room = traded()
    room.call("execute_trade", product_id="XYZ-USD", quantity="1", action="buy")
    text, value = asked(room, "get_transaction_history")
    lines = text.splitlines()

    assert "5 fills, oldest first (venue time, UTC):" == lines[0]
    assert "realised -584.00 USD (-8.29 %), by a stop-loss" in lines[2]
    assert "realised +181.59 USD (+13.87 %)" in lines[4]
    fills = value["fills"]
    assert isinstance(fills, list)
    assert (5, 0) == (len(fills), value["more"])
    assert "'order_type': 'stop_loss', 'cause': 'triggered'" in str(fills[1])


def test_history_can_be_cut() -> None:
    """By venue time, as a time before now or as an instant, and by number."""
    room = traded()
    _, newest = asked(room, "get_transaction_history", limit=2)
    _, recent = asked(room, "get_transaction_history", since="0s")
    _, instant = asked(room, "get_transaction_history", since="2026-11-30T09:00:02Z")

    assert (2, 3) == (len(str(newest["fills"]).split("'at'")) - 1, newest["more"])
    assert [2, 4] == [len(str(v["fills"]).split("'at'")) - 1 for v in (recent, instant)]


@pytest.mark.parametrize(
    ("tool", "arguments", "error", "says"),
    [
        ("get_transaction_history", {"since": "soon"}, "bad_since", "since was 'soon'; give"),
        ("get_transaction_history", {"limit": 0}, "bad_limit", "limit was 0; give 1 to 128"),
        ("get_transaction_history", {"limit": 129}, "bad_limit", "give 1 to 128"),
        ("get_performance_metrics", {"window": 0}, "bad_window", "window was 0 s; send 1 second"),
        ("get_performance_metrics", {"window": "x"}, "malformed_arguments", "window was 'x'"),
    ],
)
def test_arguments_that_cannot_be_used(
    tool: str, arguments: dict[str, object], error: str, says: str
) -> None:
    """Each error has the value and the remedy."""
    reply = DeskRoom().call(tool, **arguments).reply

    assert reply is not None
    assert error == reply.error
    assert says in reply.text


def test_performance_has_the_judges_figures() -> None:
    """Worked out by hand from two closed trades: -584 and +181.594."""
    _, value = asked(traded(), "get_performance_metrics")

    assert (5, 2, "-402.406", 50.0) == tuple(
        value[name] for name in ("fills", "closed_trades", "realised", "win_rate_pct")
    )
    assert (-201.203, 181.594, -584.0) == tuple(
        value[name] for name in ("expectancy", "biggest_win", "biggest_loss")
    )
    assert round(181.594 / 584, 6) == value["profit_factor"]


def test_performance_of_nothing_is_unknown() -> None:
    """Ratios are undefined without a closed trade."""
    text, value = asked(DeskRoom(), "get_performance_metrics", window="1h")

    assert (0, None, None) == (
        value["closed_trades"],
        value["win_rate_pct"],
        value["sharpe_per_trade"],
    )
    assert text.startswith("Over the last 1h00m (of at most 128 fills):")
    assert "since the start; no closed trade, 0 fills; deepest fall 0.00 %" in text
    assert "unknown" not in text


def test_performance_without_a_win_says_so() -> None:
    """One trade at a loss is the biggest loss, and the best trade is left out."""
    room = DeskRoom()
    room.tick("139.9", "140")
    room.buy("50", stop_loss_pct=2)
    room.tick("130", "130.1")
    text, _ = asked(room, "get_performance_metrics")

    assert "1 closed trade of 2 fills" in text
    assert "no win, biggest loss -" in text


def test_open_limit_buys_are_exposure() -> None:
    """The product nearest to its limit may be one that is only ordered so far."""
    room = DeskRoom(limits=LimitSettings(RiskLimits.of_preset("standard")))
    room.tick("139.9", "140")
    room.buy("300", limit_price="130")
    text, value = asked(room, "get_risk_metrics")
    limits = value["limits"]

    assert isinstance(limits, list)
    symbol = next(
        one for one in limits if isinstance(one, dict) and one["limit"] == "max_symbol_exposure_pct"
    )
    assert (SOL, "39", "11") == (symbol["product_id"], symbol["value"], symbol["distance"])
    assert "39.00" == value["open_buys_pct"]
    assert "Open limit buys: 39.00 % more, if they fill; limits count them." in text
