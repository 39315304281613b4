"""Feature sets: presets, indicators with granularities, and errors that name the remedy."""

from decimal import Decimal
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.indicators import CATALOGUE, NONE, PRESETS, parse_feature_set, parse_spec, spec_of
from arena.strategy_files import shipped_strategies


def test_indicator_without_a_granularity_is_for_three() -> None:
    """It is for 1m, 5m and 15m; with a granularity it is for that one only."""
    chosen = parse_feature_set("rsi_7, ema_200@1m")

    assert "rsi_7@1m,ema_200@1m,rsi_7@5m,rsi_7@15m" == chosen.text
    assert chosen == parse_feature_set(chosen.text)
    assert 200 == chosen.minutes


def test_defaults_and_repetitions_count_once() -> None:
    """A metric without numbers has its defaults, and is the same as with them written out."""
    assert parse_feature_set("rsi@1m") == parse_feature_set("RSI_14@1m,rsi_14@1m, rsi@1m")
    assert "macd_12_26_9" == parse_spec("macd").text
    assert ("bollinger_upper_20_2.5", "bollinger_middle_20_2.5", "bollinger_lower_20_2.5") == (
        parse_spec("bollinger_20_2.50").names
    )


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_used(name: str) -> None:
    """It is read, its values have names of their own, and it needs at most 300 minutes."""
    chosen = parse_feature_set(name)
    names = [value for specs in chosen.specs.values() for one in specs for value in one.names]

    assert (not names) == (name == NONE)
    assert chosen.minutes <= 300
    for specs in chosen.specs.values():
        values = [value for one in specs for value in one.names]
        assert len(values) == len(set(values))


def test_every_style_has_a_preset() -> None:
    """Each shipped strategy that trades by a style of its own has a set of that name."""
    assert shipped_strategies() - {"cash", "random", "buy_and_hold"} <= set(PRESETS)


def test_standard_set_is_warm_in_twenty_bars_of_fifteen_minutes() -> None:
    """It has every metric in 1m and 5m, and in 15m only what 300 minutes are enough for."""
    chosen = parse_feature_set("standard")

    assert (300, 314) == (chosen.minutes, chosen.minutes_at_any_time)
    assert set(CATALOGUE) == {one.metric for one in chosen.specs["1m"]}
    assert chosen.specs["1m"] == chosen.specs["5m"]
    assert 20 == max(one.bars for one in chosen.specs["15m"])


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "the feature set is empty", "write 'none', or presets: standard"),
        (" , ", "the feature set is empty", "write 'none'"),
        ("rsl_14", "unknown metric 'rsl'", "the metrics are rsi, "),
        ("standart", "unknown preset 'standart'", "the presets are standard, "),
        ("plus_di_14", "'plus_di' is a value of the metric adx", "ask for 'adx'"),
        ("rsi_1", "length of rsi must be 2 to 500, got 1", "use 2 to 500"),
        ("rsi_501@1m", "length of rsi must be 2 to 500, got 501", "use 2 to 500"),
        ("rsi_14.5", "length of rsi must be a whole number, got 14.5", "use 2 to 500"),
        ("rsi_14_3", "rsi has 1 parameter (length), got 2", "for example rsi_14"),
        ("macd_12", "macd has 3 parameters (fast, slow, signal), got 1", "macd_12_26_9"),
        ("macd_26_12_9", "must be less than the slow one, got 26 and 12", "macd_12_26_9"),
        ("macd_12_12_9", "must be less than the slow one, got 12 and 12", "macd_12_26_9"),
        ("bollinger_20_11", "deviations of bollinger must be 0.1 to 10, got 11", "use 0.1 to 10"),
        ("rsi_14@2m", "unknown granularity '2m'", "the granularities are 1m, 5m, 15m, 1h, 1d"),
        ("rsi_14@", "unknown granularity ''", "the granularities are 1m, 5m, 15m, 1h, 1d"),
        ("standard@5m", "the preset 'standard' has granularities of its own", "write 'standard'"),
        ("rsi-14", "'rsi-14' is not an indicator", "for example rsi_14"),
        ("rsi_14 rsi_7", "'rsi_14 rsi_7' is not an indicator", "for example rsi_14"),
        ("ema_200@1h", "ema_200@1h needs 200 bars of 1h: 12000 minutes", "4320 minutes (3 days)"),
        (f"sma_{'9' * 90}", f"'sma_{'9' * 76}' is not an indicator", "for example rsi_14"),
    ],
)
def test_wrong_text_is_refused_with_value_and_remedy(text: str, message: str, remedy: str) -> None:
    """The error names what was given, and what to write instead."""
    with pytest.raises(UsageError) as caught:
        parse_feature_set(text)

    assert message in str(caught.value)
    assert remedy in caught.value.remedy


def test_too_many_indicators_are_refused() -> None:
    """A set is bounded, because each agent reads it with each snapshot."""
    text = ",".join(f"sma_{n}@1m" for n in range(2, 103))

    with pytest.raises(UsageError, match="the feature set has 101 indicators"):
        parse_feature_set(text)


def test_document_has_every_metric_and_preset() -> None:
    """`docs/data.md` names the values of each metric with its defaults, and each preset."""
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    section = text.partition("### Indicators")[2]

    for metric in CATALOGUE:
        for name in spec_of(metric).names:
            assert f"`{name}`" in section, name
    assert all(f"`{name}`" in section for name in PRESETS)


def test_spec_of_numbers_equals_its_text() -> None:
    """A metric and its numbers give the same as the text."""
    assert parse_spec("macd_5_35_5") == spec_of("macd", [Decimal(5), Decimal(35), Decimal(5)])


def test_a_set_has_a_bounded_number_of_values() -> None:
    """An indicator may have three values: 60 products with 300 each would exceed a record."""
    names = ",".join(f"bollinger_{n}_2@1m" for n in range(10, 60))

    assert 50 == len(parse_feature_set(names).specs["1m"])
    with pytest.raises(UsageError, match="has 153 values"):
        parse_feature_set(f"{names},adx_14@5m")
