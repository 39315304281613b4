"""How orders are decided: the amounts of a fill, and every rejection in its order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.account_state import Account, Position
from arena.messages import QuoteSeen, RejectReason, Side, ToolCall
from arena.money import (
    AMOUNT_MAX,
    PRICE_SCALE,
    PriceUnits,
    price_text,
    to_price_units,
    to_units,
    units_text,
)
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.context import Order
from trading_tools.decide import Decision, Fill, Rejection, control_unknown_since, decide
from trading_tools.quotes import MarketState
from trading_tools.rules import TradingRules
from trading_tools.schema import InvalidArguments

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
BTC = "BTC-USD"


# Any: fields of a Product, of a ToolCall, and of `call`, in this order.
def market(bid: str = "67201.10", ask: str = "67203.55", **listing: Any) -> MarketState:
    """A market with one product, whose price is confirmed now."""
    found = MarketState()
    found.note(product().model_copy(update=listing), 0, 0)
    found.note(ticker(bid, ask).model_copy(update={"received_at": NOW}), 0, 1)
    return found


def account(cash: str = "100000", held: str = "0", cost: str = "0") -> Account:
    """An account, holding some BTC."""
    found = Account(cash=to_units(Decimal(cash)))
    if held != "0":
        found.positions[BTC] = Position(to_units(Decimal(held)), to_units(Decimal(cost)), 0)
    return found


def call(seen: tuple[str, str] | None = None, **changes: Any) -> ToolCall:
    """A command that is in time."""
    quotes = {} if seen is None else {BTC: QuoteSeen(bid=Decimal(seen[0]), ask=Decimal(seen[1]))}
    changes = {"deadline_at": NOW, "issued_at": NOW, "quotes_seen": quotes} | changes
    return tool_call("momentum", "execute_trade", "{}", **changes)


def order(quantity: str, action: Side = "buy", product_id: str = BTC) -> Order:
    """The order that the tool made of its arguments."""
    return Order(product_id, Decimal(quantity), action)


def decided(
    quantity: str, action: Side = "buy", holder: Account | None = None, **changes: Any
) -> Decision:
    """Decide an order by the usual rules."""
    return decide(
        holder or account(), call(**changes), order(quantity, action), market(), TradingRules(), NOW
    )


def test_buy_pays_ask_slippage_and_fee() -> None:
    """Every figure of a buy, worked out by hand."""
    decision = decided("0.041", seen=("67199", "67201.10"))
    fill = decision.outcome

    assert isinstance(fill, Fill)
    # 67203.55 * 1.0002 = 67216.99071, out to the next cent.
    assert to_price_units(Decimal("67217")) == fill.price
    assert to_units(Decimal("2755.897")) == fill.notional
    assert to_units(Decimal("16.535382")) == fill.fee
    assert to_units(Decimal("0.55145")) == fill.slippage
    assert to_units(Decimal("0.10045")) == fill.latency_cost
    assert fill.realised is None
    assert to_units(Decimal("97227.567618")) == fill.cash_after
    assert to_units(Decimal("0.041")) == fill.position_after


def test_sell_gets_bid_less_slippage_and_fee() -> None:
    """Every figure of a sell, worked out by hand."""
    holder = account("500", held="0.1", cost="6000")
    fill = decided("0.04", "sell", holder, seen=("67211.10", "67212")).outcome

    assert isinstance(fill, Fill)
    # 67201.10 * 0.9998 = 67187.65978, out to the next cent below.
    assert to_price_units(Decimal("67187.65")) == fill.price
    assert to_units(Decimal("2687.506")) == fill.notional
    assert to_units(Decimal("16.125036")) == fill.fee
    assert to_units(Decimal("0.538")) == fill.slippage
    assert to_units(Decimal("0.4")) == fill.latency_cost
    assert to_units(Decimal("2687.506") - Decimal("16.125036") - Decimal(2400)) == fill.realised
    assert to_units(Decimal("0.06")) == fill.position_after


def test_share_of_a_profit_is_set_aside() -> None:
    """50,000 USD of bitcoin sold for 55,000 with a share of a fifth sets 1,000 USD aside."""
    holder = account("0", held="1", cost="50000")
    holder.scrape = to_units(Decimal("0.2"))
    rules = replace(TradingRules(), fee_bps=Decimal(0), slippage_bps=Decimal(0))
    asked, sell = call(), order("1", "sell")
    fill = decide(holder, asked, sell, market("55000", "55001"), rules, NOW).outcome

    assert isinstance(fill, Fill)
    assert to_units(Decimal(5000)) == fill.realised
    assert to_units(Decimal(1000)) == fill.scraped
    assert to_units(Decimal(54000)) == fill.cash_after
    assert ("agent/momentum/cash", "USD", to_units(Decimal(54000))) in fill.postings
    assert ("agent/momentum/scraped", "USD", to_units(Decimal(1000))) in fill.postings
    assert 0 == sum(amount for _, unit, amount in fill.postings if unit == "USD")


@pytest.mark.parametrize(("cost", "action"), [("70000", "sell"), ("0", "buy")])
def test_nothing_is_set_aside_without_a_profit(cost: str, action: Side) -> None:
    """A loss and a buy only change the cash that can be spent."""
    holder = account("100000", held="1", cost=cost)
    holder.scrape = to_units(Decimal(1))
    fill = decided("0.5", action, holder).outcome

    assert isinstance(fill, Fill)
    assert 0 == fill.scraped
    assert not any("scraped" in name for name, _, _ in fill.postings)


def test_rounding_is_posted() -> None:
    """The rounding difference of the notional has an account of its own."""
    fill = decided("0.00012345").outcome

    assert isinstance(fill, Fill)
    # 0.00012345 * 67217 = 8.29793865 exactly, 8.297939 in micro-dollars.
    # Of that the best ask takes 0.00012345 * 67203.55 = 8.29627825, slippage 0.0016604.
    assert ("house/market", "USD", 829_627_825) in fill.postings
    assert ("house/slippage", "USD", 166_040) in fill.postings
    assert ("house/rounding", "USD", 35) in fill.postings
    assert 0 == sum(amount for _, unit, amount in fill.postings if unit == "USD")


REFUSALS = [
    (RejectReason.EXPIRED, "1.5 s after its deadline", "1", {}),
    (RejectReason.UNKNOWN_PRODUCT, "'DOGE-USD' is not traded here; traded are BTC-USD", "1", {}),
    (RejectReason.INVALID_QUANTITY, "quantity was -2; send a positive quantity of BTC", "-2", {}),
    (RejectReason.INVALID_QUANTITY, "quantity was 0;", "0", {}),
    (
        RejectReason.BAD_INCREMENT,
        "no multiple of 0.00000001 BTC; try 0.12345678",
        "0.123456789",
        {},
    ),
    (RejectReason.BAD_INCREMENT, "try 0.00001488", "0.000000001", {}),
    (
        RejectReason.BEYOND_COLLAR,
        "moved +238 bps since your snapshot",
        "1",
        {"seen": ("1", "65640")},
    ),
    (RejectReason.BELOW_MINIMUM, "is worth 0.67 USD, the smallest order is 1.00", "0.00001", {}),
    (RejectReason.INSUFFICIENT_CASH, "needs 135,240.60 with fees, has 100,000.00", "2", {}),
]


@pytest.mark.parametrize(("reason", "detail", "quantity", "changes"), REFUSALS)
def test_rejections_name_rule_request_and_possibility(
    reason: RejectReason, detail: str, quantity: str, changes: dict[str, Any]
) -> None:
    """An agent can act on each rejection."""
    command = call(**changes)
    asked = order(quantity)
    if reason is RejectReason.EXPIRED:
        command = call(deadline_at=NOW - timedelta(seconds=1.5))
    if reason is RejectReason.UNKNOWN_PRODUCT:
        asked = order(quantity, product_id="DOGE-USD")
    outcome = decide(account(), command, asked, market(), TradingRules(), NOW).outcome

    assert isinstance(outcome, Rejection)
    assert reason == outcome.reason
    assert detail in outcome.detail


def test_selling_more_than_is_held_is_rejected() -> None:
    """There is no short position."""
    outcome = decided("0.5", "sell", account(held="0.25", cost="1")).outcome

    assert Rejection(RejectReason.INSUFFICIENT_POSITION, "selling 0.5 BTC-USD, has 0.25") == outcome


def test_unreadable_arguments_are_rejected_first() -> None:
    """An expired order with unreadable arguments is rejected as unreadable."""
    expired = call(deadline_at=NOW - timedelta(hours=1))
    refused = InvalidArguments("quantity was 'lots': send a number")
    outcome = decide(account(), expired, refused, MarketState(), TradingRules(), NOW).outcome

    assert Rejection(RejectReason.MALFORMED_ARGUMENTS, refused.reason) == outcome


@pytest.mark.parametrize(
    ("bid", "ask"), [("0", "67203"), ("67204", "67203"), ("-1", "67203"), ("0", "0")]
)
def test_bad_print_is_not_a_price(bid: str, ask: str) -> None:
    """Nothing trades at a price of zero, or at a bid above the ask."""
    outcome = decide(account(), call(), order("1"), market(bid, ask), TradingRules(), NOW).outcome

    assert isinstance(outcome, Rejection)
    assert RejectReason.NO_PRICE == outcome.reason


def test_older_price_than_the_agent_saw_is_not_used() -> None:
    """If the prices of the agent's snapshot did not arrive, no order is priced."""
    outcome = decide(
        account(), call(), order("0.01"), market(), TradingRules(), NOW, prices_current=False
    ).outcome

    assert isinstance(outcome, Rejection)
    assert RejectReason.NO_PRICE == outcome.reason


def test_old_price_is_stale_unless_confirmed() -> None:
    """Age counts from the last sign of life of the feed, not from the last price change."""
    later = NOW + timedelta(seconds=31)
    command = call(deadline_at=later)
    old = decide(account(), command, order("0.01"), market(), TradingRules(), later).outcome
    confirmed = market()
    quiet = ticker("67201.10", "67203.55").model_copy(
        update={"received_at": NOW, "confirmed_at": NOW + timedelta(seconds=10)}
    )
    confirmed.note(quiet, 0, 2)
    fresh = decide(account(), command, order("0.01"), confirmed, TradingRules(), later).outcome

    assert isinstance(old, Rejection)
    assert (RejectReason.STALE_PRICE, True) == (
        old.reason,
        "is 31.0 s old, at most 30 s" in old.detail,
    )
    assert isinstance(fresh, Fill)


def test_collar_holds_on_both_sides_up_to_the_bound() -> None:
    """An order exactly at the collar is filled, a cent beyond it is not, on both sides."""
    seen = ("66000", "67203.55")
    at_bound = (Decimal("67203.55") / Decimal("1.02")).quantize(Decimal("0.01")) + Decimal("0.01")
    outcomes = [
        decided("0.01", seen=("1", str(at_bound))).outcome,
        decided("0.01", seen=("1", str(at_bound - Decimal("0.02")))).outcome,
        decided("0.01", seen=("1", "68580")).outcome,
        decided("0.01", seen=seen).outcome,
    ]

    assert [True, False, False, True] == [isinstance(outcome, Fill) for outcome in outcomes]


def test_unseen_product_has_no_collar_and_no_latency_cost() -> None:
    """An agent may trade a product that its snapshot did not show."""
    fill = decided("0.01").outcome

    assert isinstance(fill, Fill)
    assert 0 == fill.latency_cost


COIN = {"base_increment": Decimal(1), "quote_increment": Decimal("1E-12")}


def test_ten_trillion_units_with_twelve_price_decimals_are_bought() -> None:
    """Every figure to the last digit: 0.000001123457 * 1.0002 is rounded up to 1e-12."""
    found = market("0.000001123456", "0.000001123457", **COIN)
    rules = TradingRules()
    fill = decide(account("20000000"), call(), order("1e13"), found, rules, NOW).outcome

    assert isinstance(fill, Fill)
    assert "0.000001123682" == price_text(fill.price)
    assert "11236820" == units_text(fill.notional)
    assert "2250" == units_text(fill.slippage)
    assert 10**21 == fill.position_after


@pytest.mark.parametrize(
    ("price", "held", "quantity", "action", "detail"),
    [
        (
            "0.000001",
            "999999999999999000",
            "2000",
            "buy",
            "2000, more BTC than an account can hold",
        ),
        ("100000", "1e17", "1e17", "sell", f"more than the {units_text(AMOUNT_MAX)} USD of an acc"),
    ],
)
def test_amounts_beyond_the_bound_are_rejected(
    price: str, held: str, quantity: str, action: Side, detail: str
) -> None:
    """Positions and cash have at most eighteen digits; nothing unreadable is written."""
    holder = account("20000000", held=held, cost="1")
    asked = order(quantity, action)
    outcome = decide(holder, call(), asked, market(price, price, **COIN), TradingRules(), NOW)

    assert isinstance(outcome.outcome, Rejection)
    assert RejectReason.INVALID_QUANTITY == outcome.outcome.reason
    assert detail in outcome.outcome.detail


amounts = st.integers(min_value=1, max_value=10**22)
prices = st.integers(min_value=1, max_value=10**23)


@given(
    quantity=amounts,
    bid=prices,
    spread=st.integers(min_value=0, max_value=10**19),
    cash=st.integers(min_value=0, max_value=10**15).map(lambda n: n * 100),
    held=amounts,
    cost=amounts,
    step=st.sampled_from([1, 10**6, 10**10, 10**16, PRICE_SCALE]),
    action=st.sampled_from(["buy", "sell"]),
    bps=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
)
def test_any_fill_balances(
    quantity: int,
    bid: int,
    spread: int,
    cash: int,
    held: int,
    cost: int,
    step: int,
    action: Side,
    bps: tuple[int, int],
) -> None:
    """Postings sum to zero, cash and position stay above zero, and the taker never gains."""
    found = MarketState()
    rules = TradingRules(fee_bps=Decimal(bps[0]), slippage_bps=Decimal(bps[1]))
    listing = {"quote_increment": Decimal(step) / PRICE_SCALE, "min_market_funds": Decimal(0)}
    found.note(product().model_copy(update=listing), 0, 0)
    price = ticker(price_text(PriceUnits(bid)), price_text(PriceUnits(bid + spread)))
    found.note(price.model_copy(update={"received_at": NOW}), 0, 1)
    holder = Account(cash=cash, positions={BTC: Position(held, cost, 0)})
    asked = Order(BTC, Decimal(quantity).scaleb(-8), action)
    outcome = decide(holder, call(), asked, found, rules, NOW).outcome
    if isinstance(outcome, Rejection):
        assert outcome.detail
        return
    assert isinstance(outcome, Fill)
    sums: dict[str, int] = {}
    for _, unit, amount in outcome.postings:
        sums[unit] = sums.get(unit, 0) + amount

    assert not any(sums.values())
    assert outcome.cash_after >= 0
    assert outcome.position_after >= 0
    assert 0 == outcome.price % step
    assert outcome.slippage >= 0
    assert outcome.fee >= 0
    assert 0 == outcome.notional % 100 == outcome.fee % 100
    best = bid + spread if action == "buy" else bid
    assert (outcome.price >= best) if action == "buy" else (outcome.price <= best)


@pytest.mark.parametrize(("left_s", "reason"), [(-1, RejectReason.CONTROL_UNKNOWN), (1, None)])
def test_order_that_waited_for_control_is_rejected_only_after_its_deadline(
    left_s: int, reason: RejectReason | None
) -> None:
    """The detail says since when, so that a replay writes the same bytes."""
    since = NOW - timedelta(minutes=1)
    late = call(deadline_at=NOW + timedelta(seconds=left_s))
    outcome = decide(
        account(), late, order("0.1"), market(), TradingRules(), NOW, control_unknown=since
    ).outcome

    assert reason == (outcome.reason if isinstance(outcome, Rejection) else None)
    if isinstance(outcome, Rejection):
        assert since == control_unknown_since(outcome.detail)
    assert control_unknown_since("arena.control could not be read to its end since ever") is None
