"""A running season makes claims at its looks; later evaluations keep or withdraw them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.messages import AgentEvaluation, Evaluation, OrderDecided
from arena.node import Node
from arena.settings import Settings
from judge.schedule import decision_counts, newest_due, stride
from judge.season import SeasonBuilder
from judge.service import LOOKS_MAX, Judge, JudgeOptions, LookCache, judge_once
from judge.statistics.looks import look_times
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records

JUDGE_OPTIONS = JudgeOptions(resamples=199)
PLANNED = 128
FIRST = 64
"""Evaluations from here on are looked at."""
EVERY = 8
TURN_AT = 76
"""The market rises up to here, and falls from here on."""
DEADLINE_S = 30.0


@dataclass
class Turning(Scenario):
    """One agent holds a market that rises and then falls; the other holds cash."""

    agents: tuple[tuple[str, str, str], ...] = (
        ("holder", "buy_and_hold", "agent"),
        ("idle", "cash", "agent"),
    )
    drift: Decimal = Decimal("0.005")
    planned: int | None = PLANNED

    def advance(self, venue_s: float) -> None:
        """Publish the next snapshot, with prices that also drift."""
        super().advance(venue_s)
        if venue_s == 45:
            drift = self.drift if self.snapshots < TURN_AT else -2 * self.drift
            moved = {p: price * (1 + drift) for p, price in self.prices.items()}
            self.prices = {p: price.quantize(Decimal("0.01")) for p, price in moved.items()}

    def _decide(self, agent: str, strategy: str) -> OrderDecided | None:
        if agent != "holder" or self.snapshots != 1:
            return None
        size = (Decimal(90_000) / self.prices["BTC-USD"]).quantize(Decimal("0.0001"))
        return self.order(agent, "buy", "BTC-USD", size)


@pytest.fixture(scope="module")
def watched() -> dict[int, Evaluation]:
    """The evaluations at the looks and some between them, by their number of snapshots."""
    scenario, builder, looks = Turning(), SeasonBuilder(), LookCache()
    decided = decision_counts(PLANNED, PLANNED)
    found: dict[int, Evaluation] = {}
    done = 0
    for count in range(1, PLANNED + 1):
        scenario.step()
        for record in scenario.records[done:]:
            builder.apply(record)
        done = len(scenario.records)
        looked_at = count in decided or count % EVERY == 0
        if count >= FIRST and looked_at and newest_due(builder) == count - 1:
            found[count] = JUDGE_OPTIONS.evaluate(builder, count - 1, looks)
    return found


def claims_of(evaluation: Evaluation) -> dict[tuple[str, str, str, int], int | None]:
    """The claims of an evaluation, and when each was withdrawn."""
    return {(c.measure, c.winner, c.loser, c.snapshots): c.withdrawn for c in evaluation.claims}


def test_there_is_an_evaluation_for_every_look(watched: dict[int, Evaluation]) -> None:
    """The last one is made at the planned end."""
    looks = look_times(PLANNED, PLANNED)

    assert set(looks) <= set(watched)
    assert [n for n, _ in enumerate(looks, start=1)] == [watched[n].look for n in looks]
    assert {len(looks)} == {one.looks for one in watched.values()}
    assert {PLANNED} == {one.planned for one in watched.values()}


def test_all_but_the_last_evaluation_are_interim(watched: dict[int, Evaluation]) -> None:
    """At the planned end no look remains."""
    assert [PLANNED] == [n for n, one in watched.items() if not one.interim]


def test_a_claim_stays_in_every_later_evaluation(watched: dict[int, Evaluation]) -> None:
    """It is repeated unchanged or as withdrawn."""
    looks = decision_counts(PLANNED, PLANNED)
    before: dict[tuple[str, str, str, int], int | None] = {}
    for count, evaluation in sorted(watched.items()):
        now = claims_of(evaluation)
        assert before.keys() <= now.keys(), count
        assert all(now[key] == gone for key, gone in before.items() if gone is not None), count
        assert {key[3] for key in now} | {gone for gone in now.values() if gone} <= looks, count
        before = now


def test_a_claim_appears_stays_and_is_withdrawn(watched: dict[int, Evaluation]) -> None:
    """In a rise the holder beats cash; after the fall the season shows no difference."""
    last = claims_of(watched[PLANNED])
    (key,) = (key for key in last if key[:3] == ("return", "holder", "idle"))
    made, gone = key[3], last[key]

    assert gone is not None
    assert min(decision_counts(PLANNED, PLANNED)) == made < TURN_AT < gone
    standing = [n for n, one in watched.items() if claims_of(one).get(key, 0) is None]
    assert [n for n in sorted(watched) if made <= n < gone] == standing


def test_a_look_cache_changes_no_byte(watched: dict[int, Evaluation]) -> None:
    """A judge started at the end publishes the same bytes as one that watched from the start."""
    builder = fold_records(Turning().run(PLANNED).records)

    for count in (96, PLANNED):
        fresh = JUDGE_OPTIONS.evaluate(builder, count - 1)
        assert watched[count].model_dump_json() == fresh.model_dump_json()


@asynccontextmanager
async def running(bus: MemoryBus, home: Path) -> AsyncIterator[Judge]:
    """Run a judge on the bus, with its own home folder."""
    judge = Judge(Node("judge", home.name, Settings(home=home), bus, SystemClock()), JUDGE_OPTIONS)
    task = asyncio.create_task(judge.serve())
    try:
        yield judge
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def id_after(scenario: Scenario) -> str:
    """The id of the evaluation after the scenario's newest snapshot."""
    assert scenario.newest is not None
    return JUDGE_OPTIONS.id_of(scenario.newest.snapshot_id)


async def until_evaluated(scenario: Scenario, *judges: Judge) -> str:
    """Wait until judges have evaluated the scenario's newest snapshot; return its id."""
    evaluation_id = id_after(scenario)
    async with asyncio.timeout(DEADLINE_S):
        while any(evaluation_id not in judge.published for judge in judges):
            await asyncio.sleep(0.01)
    return evaluation_id


async def test_early_late_and_single_judges_publish_the_same(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Equal bytes under equal ids, claims and looks included."""
    scenario, published = Turning(), 0
    async with running(memory_bus, tmp_path / "early") as early:
        for steps in (64, 32):
            published = await publish(memory_bus, scenario.run(steps), published)
            await until_evaluated(scenario, early)
        async with running(memory_bus, tmp_path / "late") as late:
            await until_evaluated(scenario, late)
            await publish(memory_bus, scenario.run(PLANNED - 96), published)
            await until_evaluated(scenario, early, late)
    once = await judge_once(memory_bus, JUDGE_OPTIONS)

    values: dict[str, set[bytes | None]] = defaultdict(set)
    for record in memory_bus.cluster.logs[topics.EVALUATIONS.name, 0]:
        message = record.message()
        assert isinstance(message, Evaluation | AgentEvaluation)
        values[message.evaluation_id].add(record.value)
    (newest,) = values[once.evaluation_id]
    assert newest is not None
    last = Evaluation.model_validate_json(newest)
    assert {1} == {len(found) for found in values.values()}
    assert (once.claims, once.rows, once.verdict) == (last.claims, last.rows, last.verdict)
    assert any(claim.withdrawn for claim in last.claims)


async def test_a_contest_that_ended_early_is_not_interim(memory_bus: MemoryBus) -> None:
    """Judged once after its end, it is not interim; the looks and claims are the same."""
    await publish(memory_bus, Turning().run(66), 0)
    running, ended = [await judge_once(memory_bus, JUDGE_OPTIONS, stopped=s) for s in (False, True)]

    assert (True, False) == (running.interim, ended.interim)
    assert running.verdict.startswith("Interim, look 1 of 5")
    assert ended.verdict.startswith(
        "Judged on 66 of 128 planned snapshots; claims are those of 1 of 5 looks."
    )
    assert (running.claims, running.looks) == (ended.claims, ended.looks)
    assert running.claims


async def test_a_plan_too_short_for_a_look_has_a_reason(memory_bus: MemoryBus) -> None:
    """A contest that continues after its plan of 40 snapshots has a verdict with a reason."""
    await publish(memory_bus, Turning(planned=40).run(66), 0)
    evaluation = await judge_once(memory_bus, JUDGE_OPTIONS)

    assert not evaluation.claims
    assert (
        "No claim was made: 40 snapshots were planned; claims need a plan of at least 60."
        in evaluation.verdict
    )


@pytest.mark.parametrize("planned", [1, 30, 61, 128, 864, 10_000])
@pytest.mark.parametrize("snapshots", [1, 60, 128, 129, 500, 2_000])
def test_decisions_come_at_looks_and_at_the_end(planned: int, snapshots: int) -> None:
    """The planned end is a decision, even if it is too early for a look."""
    found = decision_counts(planned, snapshots)
    looks = set(look_times(planned, snapshots))

    assert all(1 <= count <= snapshots for count in found)
    assert looks | ({planned} if planned <= snapshots else set()) == found


@pytest.mark.parametrize("snapshots", [59, 61, 500, 40_000])
def test_a_season_without_an_end_has_looks(snapshots: int) -> None:
    """Its looks are a sequence that is valid at any time."""
    found = decision_counts(None, snapshots)

    assert set(look_times(None, snapshots)) == found


def test_a_look_is_evaluated_between_due_evaluations() -> None:
    """The stride alone could miss it by up to a thirty-second of the season."""
    looks = look_times(870, 869)

    assert any(count % stride(count) for count in looks)


def test_the_look_cache_is_bounded() -> None:
    """The oldest looks are dropped."""
    cache = LookCache()
    for n in range(LOOKS_MAX + 9):
        cache[n.to_bytes(2)] = {}

    assert LOOKS_MAX == len(cache)
    assert (8).to_bytes(2) not in cache
    assert (9).to_bytes(2) in cache
