"""One arena, one currency: what is refused, with which remedy, and how amounts are shown."""

from decimal import Decimal

import pytest

from arena.currency import (
    AS_FLAG,
    SMALL_UNITS,
    account_currency,
    cash_digits,
    cash_step,
    cash_words,
    currency_fault,
)
from arena.errors import UsageError
from arena.products import COINS, QUOTES


@pytest.mark.parametrize(
    ("products", "currency", "held"),
    [
        (["BTC-USD", "ETH-USD"], None, "USD"),
        (["BTC-USD"], "USD", "USD"),
        (["BTC-USDT", "ETH-USDT"], "USDT", "USDT"),
        (["BTC-USDC"], "USDC", "USDC"),
        (["ETH-BTC"], "BTC", "BTC"),
        (["BTC-EUR"], "EUR", "EUR"),
        (["1INCH-USD", "00-USD"], None, "USD"),
    ],
)
def test_account_currency_is_quote_currency(
    products: list[str], currency: str | None, held: str
) -> None:
    """The currency is named, or it is USD."""
    assert held == account_currency(products, currency)


@pytest.mark.parametrize(
    ("products", "currency", "what", "remedy"),
    [
        (["BTC-USDT"], None, "BTC-USDT is quoted in USDT", '[rules] currency = "USDT"'),
        (["BTC-USDC"], "USDT", "currency is 'USDT'", 'currency = "USDC", or choose products'),
        (["ETH-BTC"], None, "but the accounts hold USD", 'currency = "BTC"'),
        (["BTC-USD"], "EUR", "BTC-USD is quoted in USD", 'currency = "USD", or choose'),
        (["BTC-USDT"], "usdt", "currency is 'usdt'", 'currency = "USDT"'),
        (["BTC-USDT"], "US DT", "currency was 'US DT'", "in capitals"),
        (["BTC-USD"], "", "currency was ''", "in capitals"),
        (
            ["BTC-USD", "ETH-USDT"],
            None,
            "2 currencies: BTC-USD in USD; ETH-USDT in USDT",
            "keep the products of one",
        ),
        (["BTC-USD", "ETH-USDT"], "USDT", "2 currencies", "keep the products of one"),
        ([f"{n}-EUR" for n in "ABCDEF"], None, "A-EUR, B-EUR, C-EUR, D-EUR and 2 more are", "EUR"),
    ],
)
def test_another_currency_is_refused_with_the_remedy(
    products: list[str], currency: str | None, what: str, remedy: str
) -> None:
    """The message names the products, both currencies, and what to write."""
    fault = currency_fault(products, currency)

    assert fault is not None
    assert what in fault.what
    assert remedy in fault.remedy


def test_currency_error_names_how_to_choose() -> None:
    """The remedy of a command is a flag, and the venue's quote currency of a product counts."""
    with pytest.raises(UsageError) as refused:
        account_currency({"XBTUSDT": "USDT"}, None, AS_FLAG)

    assert "XBTUSDT is quoted in USDT, but the accounts hold USD" in str(refused.value)
    assert "start with --currency USDT" == refused.value.remedy


@pytest.mark.parametrize(
    ("currency", "step", "digits", "words"),
    [
        ("USD", 100, 2, "1,234.50 USD"),
        ("USDT", 100, 2, "1,234.50 USDT"),
        ("EUR", 100, 2, "1,234.50 EUR"),
        ("BTC", 1, 8, "1,234.50000000 BTC"),
        ("SOL", 1, 8, "1,234.50000000 SOL"),
    ],
)
def test_bitcoin_has_small_cash_step(currency: str, step: int, digits: int, words: str) -> None:
    """Cash in dollars moves in millionths and is shown in cents, other cash in 10^-8."""
    found = (cash_step(currency), cash_digits(currency), cash_words(Decimal("1234.5"), currency))

    assert (step, digits, words) == found


def test_every_quote_of_a_file_name_that_is_not_a_coin_has_cents() -> None:
    """A price file in roubles or pesos is shown to the cent, like one in dollars."""
    assert SMALL_UNITS >= QUOTES - COINS
