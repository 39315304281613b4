"""The bench of indicators measures what the snapshots of a run would cost."""

import pytest

from operations.bench import indicators
from operations.commands.bench import indicator_lines


def test_indicators_stay_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot with the standard set has at most 1.3 x the bytes; every figure is printed."""
    monkeypatch.setattr(indicators, "ROUNDS", 1)
    monkeypatch.setattr(indicators, "REPEATS", 2)
    figures = indicators.indicator_figures()

    assert 1 < figures["bytes_ratio"] <= 1.3
    assert 0 < figures["us"] < 5_000
    assert 0 < min(figures["decode_us"])
    lines = indicator_lines(figures)
    assert f"{figures['us']} us per product and snapshot" in lines[0]
    assert f"{figures['bytes'][0]:,} bytes without, {figures['bytes'][1]:,} with" in lines[1]


def test_no_line_without_figures() -> None:
    """The other parts of the bench do not measure indicators."""
    assert [] == indicator_lines(None)
