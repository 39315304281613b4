"""Each scripted strategy trades as its name says, deterministically, within its account."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.decision_context import DecisionContext, PlannedOrder, round_quantity
from chat_nodes.prompt_reader import read_account, read_market
from chat_nodes.scripted.strategies import SCRIPTED_STRATEGIES, StrategyDecision
from tests.chat_nodes.example_requests import FALLING, FLAT, RISING, prompt

COST_BPS = Decimal(62)


def decide(strategy: str, text: str, seed: str = "seed") -> StrategyDecision:
    """The decision of a strategy on a prompt."""
    market, account = read_market(text), read_account([text])
    assert market is not None
    assert account is not None
    return SCRIPTED_STRATEGIES[strategy](DecisionContext(market, account, COST_BPS, seed))


def holding(product: str, quantity: str, cost: str, cash: str = "1000", held: str = "10s") -> str:
    """An account section with one position."""
    line = f"position: {product} quantity={quantity} average_cost={cost} held={held}"
    return f"cash_usd: {cash}\nequity_usd: 100000\n{line}"


def test_momentum_buys_what_rises() -> None:
    """A quarter of the equity is spent on the strongest riser."""
    found = decide("momentum", prompt({"A": FLAT, "B": RISING, "C": FALLING}))

    # 25,000 USD at 111, three digits kept
    exits = (("stop_loss_pct", "2"), ("take_profit_pct", "6"))
    assert (PlannedOrder("buy", "B", Decimal(225), exits),) == found.orders
    assert "B is 5.21 % over its 5m mean and up on 15m: buying" == found.reason


def test_momentum_sells_after_falling_closes() -> None:
    """A position whose closes fall three times in a row is sold whole."""
    found = decide("momentum", prompt({"C": FALLING}, account=holding("C", "12.345", "150")))

    assert (PlannedOrder("sell", "C", Decimal("12.345")),) == found.orders


def test_momentum_sells_below_the_last_closes() -> None:
    """A price below the 15-minute closes ends the trend at once."""
    text = prompt({"A": FLAT}, prices={"A": "99"}, account=holding("A", "3", "90"))

    assert (PlannedOrder("sell", "A", Decimal(3)),) == decide("momentum", text).orders


def test_momentum_waits_in_a_sideways_market() -> None:
    """Nothing rises, so nothing is bought."""
    assert () == decide("momentum", prompt({"A": FLAT})).orders


@pytest.mark.parametrize(
    ("quantity", "cost", "bought"),
    [("200", "100", True), ("200", "120", False), ("600", "9", False)],
)
def test_momentum_adds_only_in_profit_and_within_its_share(
    quantity: str, cost: str, bought: bool
) -> None:
    """A position with a loss, or a full one, is not increased."""
    account = holding("B", quantity, cost, cash="40000")

    assert bought == bool(decide("momentum", prompt({"B": RISING}, account=account)).orders)


def test_momentum_keeps_to_two_products() -> None:
    """A third riser is not bought."""
    lines = "\n".join(f"position: {p} quantity=1 average_cost=90 held=1m00s" for p in "AB")
    account = f"cash_usd: 90000\nequity_usd: 100000\n{lines}"
    found = decide("momentum", prompt({"A": FLAT, "B": FLAT, "C": RISING}, account=account))

    assert ((), "C rises, but two positions are enough") == (found.orders, found.reason)


def test_brainrot_goes_all_in_on_the_most_volatile_riser() -> None:
    """The most volatile riser gets all the cash, less the costs."""
    wild = [100, 140, 90, 130, 120]
    (order,) = decide("brainrot", prompt({"A": RISING, "B": wild, "C": FALLING})).orders

    assert ("buy", "B") == (order.action, order.product_id)
    assert 98_000 < order.quantity * 120 * (1 + COST_BPS / 10_000) < 100_000


def test_brainrot_never_sells_at_a_loss() -> None:
    """It holds a loss; with a profit in a product other than the hottest it rotates."""
    market = {"A": RISING, "B": [100, 160, 90, 150]}
    lost = decide("brainrot", prompt(market, account=holding("A", "10", "120", cash="1")))
    won = decide("brainrot", prompt(market, account=holding("A", "10", "100", cash="1")))

    assert () == lost.orders
    assert (PlannedOrder("sell", "A", Decimal(10)),) == won.orders


def test_scalper_buys_a_small_dip() -> None:
    """A twentieth of the equity is spent on a dip below the 1-minute mean."""
    text = prompt({"A": FLAT, "B": FLAT}, prices={"B": "99.9"})

    exits = (("stop_loss_pct", "0.62"), ("take_profit_pct", "1.24"), ("exit_after", "10m"))
    assert (PlannedOrder("buy", "B", Decimal("50.0"), exits),) == decide("scalper", text).orders


@pytest.mark.parametrize(
    ("cost", "held", "reason"),
    [("99", "10s", "taking it"), ("102", "10s", "stopped out"), ("100", "10m01s", "10 bars")],
)
def test_scalper_sells_after_gain_loss_or_time(cost: str, held: str, reason: str) -> None:
    """A small gain, a stop or ten bars end a position."""
    found = decide("scalper", prompt({"A": FLAT}, account=holding("A", "7", cost, held=held)))

    assert (PlannedOrder("sell", "A", Decimal(7)),) == found.orders
    assert reason in found.reason


def test_scalper_trades_several_products_in_one_answer() -> None:
    """A sale and a buy are sent together."""
    text = prompt(
        {"A": FLAT, "B": FLAT}, prices={"B": "99.9"}, account=holding("A", "7", "90", cash="90000")
    )

    assert ["sell", "buy"] == [o.action for o in decide("scalper", text).orders]


def test_buy_and_hold_splits_the_cash_once() -> None:
    """Equal parts at first, nothing afterwards."""
    market = {"A": FLAT, "B": RISING}
    first = decide("buy_and_hold", prompt(market)).orders
    later = decide("buy_and_hold", prompt(market, account=holding("A", "490", "100")))

    assert [("A", Decimal(450)), ("B", Decimal(405))] == [(o.product_id, o.quantity) for o in first]
    assert () == later.orders


def test_random_depends_on_its_seed_alone() -> None:
    """The same seed gives the same choice; over many seeds it holds, buys and sells."""
    text = prompt({"A": FLAT, "B": FLAT}, account=holding("A", "100", "100", cash="50000"))
    once = [decide("random", text, str(seed)) for seed in range(60)]
    again = [decide("random", text, str(seed)) for seed in range(60)]
    kinds = {order.action for found in once for order in found.orders}

    assert once == again
    assert {"buy", "sell"} == kinds
    assert any(not found.orders for found in once)


def test_metronome_trades_at_every_call() -> None:
    """A buy, then a sale of all of it."""
    (bought,) = decide("metronome", prompt({"A": FLAT})).orders
    (sold,) = decide("metronome", prompt({"A": FLAT}, account=holding("A", "0.99", "101"))).orders

    assert PlannedOrder("buy", "A", Decimal("1.00")) == bought
    assert PlannedOrder("sell", "A", Decimal("0.99")) == sold


def test_cash_never_trades() -> None:
    """Not even in a rising market."""
    assert () == decide("cash", prompt({"A": RISING})).orders


@pytest.mark.parametrize("strategy", sorted(SCRIPTED_STRATEGIES))
def test_stale_price_is_not_traded(strategy: str) -> None:
    """A stale product cannot be bought or sold, so no strategy tries."""
    text = prompt({"A": RISING}, stale=["A"], account=holding("A", "5", "50", cash="90000"))

    assert () == decide(strategy, text).orders


CLOSES = st.lists(st.integers(1, 10_000), min_size=1, max_size=25)


@given(
    strategy=st.sampled_from(sorted(SCRIPTED_STRATEGIES)),
    products=st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), CLOSES, min_size=1),
    cash=st.integers(0, 1_000_000),
    held=st.decimals("0.00000001", "1000", places=8),
    cost=st.integers(1, 10_000),
    seed=st.text(max_size=5),
)
def test_no_strategy_spends_more_than_it_has(
    strategy: str, products: dict[str, list[int]], cash: int, held: Decimal, cost: int, seed: str
) -> None:
    """Sales stay within the position, one buy within the cash; a decision always has a reason."""
    line = f"position: A quantity={held:f} average_cost={cost} held=1m00s"
    account = f"cash_usd: {cash}\nequity_usd: {cash + 100}\n{line}"
    text = prompt(products, account=account)
    found = decide(strategy, text, seed)

    assert found.reason
    assert len(found.orders) <= max(3, len(products))
    for order in found.orders:
        assert order.quantity > 0
        if order.action == "sell":
            assert order.quantity <= held
        else:
            spent = order.quantity * products[order.product_id][-1]
            assert spent * (1 + COST_BPS / 10_000) <= cash


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [("0.041678", "0.0416"), ("279.44", "279"), ("46812.7", "46812"), ("0.00001239", "0.0000123")],
)
def test_quantities_are_rounded(exact: str, rounded: str) -> None:
    """At least three digits, never a fraction of a large number."""
    assert Decimal(rounded) == round_quantity(Decimal(exact))
