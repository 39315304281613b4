"""What a call costs, and that an unknown price stays unknown."""

from datetime import date
from decimal import Decimal

import orjson
import pytest

from arena.model_prices import PRICES_FILE, load_prices, parse_own_price, parse_prices
from chat_nodes.decode import Tokens


def test_cost_is_exact_decimal_arithmetic() -> None:
    """2,300 prompt tokens, 2,000 of them cached, and 40 more: to the billionth of a dollar."""
    price = load_prices().of("gpt-5-nano")
    tokens = Tokens(prompt=2300, completion=40, cached=2000, reported=True)

    assert price is not None
    # 300 x 0.05 + 2000 x 0.005 + 40 x 0.40 USD per million
    assert Decimal("0.000041000") == price.cost_usd(tokens)


@pytest.mark.parametrize(
    ("model_id", "known"),
    [
        ("gpt-5-nano", True),
        ("gpt-5-nano-2025-08-07", True),
        ("gpt-5-nano-large", False),
        ("gpt-5", True),
        ("gpt-5-pro", False),
        ("openai/gpt-5-nano", False),
        ("llama3:8b", False),
        ("scripted", False),
        ("", False),
    ],
)
def test_only_listed_models_have_a_price(model_id: str, known: bool) -> None:
    """A snapshot of a listed model is known; a sibling or another seller's name is not."""
    assert known == (load_prices().of(model_id) is not None)


def test_longer_name_is_not_priced_as_a_shorter_one() -> None:
    """`gpt-5-mini` must not cost what `gpt-5` costs."""
    prices = load_prices()
    mini, whole = prices.of("gpt-5-mini"), prices.of("gpt-5")

    assert mini is not None
    assert whole is not None
    assert mini.prompt < whole.prompt


def test_every_price_entry_has_source_and_is_plausible() -> None:
    """Cached tokens cost no more than fresh ones, and every date is one."""
    entries = orjson.loads(PRICES_FILE.read_bytes())["prices"]
    prices = load_prices().prices

    assert len(entries) == len(prices)
    for entry, price in zip(entries, prices, strict=True):
        assert date.fromisoformat(entry["as_of"]) <= date(2026, 11, 21)
        assert len(entry["source"]) > 10
        assert 0 < price.cached <= price.prompt < price.completion or price.completion == 0


def test_price_as_a_json_number_is_refused() -> None:
    """Numbers lose digits on their way through a float, so prices are strings."""
    usd = {"prompt": 0.05, "cached": "0", "completion": "1"}
    entry = {"models": ["m"], "usd_per_million_tokens": usd, "source": "s", "as_of": "2026-01-01"}

    with pytest.raises(ValueError, match="send decimals as strings"):
        parse_prices(orjson.dumps({"prices": [entry]}))


def test_entry_without_a_price_is_named() -> None:
    """The message has the entry and the missing field."""
    with pytest.raises(ValueError, match="lacks 'usd_per_million_tokens'"):
        parse_prices(b'{"prices": [{"models": ["m"]}]}')


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("input=0.1,output=0.4", "0.7"),
        ("output=0.4, input=0.1, cached=0.01", "0.52"),
        ("input=0,output=0", "0"),
    ],
)
def test_operators_price_needs_input_and_output(text: str, cost: str) -> None:
    """Cached tokens cost their own price, or that of other input."""
    million = 1_000_000
    tokens = Tokens(prompt=3 * million, cached=2 * million, completion=million, reported=True)

    assert Decimal(cost) == parse_own_price(text).cost_usd(tokens)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not one of input="),
        ("input=0.1", "output is missing"),
        ("input=0.1,output=x", "output is 'x', not a number"),
        ("input=-1,output=1", "input is -1, not between 0 and 1,000,000"),
        ("input=1,output=NaN", "not a number"),
        ("input=1,input=2,output=1", "'input=2' is not one of"),
        ("prompt=1,output=1", "'prompt=1' is not one of"),
    ],
)
def test_operators_price_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    """The message has the wrong part and an example."""
    with pytest.raises(ValueError, match="write input=0.1,output=0.4") as refused:
        parse_own_price(text)

    assert message in str(refused.value)
