"""The indicators in prompts: every value of the snapshot, or a line that says what is left out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena.messages import IndicatorWindow, MarketSnapshot, ProductView, PromptSize
from chat_nodes.prompt_reader import read_market
from routers.prompt import render_market
from routers.prompt_indicators import render_indicators, value_text
from routers.prompt_sizes import PROMPT_FORMS
from routers.strategy import load_strategy, shipped_names
from tests.routers.builders import snapshot

SINCE = datetime(2026, 3, 1, 10, 2, tzinfo=UTC)
VALUES = {"ema_20": 67203.6123456, "rsi_14": 55.2178341, "return_4": -0.00123456789, "adx_14": None}


def with_indicators(seen: MarketSnapshot, count: int = 4) -> MarketSnapshot:
    """A snapshot whose products have indicators on two granularities."""
    values = dict(list(VALUES.items())[:count]) | {f"sma_{n}": 1.5 for n in range(5, count + 1)}
    windows = {name: IndicatorWindow(since=SINCE, bars=30, values=values) for name in ("1m", "5m")}
    views = tuple(one.model_copy(update={"indicators": windows}) for one in seen.products)
    return seen.model_copy(update={"products": views})


def test_a_strategy_that_asks_sees_every_value() -> None:
    """The table can be read back; a value that needs more bars is a dash."""
    seen = with_indicators(snapshot())
    text = render_market(seen, shows=("indicators",))
    market = read_market(f"{text.heading}\n{text.body}")

    assert "product_id,bars,ema_20,rsi_14,return_4,adx_14" in text.body
    assert "BTC-USD,1m,67203.61,55.21783,-0.001234568,-" in text.body
    assert market is not None
    for view in seen.products:
        for name in ("1m", "5m"):
            assert Decimal("55.21783") == market.indicator(view.product_id, name, "rsi_14")
            assert Decimal("-0.001234568") == market.indicator(view.product_id, name, "return_4")
            assert market.indicator(view.product_id, name, "adx_14") is None


def test_a_strategy_that_does_not_ask_sees_none() -> None:
    """Its prompt is that of a snapshot without indicators."""
    assert render_market(snapshot()) == render_market(with_indicators(snapshot()))


@pytest.mark.parametrize("size", ["full", "compact", "tiny"])
@pytest.mark.parametrize("count", [4, 70])
def test_the_bounds_of_each_size_hold(size: PromptSize, count: int) -> None:
    """What does not fit is named in the text and in the turn's record."""
    seen = with_indicators(snapshot(), count)
    form = PROMPT_FORMS[size]
    section = render_indicators(seen.products, form)
    market = render_market(seen, size, ("indicators", "context"))

    assert section.lines
    assert section.chars <= form.indicators_chars_max
    assert len(market.heading) + len(market.body) + 1 <= form.market_chars_max
    shown = len(section.lines[1].split(",")) - 2
    assert min(count, form.indicator_columns_min) <= shown <= form.indicator_columns_max
    if shown < count:
        assert f"{count - shown} indicator" in section.left_out
        assert section.left_out in section.lines[-1]
        assert section.left_out in market.left_out


@pytest.mark.parametrize("size", ["compact", "tiny"])
@pytest.mark.parametrize("count", [3, 10, 30])
def test_indicators_leave_no_product_out(size: PromptSize, count: int) -> None:
    """A prompt shows as many tickers as without them; what has no room is named."""
    views = tuple(
        view.model_copy(update={"product_id": f"P{number:02d}-USD"})
        for number, view in enumerate((with_indicators(snapshot()).products * 30)[:count])
    )
    seen = snapshot().model_copy(update={"products": views})
    plain = render_market(seen, size)
    shown = render_market(seen, size, ("indicators", "context"))

    assert plain.products == shown.products
    assert ("## Indicators" in shown.body) != ("the indicators" in shown.left_out.split(" and "))
    form = PROMPT_FORMS[size]
    assert len(shown.heading) + len(shown.body) + 1 <= form.market_chars_max


def test_a_series_that_starts_again_says_so_until_it_is_warm() -> None:
    """The line names the missing bar; a warm series has none."""
    gap = SINCE - timedelta(minutes=1)
    cold = IndicatorWindow(since=SINCE, bars=3, gap=gap, values={"rsi_14": None})
    warm = cold.model_copy(update={"values": {"rsi_14": 50.0}})
    view = ProductView(product_id="BTC-USD", indicators={"1m": cold, "5m": warm})

    lines = render_indicators([view], PROMPT_FORMS["full"]).lines
    assert "(BTC-USD 1m starts again at 10:02: no bar at 10:01)" == lines[-1]
    assert 1 == sum("starts again" in line for line in lines)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (67203.6123456, "67203.61"),
        (1.23456789e-8, "0.00000001234568"),
        (123456789012.0, "123456800000"),
        (-5.5, "-5.5"),
    ],
)
def test_values_have_seven_digits_and_no_exponent(value: float | None, text: str) -> None:
    """They are read as plain numbers at every magnitude."""
    assert text == value_text(value)


def test_shipped_strategies_that_trade_on_indicators_ask_for_them() -> None:
    """Baselines see nothing that they do not use."""
    asking = {name for name in shipped_names() if "indicators" in load_strategy(name).shows}
    assert {"momentum", "scalper"} <= asking
    assert not asking & {"cash", "random", "buy_and_hold"}
