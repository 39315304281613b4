"""The limits that govern an agent: requests, its own table, the arena's."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from arena.bus.base import Record
from arena.messages import Halt, Message, RiskAdjustment, RiskRequest
from arena.risk_limits import OFF, RiskLimits
from arena.risk_state import RiskState
from arena.wire import encode
from trading_tools.risk.requests import LimitSettings

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
STANDARD, CAUTIOUS = RiskLimits.of_preset("standard"), RiskLimits.of_preset("cautious")


def request(agent: str | None = None, **values: Any) -> RiskRequest:  # Any: fields of the message
    """A request of an operator."""
    return RiskRequest(agent=agent, by="test", at=AT, **values)


def record(key: str, message: Message, offset: int = 5) -> Record:
    """A record of `arena.control`."""
    encoded = encode(message)
    return Record("arena.control", 0, offset, 0, key.encode(), encoded.value, dict(encoded.headers))


def settings() -> LimitSettings:
    """An arena under the preset standard, in which one agent has its own limits."""
    return LimitSettings(STANDARD, {"mo": CAUTIOUS})


def test_an_agents_own_table_precedes_the_arenas() -> None:
    """Without a request the files decide."""
    found = settings()

    assert [("arena", STANDARD), ("agent", CAUTIOUS)] == [
        ((one := found.limits_for(agent)).set_by, one.limits) for agent in ("bo", "mo")
    ]


def test_a_request_adds_limits_to_those_of_the_files() -> None:
    """Limits by name change those of the agent's files; the others stay."""
    found = settings()

    assert found.note(request("mo", limits={"max_symbol_exposure_pct": 5}), 7) == ""
    assert found.limits_for("mo").limits.preset == "cautious"

    mo = found.limits_for("mo")
    assert ("request", "5", "80", 7) == (
        mo.set_by,
        str(mo.limits.max_symbol_exposure_pct),
        str(mo.limits.max_portfolio_exposure_pct),
        mo.request_offset,
    )


def test_a_request_for_all_leaves_agents_with_their_own_table() -> None:
    """A request for all replaces `[risk]`, and neither a table nor a request of an agent."""
    found = settings()
    found.note(request(preset="aggressive"), 7)
    found.note(request("al", preset="off"), 8)

    assert ["aggressive", "cautious", "off"] == [
        found.limits_for(agent).limits.preset for agent in ("bo", "mo", "al")
    ]


def test_a_lift_keeps_what_was_asked_before() -> None:
    """A request that only lifts leaves the limits in force, and lifts once."""
    found = settings()
    found.note(request("bo", preset="cautious"), 3)
    found.note(request("bo", lift=True), 9)
    bo = found.limits_for("bo")

    assert (CAUTIOUS, 9, 9) == (bo.limits, bo.request_offset, bo.lift_offset)
    assert bo.lifts(RiskState(request_offset=3))
    assert not bo.lifts(RiskState(request_offset=9))


def test_a_reset_returns_to_the_files() -> None:
    """After a reset the files decide again."""
    found = settings()
    found.note(request("bo", preset="cautious"), 3)
    found.note(request("bo", reset=True), 4)

    assert ("arena", STANDARD, 4) == (
        found.limits_for("bo").set_by,
        found.limits_for("bo").limits,
        found.limits_for("bo").request_offset,
    )


def test_the_account_log_says_once_what_is_in_force() -> None:
    """A record is due if the limits, their source or a request are not in the account's state."""
    found = settings()
    bo = found.limits_for("bo")
    said = RiskState(limits=STANDARD.text, set_by="arena")

    assert (True, False) == (bo.differ_from(RiskState()), bo.differ_from(said))
    assert not LimitSettings().limits_for("bo").differ_from(RiskState())
    found.note(request("bo", lift=True), 2)
    assert found.limits_for("bo").differ_from(said)


@pytest.mark.parametrize(
    ("key", "message", "words"),
    [
        ("risk/bo", request("bo", limits={"max_symbol_exposure_pct": 0}), "give a percentage"),
        ("risk/bo", request("bo", preset="brave"), "the presets are"),
        ("risk/bo", request("mo"), "a request for mo under another key"),
        ("risk/bo", request(), "a request for all under another key"),
        ("risk/bo", Halt(agent="bo", by="t", at=AT), "a Halt under the key of a risk request"),
    ],
)
def test_what_cannot_be_used_changes_nothing(key: str, message: Message, words: str) -> None:
    """The limits stay, and the fold says why."""
    found = settings()

    why = found.take(record(key, message))

    assert words in why
    assert found.faults == {"risk/bo": why}
    assert (STANDARD, -1) == (
        found.limits_for("bo").limits,
        found.limits_for("bo").request_offset,
    )


def test_records_of_other_keys_are_not_requests() -> None:
    """Halts are none of the fold's business."""
    found = settings()

    assert found.take(record("agent/bo", Halt(agent="bo", by="t", at=AT))) == ""
    assert found.take(record("risk/all", request(preset="off"))) == ""
    assert found.limits_for("bo").limits == OFF


def test_candles_are_needed_while_a_limit_uses_them() -> None:
    """Files and requests decide whether the executor follows candles."""
    found = LimitSettings(STANDARD)

    assert not found.needs_candles
    found.note(request("bo", limits={"max_var_pct": 3}), 1)
    assert found.needs_candles


def adjustment(agent: str = "bo", factor: str = "0.5", minutes: int = 60) -> RiskAdjustment:
    """An adjustment of the coach."""
    until = AT + timedelta(minutes=minutes)
    return RiskAdjustment(agent=agent, factor=Decimal(factor), expires_at=until, by="judge", at=AT)


def exposure(found: LimitSettings, agent: str, minute: int) -> tuple[str, str]:
    """The limits of exposure of an agent at a minute."""
    limits = found.limits_for(agent, AT + timedelta(minutes=minute)).limits
    return str(limits.max_symbol_exposure_pct), str(limits.max_portfolio_exposure_pct)


def test_an_adjustment_scales_exposure_until_its_time() -> None:
    """Other limits stay, and nothing is left of it afterwards."""
    found = settings()
    before = exposure(found, "bo", 0)

    assert "" == found.take(record("adjust/bo", adjustment()))
    assert ("25", "49") == exposure(found, "bo", 59)
    assert before == exposure(found, "bo", 60)
    assert found.limits_for("bo", AT).limits.max_daily_loss_pct == STANDARD.max_daily_loss_pct
    assert exposure(found, "mo", 0) == ("10", "80")


def test_an_adjustment_counts_a_limit_that_is_off_as_100_percent() -> None:
    """So an agent without limits has some for a while; none becomes 0."""
    found = LimitSettings()
    found.take(record("adjust/bo", adjustment(factor="0.25")))
    assert ("25", "25") == exposure(found, "bo", 0)
    found.take(record("adjust/bo", adjustment(factor="0.000001")))
    assert ("0.01", "0.01") == exposure(found, "bo", 0)


def test_an_adjustment_tightens_what_an_operator_asked_for() -> None:
    """And neither replaces the other."""
    found = settings()
    found.take(record("adjust/bo", adjustment()))
    found.note(request("bo", limits={"max_symbol_exposure_pct": 8}), 7)
    assert "4" == exposure(found, "bo", 0)[0]
    assert "8" == exposure(found, "bo", 60)[0]
    assert "judge" == found.limits_for("bo", AT).by


def test_an_adjustment_under_another_key_changes_nothing() -> None:
    """The key says whose it is."""
    found = settings()
    before = exposure(found, "bo", 0)
    for key in ("adjust/mo", "risk/bo"):
        assert found.take(record(key, adjustment()))
    assert "" == found.take(record("agent/bo", adjustment()))
    assert before == exposure(found, "bo", 0)
