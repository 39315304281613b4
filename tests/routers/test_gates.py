"""When an agent is asked: gates, caps and causes, as a pure function."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.durations import duration_text
from arena.gate_settings import GateFault, gates_of, gates_text
from arena.messages import AskedFor, Gates, SkippedFor
from routers.gates import CallsMade, GateDecision, LastTurn, WakeCause, decide
from tests.routers.builders import AS_OF

MIDS = {"BTC-USD": Decimal(100), "ETH-USD": Decimal(10)}
FILL = WakeCause("fill", "account.events[0]@4")
HALT = WakeCause("halt", "arena.control[0]@2")


def decided(
    gates: Gates | None,
    seconds: float,
    *,
    offset: int = 1,
    cadence: int = 1,
    mids: dict[str, Decimal] | None = None,
    calls: tuple[CallsMade, ...] = (),
    causes: tuple[WakeCause, ...] = (),
) -> tuple[bool, str]:
    """The decision so many seconds after a turn on offset 0."""
    found = decide(
        gates,
        cadence,
        LastTurn(0, AS_OF, MIDS),
        calls,
        offset=offset,
        as_of=AS_OF + timedelta(seconds=seconds),
        mids=mids or MIDS,
        causes=causes,
    )
    return found.asked, found.reason


def settings(**given_settings: object) -> Gates:
    """Gates from settings."""
    found = gates_of(given_settings)
    assert found is not None
    return found


def test_first_snapshot_is_always_asked() -> None:
    """Whatever the gates are."""
    gates = settings(every="1h", on_move_pct=50, calls_per_hour_max=1)

    assert GateDecision(True, "first", "", 1) == decide(
        gates, 9, None, (), offset=3, as_of=AS_OF, mids={}
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(24.999, (False, "every")), (25, (True, "due")), (-1, (True, "due"))],
)
def test_every_is_the_least_time_since_the_last_turn(
    seconds: float, expected: tuple[bool, str]
) -> None:
    """It is over at exactly that time; a clock that was set back does not silence the agent."""
    assert expected == decided(settings(every="25s"), seconds)


def test_cadence_counts_offsets() -> None:
    """With cadence 3 offsets 1 and 2 are skipped."""
    found = [decided(None, 60, offset=offset, cadence=3) for offset in (1, 2, 3)]

    assert [(False, "cadence"), (False, "cadence"), (True, "due")] == found


@pytest.mark.parametrize(
    ("mid", "seconds", "expected"),
    [
        ("100.49", 60, (False, "no_move")),
        ("100.5", 60, (True, "move")),
        ("99.5", 60, (True, "move")),
        ("100.5", 5, (False, "every")),
        ("100", 1799, (False, "no_move")),
        ("100", 1800, (True, "quiet_max")),
    ],
)
def test_move_or_quiet_max_asks(mid: str, seconds: float, expected: tuple[bool, str]) -> None:
    """A move of any product, in either direction, after `every`; or half an hour of quiet."""
    gates = settings(every="25s", on_move_pct=0.5)

    assert expected == decided(gates, seconds, mids=MIDS | {"BTC-USD": Decimal(mid)})


def test_first_price_of_a_product_is_not_a_move() -> None:
    """It has no mid to compare with."""
    gates = settings(on_move_pct=0.5)

    assert (False, "no_move") == decided(gates, 60, mids=MIDS | {"SOL-USD": Decimal(1)})


def test_cause_asks_whatever_every_and_moves_say() -> None:
    """Only causes that are asked for count, and the decision names the record."""
    gates = settings(every="1h", on_move_pct=5, wake_on=["fill", "halt"])

    assert (True, "fill") == decided(gates, 1, causes=(FILL,), cadence=9)
    assert (True, "halt") == decided(gates, 1, causes=(HALT, FILL))
    assert (False, "every") == decided(gates, 1, causes=(WakeCause("resume", ""),))
    assert (False, "every") == decided(settings(every="1h"), 1, causes=(FILL,))
    asked = decide(gates, 1, LastTurn(0, AS_OF), (), offset=1, as_of=AS_OF, mids={}, causes=(FILL,))
    assert FILL.place == asked.by


def test_caps_hold_against_every_reason() -> None:
    """Calls of the sliding hour count, also against a cause; the turn gets what is left."""
    gates = settings(calls_per_hour_max=4, calls_per_day_max=6, wake_on=["fill"])
    calls = (
        CallsMade("a", AS_OF - timedelta(hours=2), 2),
        CallsMade("b", AS_OF, 2),
    )
    later = AS_OF + timedelta(seconds=60)
    last = LastTurn(0, AS_OF)

    assert GateDecision(True, "due", "", 2) == decide(
        gates, 1, last, calls, offset=1, as_of=later, mids={}
    )
    full = (*calls, CallsMade("c", AS_OF, 2))
    assert (False, "calls_per_hour_max") == decided(gates, 60, calls=full, causes=(FILL,))
    assert (False, "calls_per_hour_max") == decided(gates, 3599, calls=full)
    assert (False, "calls_per_day_max") == decided(gates, 3600, calls=full)
    assert (True, "due") == decided(gates, 22 * 3600 + 1, calls=full)


def test_no_decision_is_made_beyond_their_number() -> None:
    """Neither the first snapshot nor a cause gets one more; other gates are named before."""
    gates = settings(decisions_max=2, every="1h", wake_on=["fill"])

    def reason(turns: int, seconds: float, causes: tuple[WakeCause, ...] = ()) -> str:
        at, last = AS_OF + timedelta(seconds=seconds), LastTurn(0, AS_OF)
        found = decide(gates, 1, last, (), offset=1, as_of=at, mids={}, causes=causes, turns=turns)
        return found.reason

    assert [reason(turns, 3600) for turns in (0, 1, 2, 3)] == ["due", "due"] + ["decisions_max"] * 2
    assert reason(2, 60, (FILL,)) == "decisions_max"
    assert reason(2, 60) == "every"


def test_turn_that_needs_two_calls_does_not_start_with_one_left() -> None:
    """Kinds of turns that ask several roles at once would exceed the cap."""
    gates, calls = settings(calls_per_hour_max=3), (CallsMade("a", AS_OF, 2),)
    later = AS_OF + timedelta(minutes=1)
    found = [
        decide(
            gates,
            1,
            LastTurn(0, AS_OF),
            calls,
            offset=1,
            as_of=later,
            mids={},
            calls_min=needed,
        ).reason
        for needed in (1, 2)
    ]

    assert ["due", "calls_per_hour_max"] == found


@given(
    steps=st.lists(st.tuples(st.integers(1, 5_000), st.integers(1, 4)), max_size=60),
    hour=st.integers(1, 9),
    day=st.integers(1, 20),
)
def test_caps_are_never_exceeded(steps: list[tuple[int, int]], hour: int, day: int) -> None:
    """In no hour and in no day does an agent make more calls than its caps, whatever it wants."""
    gates = Gates(calls_per_hour_max=hour, calls_per_day_max=day)
    made: list[CallsMade] = []
    last, at = None, AS_OF
    for offset, (seconds, wanted) in enumerate(steps):
        at += timedelta(seconds=seconds)
        found = decide(gates, 1, last, made, offset=offset, as_of=at, mids={})
        if found.asked:
            assert found.calls_max is not None
            made.append(CallsMade(str(offset), at, min(wanted, found.calls_max)))
            last = LastTurn(offset, at)
        for most, window in ((hour, 1), (day, 24)):
            recent = [c.calls for c in made if at - c.as_of < timedelta(hours=window)]
            assert sum(recent) <= most


@pytest.mark.parametrize(
    ("given_settings", "text"),
    [
        ({"every": "0s"}, "every is '0s'"),
        ({"every": "25"}, 'such as "25s"'),
        ({"every": 25}, "every is 25"),
        ({"every": "8d"}, 'at most "7d"'),
        ({"on_move_pct": 0}, "on_move_pct is 0; write a percentage"),
        ({"on_move_pct": True}, "on_move_pct is True"),
        ({"on_move_pct": float("nan")}, "on_move_pct is nan"),
        ({"on_move_pct": "much"}, "on_move_pct is 'much'"),
        ({"quiet_max": "5m"}, "without on_move_pct; add it"),
        (
            {"on_move_pct": 1, "every": "10m", "quiet_max": "5m"},
            "quiet_max is '5m', shorter than every = '10m'",
        ),
        ({"calls_per_hour_max": 0}, "calls_per_hour_max is 0; write a whole number from 1"),
        ({"calls_per_day_max": 1.5}, "calls_per_day_max is 1.5"),
        ({"calls_per_day_max": 20_000}, "from 1 to 10,000"),
        ({"wake_on": ["loss"]}, "wake_on names 'loss'; choose from halt, resume, exit, fill"),
        ({"wake_on": 3}, "wake_on is 3; write a list"),
    ],
)
def test_setting_that_cannot_be_used(given_settings: dict[str, object], text: str) -> None:
    """The fault has the value and the remedy."""
    with pytest.raises(GateFault) as found:
        gates_of(given_settings)

    assert text in str(found.value)


def test_later_settings_take_precedence() -> None:
    """An agent changes one setting of its strategy, and turns another off."""
    strategy = {"every": "25s", "on_move_pct": 0.5, "wake_on": ("fill",), "quiet_max": None}
    found = gates_of(strategy, {"every": "1m", "wake_on": "off", "calls_per_day_max": "9"})

    assert found == Gates(
        every_s=60, on_move_pct=Decimal("0.5"), quiet_max_s=1800, calls_per_day_max=9
    )
    assert gates_of({"every": "25s"}, {"every": "off"}) is None
    assert gates_of({}) is None
    long = gates_of({"every": "2h", "on_move_pct": 1})
    assert long is not None
    assert long.quiet_max_s == 7200


def test_quiet_max_is_off_with_the_move_or_by_itself() -> None:
    """An agent that turns its strategy's move off need not know the strategy's `quiet_max`."""
    strategy = {"on_move_pct": 1, "quiet_max": "45m", "every": "25s"}
    own = gates_of(strategy, {"quiet_max": "off"})

    assert "every 25s" == gates_text(gates_of(strategy, {"on_move_pct": "off"}))
    assert own is not None
    assert own.quiet_max_s is None
    assert "every 25s, on_move_pct 1, quiet_max off" == gates_text(own)
    with pytest.raises(GateFault, match="quiet_max is '1h' without on_move_pct"):
        gates_of(strategy, {"on_move_pct": "off", "quiet_max": "1h"})


def test_gates_as_text() -> None:
    """As they are written, in the largest exact unit."""
    assert "off" == gates_text(None)
    assert "every 3 snapshots" == gates_text(None, 3)
    gates = settings(every="90s", on_move_pct=0.5, wake_on="fill,halt", calls_per_hour_max=60)
    expected = "every 90s, on_move_pct 0.5, quiet_max 30m, calls_per_hour_max 60, wake_on halt+fill"
    assert expected == gates_text(gates)
    assert ["1d", "2h", "30m", "25s"] == [duration_text(s) for s in (86400, 7200, 1800, 25)]


def test_words_are_listed_once() -> None:
    """No word is both a reason to ask and a reason to skip."""
    assert not {*map(str, AskedFor)} & {*map(str, SkippedFor)}
