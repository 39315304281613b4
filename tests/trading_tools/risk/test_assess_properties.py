"""Whatever is ordered: limits hold after each order, and a cut is the largest that passes."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from arena.money import (
    BPS,
    PriceUnits,
    cash_notional_units,
    fee_units,
    notional_units,
    to_price_units,
)
from arena.risk_limits import RiskLimits
from arena.risk_state import RiskState
from trading_tools.risk.assess import assess
from trading_tools.risk.inputs import RiskInputs

from .helpers import BTC, DAY, NOON_MS, SOL, buy, price, units

FEE_BPS = Decimal(60)
STEPS_MAX = 60

percents = st.integers(1, 10_000).map(lambda hundredths: str(Decimal(hundredths) / 100))
optional = st.none() | percents


@st.composite
def limit_sets(draw: st.DrawFn) -> RiskLimits:
    """Any hard limits that do not contradict each other."""
    symbol, portfolio = sorted((Decimal(draw(percents)), Decimal(draw(percents))))
    daily, drawdown = sorted((Decimal(draw(percents)), Decimal(draw(percents))))
    found: dict[str, Any] = {
        "max_symbol_exposure_pct": symbol,
        "max_portfolio_exposure_pct": portfolio,
        "max_daily_loss_pct": daily,
        "max_drawdown_pct": drawdown,
        "max_position_risk_pct": draw(percents),
        "min_cash_pct": draw(percents),
        "max_order_notional": draw(st.integers(1, 20_000)),
    }
    kept = draw(st.sets(st.sampled_from(sorted(found)), min_size=1))
    chosen = {name: value for name, value in found.items() if name in kept}
    return RiskLimits.from_json({**chosen, "on_breach": "adjust"})


@settings(max_examples=150, deadline=None)
@given(
    limits=limit_sets(),
    asked=st.integers(1, STEPS_MAX),
    held=st.integers(0, 9_000),
    day_equity=st.integers(9_000, 11_000),
    stop=st.none() | st.integers(50, 99),
    spread=st.integers(0, 300),
    resting=st.booleans(),
)
def test_a_cut_is_the_largest_quantity_that_passes(
    limits: RiskLimits,
    asked: int,
    held: int,
    day_equity: int,
    stop: int | None,
    spread: int,
    resting: bool,
) -> None:
    """The closed form of all limits finds what trying every quantity finds."""
    step = units("1.5")
    inputs = buy(
        "1",
        base_step=step,
        fee_bps=FEE_BPS,
        price=PriceUnits(price("100") + spread * price("0.01")),
        positions={SOL: units(str(held))},
        cash=units(str(10_000 - held)),
        stop_price=None if stop is None else to_price_units(Decimal(stop)),
        state=RiskState(day=DAY, day_equity=units(str(day_equity))),
        resting=resting,
    )

    def passes(steps: int) -> bool:
        return assess(replace(inputs, quantity=steps * step), limits).decision == "approved"

    expected = max((n for n in range(1, asked + 1) if passes(n)), default=0)

    found = assess(replace(inputs, quantity=asked * step), limits)

    assert expected * step == found.quantity


@dataclass
class Book:
    """An account that trades two products without any limit of its own."""

    cash: int = units("10000")
    held: dict[str, int] = field(default_factory=lambda: {BTC: 0, SOL: 0})
    bids: dict[str, PriceUnits] = field(
        default_factory=lambda: {BTC: price("30000"), SOL: price("100")}
    )
    peak: int = units("10000")

    def values(self) -> dict[str, int]:
        """Product -> value of the position at the bid."""
        return {p: notional_units(q, self.bids[p]) for p, q in self.held.items() if q}

    def equity(self) -> int:
        """Cash and positions."""
        return self.cash + sum(self.values().values())

    def order(self, product: str, quantity: int) -> RiskInputs:
        """A buy at five basis points above the bid."""
        return RiskInputs(
            action="buy",
            product_id=product,
            quantity=quantity,
            price=PriceUnits(self.bids[product] * 10_005 // BPS),
            fee_bps=FEE_BPS,
            base_step=1_000,
            cash=self.cash,
            equity=self.equity(),
            positions=self.values(),
            state=RiskState(day=DAY, day_equity=units("10000"), peak_equity=self.peak),
            day=DAY,
            now_ms=NOON_MS,
            bids=self.bids,
        )

    def fill(self, inputs: RiskInputs, quantity: int) -> bool:
        """Fill a buy as the executor does; False if the cash does not pay for it."""
        worth = cash_notional_units(quantity, inputs.price)
        paid = worth + fee_units(worth, FEE_BPS)
        if paid > self.cash or not worth:
            return False
        self.cash -= paid
        self.held[inputs.product_id] += quantity
        return True

    def sell(self, product: str, share: int) -> None:
        """Sell a share of the position, in percent, without costs."""
        quantity = self.held[product] * share // 100
        self.held[product] -= quantity
        self.cash += notional_units(quantity, self.bids[product]) // 100 * 100

    def move(self, product: str, percent: int) -> None:
        """Move the price of a product."""
        self.bids[product] = PriceUnits(self.bids[product] * (100 + percent) // 100)
        self.peak = max(self.peak, self.equity())


def breaches(book: Book, limits: RiskLimits, product: str, worth: int) -> list[str]:
    """The hard limits that an account breaches right after a buy of a product."""
    equity, values = book.equity(), book.values()
    start, peak = units("10000"), max(book.peak, units("10000"))
    shares = {
        "max_symbol_exposure_pct": (values[product], equity),
        "max_portfolio_exposure_pct": (sum(values.values()), equity),
        "max_daily_loss_pct": (start - equity, start),
        "max_drawdown_pct": (peak - equity, peak),
    }
    found = []
    for name, (value, whole) in shares.items():
        limit = getattr(limits, name)
        if limit is not None and value * 100 > limit * whole:
            found.append(name)
    if limits.min_cash_pct is not None and book.cash * 100 < limits.min_cash_pct * equity:
        found.append("min_cash_pct")
    if limits.max_order_notional is not None and worth > limits.max_order_notional * 10**8 + 100:
        found.append("max_order_notional")
    return found


steps = st.lists(
    st.tuples(st.just("buy"), st.sampled_from((BTC, SOL)), st.integers(1, 12_000))
    | st.tuples(st.just("sell"), st.sampled_from((BTC, SOL)), st.integers(1, 100))
    | st.tuples(st.just("move"), st.sampled_from((BTC, SOL)), st.integers(-30, 30)),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(limits=limit_sets(), moves=steps)
def test_no_order_breaches_a_limit_at_any_prefix(
    limits: RiskLimits, moves: list[tuple[str, str, int]]
) -> None:
    """After each filled buy the limits of its product, of the account and of losses hold."""
    book = Book()
    for kind, product, size in moves:
        if kind == "move":
            book.move(product, size)
        elif kind == "sell":
            book.sell(product, size)
        else:
            wanted = size * 10**26 // book.bids[product] // 1_000 * 1_000
            inputs = book.order(product, wanted)
            found = assess(inputs, limits)
            if found.quantity and book.fill(inputs, found.quantity):
                worth = notional_units(found.quantity, inputs.price)
                assert [] == breaches(book, limits, product, worth)
