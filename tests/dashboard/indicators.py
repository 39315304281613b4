"""Indicators in the tests' arena: some need more bars, one series began after a gap."""

from datetime import UTC, datetime

from arena.messages import IndicatorWindow

SINCE = datetime(2026, 11, 21, 8, tzinfo=UTC)
INDICATORS = {
    "1m": IndicatorWindow(
        since=SINCE,
        bars=90,
        values={"ema_20": 67203.6123456, "rsi_14": 55.2178, "return_4": -0.00123, "adx_14": None},
    ),
    "5m": IndicatorWindow(
        since=SINCE, bars=3, gap=SINCE, values={"ema_20": None, "volume_ratio_20": 1.25e-9}
    ),
}
