"""When the judge's round about a snapshot in lock-step is complete."""

from datetime import UTC, datetime, timedelta

import pytest

from arena.messages import AgentSpec, Gates, MarketSnapshot
from connectors.market.lockstep.pacing import Pacer
from judge.lockstep_rounds import all_answered
from judge.season import SeasonBuilder

START = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 7


def built(*specs: AgentSpec) -> SeasonBuilder:
    """A season with these agents and no snapshot."""
    builder = SeasonBuilder()
    builder.folds.roster.update({spec.agent: spec for spec in specs})
    return builder


def add_snapshot(builder: SeasonBuilder, number: int) -> None:
    """Fold a snapshot."""
    as_of = START + timedelta(minutes=number)
    snapshot = MarketSnapshot(
        snapshot_id=str(number), venue="v", as_of=as_of, interval_s=60, published_at=as_of
    )
    builder.folds.market.apply(0, number, snapshot)


def agent(name: str, cadence: int = 1, **fields: object) -> AgentSpec:
    """An agent on the roster."""
    values = {"agent": name, "strategy": "s", "node": "n", "joined_at": START, "cadence": cadence}
    return AgentSpec.model_validate(values | fields)


@pytest.mark.parametrize("cadence", [1, 2, 3])
def test_it_agrees_with_the_connector_about_who_is_due(cadence: int) -> None:
    """An agent of cadence n answers each n-th snapshot; so does the pacer count."""
    builder, pacer = built(agent("a", cadence)), Pacer(("a",), deadline_s=1)
    pacer.add_listed("a", cadence)
    for number in range(COUNT):
        add_snapshot(builder, number)
        pacer.start_wait(number, 0.0)
        assert all_answered(builder) is not bool(pacer.waiting)
        if pacer.waiting:
            builder.folds.turns.answered["a"] = str(number)
            pacer.add_answer("a", number)
            assert all_answered(builder)


def test_everyone_must_have_answered_the_newest_snapshot() -> None:
    """A gated agent answers all; shadow agents are not waited for."""
    gates = Gates(every_s=60)
    builder = built(agent("a"), agent("gated", 3, gates=gates), agent("s", kind="shadow"))
    assert not all_answered(builder)
    add_snapshot(builder, 0)
    add_snapshot(builder, 1)
    builder.folds.turns.answered.update({"a": "1", "gated": "0"})
    assert not all_answered(builder)
    builder.folds.turns.answered["gated"] = "1"
    assert all_answered(builder)
