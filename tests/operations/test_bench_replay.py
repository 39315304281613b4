"""The bench of replays plays every bar, and prints what it measured."""

from operations.bench.replay import INTERVALS, replay_figures
from operations.commands.bench import replay_lines


def test_replay_is_measured_for_each_interval() -> None:
    """Its memory does not grow with the bars: books and histories are bounded."""
    found = replay_figures(bars=1_200, rounds=1)

    assert [str(interval) for interval in INTERVALS] == list(found["bars_per_s"])
    assert all(per_s > 0 for per_s in found["bars_per_s"].values())
    assert found["seeded_bars_per_s"]["whole"] > found["seeded_bars_per_s"]["steps"]
    first, seeded, second = replay_lines(found)
    assert first.startswith("replay of 3 products, no agent due, no indicators: bars/s ")
    assert seeded.startswith("  seeded prices: bars/s ")
    assert "blocks of memory more after the second 600 bars" in second
    assert [] == replay_lines(None)
