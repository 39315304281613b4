"""The state of the price feed on the screen."""

from datetime import UTC, datetime, timedelta

import pytest

from arena.liveness import FEED_DOWN, OTHER_CONNECTORS, VENUE_BANS
from dashboard.labels import KILLED, ended_text
from dashboard.model.rows import ReadStatus
from dashboard.terminal.screen import render
from dashboard.terminal.standings_text import progress_line
from dashboard.terminal.ui import Ui
from tests.dashboard.scenario import Scenario
from tests.dashboard.terminal.test_screen import frame_of, words_of

WHY = "cannot reach h.example: its name is not known; are you offline?"
NOW = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ended_at", "words"),
    [
        (datetime(2026, 11, 29, 22, 39, 59, tzinfo=UTC), "ended 22:39"),
        (datetime(2026, 11, 28, 22, 39, tzinfo=UTC), "ended 28 Nov 22:39"),
        (None, KILLED),
    ],
)
def test_end_of_a_run_has_a_time(ended_at: datetime | None, words: str) -> None:
    """The day is shown if it is another one; a killed run has not recorded its end."""
    assert words == ended_text(ended_at, NOW)


@pytest.mark.parametrize("snapshots", [0, 2])
@pytest.mark.parametrize("size", [(120, 40), (60, 20)])
def test_unreachable_venue_is_shown_with_its_cause(snapshots: int, size: tuple[int, int]) -> None:
    """The header shows DOWN, and a line the cause and the remedy."""
    scenario = Scenario().run(snapshots)
    scenario.wall += timedelta(seconds=60)
    scenario.beat("connector", "coinbase", details={FEED_DOWN: WHY})
    frame = frame_of(scenario)

    shown = words_of(render(frame, Ui(), *size))

    assert "feed DOWN" in shown
    assert "cannot reach h.example: its name is not known;" in shown
    assert WHY in progress_line(frame)
    assert "feed DOWN" not in words_of(
        render(frame, Ui(), *size, read_status=ReadStatus(ended="ended 1:00"))
    )


@pytest.mark.parametrize("size", [(120, 40), (60, 20)])
def test_market_warnings_of_all_connectors_are_shown(size: tuple[int, int]) -> None:
    """A ban and another connector, while prices come; the connectors do not hide each other."""
    scenario = Scenario().run(2)
    ban = "h.example answered 418: it asks for no requests before 12:00 UTC"
    scenario.beat("connector", "binance", details={VENUE_BANS: {"binance": ban}})
    scenario.beat("connector", "coinbase", details={OTHER_CONNECTORS: "another connector"})
    frame = frame_of(scenario)

    shown = words_of(render(frame, Ui(), *size))

    assert "feed DOWN" not in shown
    assert "binance: h.example answered 418: it asks for" in shown
    assert f"binance: {ban}; another connector" in progress_line(frame)
    assert "answered 418" in words_of(render(frame, Ui(screen="help"), 120, 60))
    ended = ReadStatus(ended="ended 1:00")
    assert "answered 418" not in words_of(render(frame, Ui(), *size, read_status=ended))


def test_stopped_connector_is_not_silent() -> None:
    """After the end of the market the feed is shown as ended, with the time."""
    scenario = Scenario().run(2)
    scenario.wall += timedelta(seconds=1)
    scenario.beat("connector", "replay", status="stopping")
    at = scenario.wall
    scenario.wall += timedelta(seconds=300)

    shown = words_of(render(frame_of(scenario), Ui(), 120, 40))

    assert f"feed ended {at + timedelta(hours=1):%H:%M}" in shown
    assert "SILENT" not in shown


def test_silent_broker_is_in_the_progress_line() -> None:
    """A reader of the lines sees that no new records can arrive."""
    assert "broker SILENT 12 s" in progress_line(frame_of(Scenario().run(1)), silent_s=12.0)
