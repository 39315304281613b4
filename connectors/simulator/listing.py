"""The products of the simulated exchange: increments, first price, volatility. Pure."""

from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Final

from arena.currency import SMALL_UNITS
from arena.money import SCALE_DIGITS
from arena.products import base_of, quote_of

SPREAD_BPS: Final = 2
CROSS_DIGITS: Final = 4
"""Significant digits after the first one in a coin's price in another coin."""


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """One product.

    Attributes:
        product_id: Id such as "BTC-USD" or "binance:BTCUSDT".
        price: First price of synthetic data, in quote units.
        quote_increment: Price step, in quote units.
        base_increment: Quantity step, in base units.
        min_market_funds: Smallest order, in quote units.
        spread_bps: Usual distance from bid to ask.
        volatility_pct: Volatility as a percentage of bitcoin's.
        trades_per_mille: Chance of a trade in one step of five seconds, in thousandths.
    """

    product_id: str
    price: Decimal
    quote_increment: Decimal
    base_increment: Decimal = Decimal("0.00000001")
    min_market_funds: Decimal = Decimal("1")
    spread_bps: int = SPREAD_BPS
    volatility_pct: int = 100
    trades_per_mille: int = 970

    @property
    def base_currency(self) -> str:
        """The currency that is bought and sold."""
        return base_of(self.product_id)

    @property
    def quote_currency(self) -> str:
        """The currency that pays for it."""
        return quote_of(self.product_id)


def _listed(
    product_id: str,
    price: str,
    step: str,
    base_step: str,
    *,
    volatility_pct: int = 100,
    spread_bps: int = SPREAD_BPS,
    trades_per_mille: int = 970,
) -> ListedProduct:
    return ListedProduct(
        product_id,
        Decimal(price),
        Decimal(step),
        Decimal(base_step),
        volatility_pct=volatility_pct,
        spread_bps=spread_bps,
        trades_per_mille=trades_per_mille,
    )


KNOWN: Final = {
    product.product_id: product
    for product in (
        _listed("BTC-USD", "67200", "0.01", "0.00000001"),
        _listed("ETH-USD", "3240", "0.01", "0.00000001", volatility_pct=130),
        _listed("SOL-USD", "141.2", "0.01", "0.00000001", volatility_pct=180, spread_bps=3),
        _listed("FARTCOIN-USD", "0.2134", "0.0001", "0.01", volatility_pct=320, spread_bps=8),
        _listed("DOGE-USD", "0.12345", "0.00001", "0.1", volatility_pct=220, spread_bps=3),
        _listed("LTC-USD", "84.1", "0.01", "0.00000001", volatility_pct=120, spread_bps=4),
        _listed(
            "AERO-USD",
            "0.9123",
            "0.0001",
            "0.0001",
            volatility_pct=200,
            spread_bps=15,
            trades_per_mille=25,
        ),
        _listed("BABYDOGE-USD", "0.000000001234", "0.000000000001", "1", volatility_pct=400),
    )
}
"""AERO-USD trades only every few minutes. BABYDOGE-USD has twelve decimals, and an account buys
trillions of it."""
DEFAULT_PRODUCTS: Final = ("BTC-USD", "ETH-USD", "SOL-USD", "FARTCOIN-USD", "AERO-USD")
DELISTED: Final = ("LUNA-USD",)
"""Is in `/products` and cannot be subscribed to, like hundreds of products of the real venue."""


def listed_product(product_id: str) -> ListedProduct:
    """A known product, a known coin in another currency, or a default product at a price of 100."""
    plain = KNOWN.get(product_id) or ListedProduct(product_id, Decimal(100), Decimal("0.01"))
    coin = KNOWN.get(f"{plain.base_currency}-USD")
    if coin is None or product_id in KNOWN:
        return plain
    if plain.quote_currency in SMALL_UNITS:
        return replace(coin, product_id=product_id)
    paid_with = KNOWN.get(f"{plain.quote_currency}-USD")
    return plain if paid_with is None else _cross(product_id, coin, paid_with)


def _cross(product_id: str, coin: ListedProduct, paid_with: ListedProduct) -> ListedProduct:
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
