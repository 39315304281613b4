"""The kind of market in the header."""

from dataclasses import replace

import pytest

from dashboard.labels import market_text
from dashboard.model.frame import build_frame
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of


@pytest.mark.parametrize(
    ("recorded", "lock_step", "speed", "expected"),
    [
        (True, True, 1.0, "recorded, lock-step"),
        (False, True, 1.0, "simulated, lock-step"),
        (True, False, 3600.0, "recorded, 3600x"),
        (False, False, 1.0, "simulated, real time"),
    ],
)
def test_market_text_shows_recorded_prices_and_lock_step(
    recorded: bool, lock_step: bool, speed: float, expected: str
) -> None:
    """A market that waits for every decision is not shown as "real time"."""
    scenario = Scenario().run(1)
    summary = build_frame(view_of(scenario.records), scenario.wall).summary

    changed = replace(summary, recorded=recorded, lock_step=lock_step, speed=speed)
    assert expected == market_text(changed)
