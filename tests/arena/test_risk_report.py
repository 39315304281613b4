"""The report of limits says under which ones an agent ran."""

from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from arena.messages import RiskLimitsSet
from arena.messages.risk import LimitSource
from arena.risk_limits import RiskLimits
from arena.risk_report import RiskReport

STANDARD = RiskLimits.of_preset("standard").as_json()


def limits_set(
    limits: dict[str, JsonValue],
    preset: str = "",
    set_by: LimitSource = "arena",
    *,
    lift: bool = False,
) -> RiskLimitsSet:
    """A record that sets limits of an agent."""
    return RiskLimitsSet(
        epoch=1, owner="o", seq=1, prev="", order_id="id", agent="mo", limits=limits,
        preset=preset, set_by=set_by, lift=lift, at=datetime(2026, 11, 30, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (limits_set(STANDARD, "standard"), "standard"),
        (limits_set(STANDARD | {"max_daily_loss_pct": "5"}, "standard"), "standard, changed"),
        (limits_set({"max_daily_loss_pct": "5"}), "custom"),
        (limits_set({}, set_by="request"), "off, by request"),
        (limits_set(STANDARD, "standard", lift=True), "standard, breach lifted"),
    ],
)
def test_limits_that_were_set_have_words(event: RiskLimitsSet, words: str) -> None:
    """The preset, whether it was changed, and whether an operator asked for it."""
    report = RiskReport()
    report.take(event)

    assert {words: 1} == report.of_agent("mo").settings
    assert {} == report.days


def test_a_change_in_the_middle_is_told() -> None:
    """Both limits are counted, in the order in which they were set."""
    report = RiskReport()
    for event in (limits_set(STANDARD, "standard"), limits_set({}, set_by="request")):
        report.take(event)

    assert ["standard", "off, by request"] == [*report.of_agent("mo").settings]
