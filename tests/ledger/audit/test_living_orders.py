"""Audit of limit orders and exits: limits of risk, exits, part fills and cancels."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from arena.risk_limits import RiskLimits
from ledger.audit.checker import InvariantStatus
from ledger.audit.sources import RecordSource
from ledger.audit.trace import trace
from ledger.audit.trace_records import order_ids
from tests.ledger.audit.contest_log import EVENTS, TICKERS, ContestLog, Json, body_of
from tests.ledger.living_log import (
    AGENT,
    BTC,
    OTHER,
    LivingArena,
    changed,
    living_arena,
    living_log,
)

CHECKED = (1, 2, 3, 4, 5, 6, 7, 9)
LIMITS = 4


@pytest.fixture(scope="module")
def sound() -> ContestLog:
    """The records of agents with limit orders and exits; tests change copies."""
    return living_log()


def test_every_kind_of_step_is_sound(sound: ContestLog) -> None:
    """The invariants of money, orders, limits, prices, the chain and lineage hold."""
    found = sound.results()
    outcomes = Counter(body_of(r).get("outcome") for r in sound.records[EVENTS])

    assert [] == [found[n] for n in CHECKED if found[n].status is InvariantStatus.FAIL]
    assert {"filled", "part_filled", "accepted", "cancelled", "expired", "rejected"} <= {*outcomes}
    counts = found[LIMITS].counts
    assert 3 == counts["exits fired"]
    assert counts["exits armed"] == counts["exits fired"] + counts["exits cancelled"] + 1
    assert 5 == counts["buys measured by limits of risk"]
    assert 2 == found[5].counts["fills of limit orders"]


def test_limit_may_be_written_with_zeros() -> None:
    """A limit of "40.00" is checked at 40."""
    written = RiskLimits.from_json({"max_symbol_exposure_pct": "40.00"})
    arena = LivingArena(written)
    arena.buy(AGENT, BTC, "0.1")
    found = arena.log().results()[LIMITS]

    assert "40.00" in written.text
    assert () == tuple(found.violations)
    assert 1 == found.counts["buys measured by limits of risk"]


def _filled(order_type: str) -> Callable[..., bool]:
    return lambda _, body: (body.get("order_type"), body.get("outcome")) == (order_type, "filled")


def _armed(order_type: str) -> Callable[..., bool]:
    return lambda _, body: (
        (body.get("order_type"), body.get("outcome")) == (order_type, "accepted")
        and body["product_id"] == BTC
    )


def _bought(_: object, body: Json) -> bool:
    return body.get("agent") == AGENT and body.get("action") == "buy" and bool(body.get("postings"))


def _fire_later(body: Json) -> None:
    body["trigger"]["offset"] += 1


def _fire_early(body: Json) -> None:
    body["terms"]["exits_at"] = "2026-11-22T00:00:00Z"


def _stop_higher(body: Json) -> None:
    body["terms"]["trigger_price"] = "61500"


def _fire_without_ticker(body: Json) -> None:
    del body["trigger"]


def _let_pass(body: Json) -> None:
    body["risk"]["decision"] = "rejected"


def _look_at_nothing(body: Json) -> None:
    body["risk"]["checks"] = []


def _no_verdict(body: Json) -> None:
    del body["risk"]


def _dear(body: Json) -> None:
    body["risk"]["bids"] = {BTC: "900000"}


@pytest.mark.parametrize(
    ("where", "change", "text"),
    [
        (_filled("take_profit"), _fire_later, "the first ticker that meets its level"),
        (_filled("take_profit"), _fire_without_ticker, "a ticker that triggered it"),
        (_armed("time_exit"), _fire_early, "a fill from 2026-11-22T00:00:00Z on"),
        (_armed("stop_loss"), _stop_higher, "a fill after market.tickers[0]"),
        (_bought, _let_pass, "an order that risk let pass"),
        (_bought, _look_at_nothing, "a check of max_symbol_exposure_pct at 40"),
        (_bought, _no_verdict, "a verdict about the limits in force"),
        (_bought, _dear, "a share of at most 40 % by max_symbol_exposure_pct"),
    ],
)
def test_breach_of_a_limit_is_reported(
    sound: ContestLog, where: Callable[..., bool], change: Callable[[Json], None], text: str
) -> None:
    """An exit that fired elsewhere, and a buy that no verdict allows, are violations."""
    found = changed(sound, where, change).failed()

    assert any(text in violation.expected for violation in found[LIMITS].violations)


def test_time_exit_may_fire_before_an_earlier_snapshot_was_read(sound: ContestLog) -> None:
    """The time of its ticker counts, too: the next check may be of a snapshot before that."""
    log = sound.copy()
    fired = log.find(
        EVENTS,
        lambda record, body: (
            body.get("order_type") == "time_exit" and body.get("outcome") == "filled"
        ),
    )
    kinds = [record.headers["type"] for record in log.records[EVENTS]]
    check = kinds.index(b"MarketChecked", fired)
    log.change(EVENTS, check, lambda body: body.update(as_of="2020-01-01T00:00:00Z"))

    found = log.results()[LIMITS]

    assert [] == [one for one in found.violations if one.expected.startswith("a fill from")]


def test_buy_after_a_breach_of_the_daily_loss_is_reported(sound: ContestLog) -> None:
    """The breach is moved to the beginning: every later buy of the day is a violation."""
    log = sound.copy()
    place = log.find(EVENTS, lambda record, _: record.headers["type"] == b"RiskTripped")
    tripped = log.records[EVENTS].pop(place)
    limits = log.find(EVENTS, lambda record, _: record.headers["type"] == b"RiskLimitsSet")
    log.records[EVENTS].insert(limits + 1, tripped)
    log.renumber(EVENTS)
    log.rebuild_chain()
    found = log.failed()[LIMITS].violations

    assert 5 == sum("sells only, max_daily_loss_pct" in one.expected for one in found)


def test_exit_of_a_closed_position_is_reported(sound: ContestLog) -> None:
    """A cancellation that is missing leaves the stop open at the next decision."""
    log = sound.copy()
    log.drop(EVENTS, log.find(EVENTS, lambda _, body: body.get("cause") == "sibling_filled"))
    log.rebuild_chain()
    found = log.failed()[LIMITS].violations

    assert any(f"{BTC} is not held" in one.found for one in found)


def test_one_call_may_cancel_orders_of_an_earlier_turn() -> None:
    """Its records name the turn of the call; one by another agent would be a violation."""
    arena = living_arena()
    for price in ("50000", "51000"):
        arena.buy(OTHER, BTC, "0.1", limit_price=price)
    arena.turn_id = "a later turn"
    arena.call(OTHER, "cancel_order", order_id="all")
    log = arena.log()

    assert () == tuple(log.results()[9].violations)
    place = log.find(EVENTS, lambda _, b: b.get("cause") == "cancelled" and "by_call" not in b)
    log.change(EVENTS, place, lambda body: body.update(agent=AGENT))
    log.rebuild_chain()
    found = log.results()[9].violations
    assert any("the agent and turn of the order" in one.expected for one in found)


def test_exit_is_traced_to_its_trigger_and_its_entry(sound: ContestLog, tmp_path: Path) -> None:
    """Its steps, the ticker that met its level, and the command of the order that brought it."""
    source = RecordSource("living", sound.write(tmp_path / "records"))
    at = sound.find(EVENTS, _filled("trailing_stop"))
    steps = trace(source, body_of(sound.records[EVENTS][at])["order_id"])
    names = [step.name for step in steps]

    assert ["exit", "step 0", "ticker used", "ticker that triggered it"] == names[:4]
    assert {"entry: order", "entry: command", "entry: ticker used"} <= {*names}
    assert [] == [
        (s.name, c) for s in steps for c in s.checks if not c.holds and "turn" not in c.what
    ]
    assert all(step.location.startswith(TICKERS) for step in steps[2:4])


def test_every_order_that_filled_can_be_traced(sound: ContestLog, tmp_path: Path) -> None:
    """An order with several steps is one order."""
    source = RecordSource("living", sound.write(tmp_path / "records"))
    orders = order_ids(source)

    assert len({*orders}) == len(orders)
    for order_id in orders:
        assert trace(source, order_id)
