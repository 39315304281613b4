"""The products of the simulated exchange: increments, first price, temperament. Pure."""

from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Final

from arena.currency import SMALL_UNITS
from arena.money import SCALE_DIGITS

SPREAD_BPS: Final = 2
CROSS_DIGITS: Final = 4
"""Digits behind the first one of a coin's price in another coin."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One product.

    Attributes:
        price: First price of synthetic data, in quote units.
        quote_increment: Price step. base_increment: quantity step.
        min_market_funds: Smallest order, in quote units.
        spread_bps: Usual distance from bid to ask.
        heat_pct: Volatility, 100 for bitcoin's.
        trades_per_mille: Chance of a trade in one step of five seconds, in thousandths.
    """

    product_id: str
    price: Decimal
    quote_increment: Decimal
    base_increment: Decimal = Decimal("0.00000001")
    min_market_funds: Decimal = Decimal("1")
    spread_bps: int = SPREAD_BPS
    heat_pct: int = 100
    trades_per_mille: int = 970

    @property
    def base_currency(self) -> str:
        """What is bought and sold."""
        return self.product_id.rsplit("-", 1)[0]

    @property
    def quote_currency(self) -> str:
        """What it is paid with."""
        return self.product_id.rsplit("-", 1)[-1]


def _listed(
    product_id: str,
    price: str,
    step: str,
    base_step: str,
    *,
    heat_pct: int = 100,
    spread_bps: int = SPREAD_BPS,
    trades_per_mille: int = 970,
) -> Listed:
    return Listed(
        product_id,
        Decimal(price),
        Decimal(step),
        Decimal(base_step),
        heat_pct=heat_pct,
        spread_bps=spread_bps,
        trades_per_mille=trades_per_mille,
    )


KNOWN: Final = {
    product.product_id: product
    for product in (
        _listed("BTC-USD", "67200", "0.01", "0.00000001"),
        _listed("ETH-USD", "3240", "0.01", "0.00000001", heat_pct=130),
        _listed("SOL-USD", "141.2", "0.01", "0.00000001", heat_pct=180, spread_bps=3),
        _listed("FARTCOIN-USD", "0.2134", "0.0001", "0.01", heat_pct=320, spread_bps=8),
        _listed("DOGE-USD", "0.12345", "0.00001", "0.1", heat_pct=220, spread_bps=3),
        _listed("LTC-USD", "84.1", "0.01", "0.00000001", heat_pct=120, spread_bps=4),
        _listed(
            "AERO-USD",
            "0.9123",
            "0.0001",
            "0.0001",
            heat_pct=200,
            spread_bps=15,
            trades_per_mille=25,
        ),
        _listed("BABYDOGE-USD", "0.000000001234", "0.000000000001", "1", heat_pct=400),
    )
}
"""AERO-USD is the quiet one: minutes pass between its trades. BABYDOGE-USD has twelve decimals, and
an account buys trillions of it."""
DEFAULT_PRODUCTS: Final = ("BTC-USD", "ETH-USD", "SOL-USD", "FARTCOIN-USD", "AERO-USD")
DELISTED: Final = ("LUNA-USD",)
"""Stands in `/products` and cannot be subscribed to, as hundreds of real ones do."""


def listed(product_id: str) -> Listed:
    """A known product, a known coin in another currency, or a plain product at 100."""
    plain = KNOWN.get(product_id) or Listed(product_id, Decimal(100), Decimal("0.01"))
    coin = KNOWN.get(f"{plain.base_currency}-USD")
    if coin is None or product_id in KNOWN:
        return plain
    if plain.quote_currency in SMALL_UNITS:
        return replace(coin, product_id=product_id)
    paid_with = KNOWN.get(f"{plain.quote_currency}-USD")
    return plain if paid_with is None else _cross(product_id, coin, paid_with)


def _cross(product_id: str, coin: Listed, paid_with: Listed) -> Listed:
    """A coin that is paid for with another one, such as ETH-BTC."""
    exact = coin.price / paid_with.price
    step = Decimal(1).scaleb(max(exact.adjusted() - CROSS_DIGITS, -SCALE_DIGITS))
    funds = (coin.min_market_funds / paid_with.price).quantize(Decimal("0.00001"), ROUND_UP)
    return replace(
        coin,
        product_id=product_id,
        price=exact.quantize(step),
        quote_increment=step,
        min_market_funds=funds,
    )
