"""Shadow agents of trials change nothing that ranks or counts agents."""

from decimal import Decimal
from random import Random

import pytest

from arena import topics
from arena.messages import AgentSpec, Evaluation
from arena.shadow_agents import is_shadow
from judge.schedule import newest_due
from judge.season import SeasonBuilder
from judge.service import JudgeOptions
from tests.dashboard.scenario import Scenario
from tests.dashboard.shadows import COST_USD, ShadowScenario
from tests.judge.seasons import fold_records
from tests.judge.test_season import interleaved

OPTIONS = JudgeOptions(resamples=199)
STEPS = 70


def without_places(found: Evaluation) -> Evaluation:
    """The evaluation without the offsets and the digest of all accounts, which hold shadows too."""
    return found.model_copy(update={"ends": {}, "account_digest": ""})


def judged(builder: SeasonBuilder) -> Evaluation:
    """The evaluation of the whole season."""
    return without_places(OPTIONS.evaluate(builder))


@pytest.fixture(scope="module")
def plain() -> SeasonBuilder:
    """The season without shadow agents."""
    return fold_records(Scenario().run(STEPS).records)


@pytest.mark.parametrize("seed", range(4))
def test_the_leaderboard_is_that_without_them(plain: SeasonBuilder, seed: int) -> None:
    """Whenever they join, and in whatever order topics are read, with or without the roster."""
    random = Random(seed)
    begin = random.randrange(STEPS - 10)
    scenario = ShadowScenario().run(begin)
    scenario.begin_trial(listed=seed % 2 == 0)
    builder = fold_records(interleaved(scenario.run(STEPS - begin).records, seed))
    season = builder.season()

    assert judged(builder) == judged(plain)
    assert season.names == plain.season().names
    assert not season.dead
    assert not season.apart
    assert season.shadow_llm.calls == 3 * (STEPS - begin)
    assert season.shadow_llm.cost_usd == COST_USD * season.shadow_llm.calls
    upto = random.randrange(STEPS)
    parts = [one.season(upto) for one in (builder, plain)]
    assert parts[0].names == parts[1].names
    assert parts[0].llm == parts[1].llm


def test_shadow_agents_that_have_stopped_are_neither_dead_nor_waited_for() -> None:
    """A trial is shorter than a season: its agents stop, and keep their accounts."""
    scenario = ShadowScenario().run(4)
    scenario.begin_trial()
    scenario.run(6)
    scenario.shadows.clear()
    scenario.run(40)
    builder = fold_records(scenario.records)

    assert newest_due(builder) == builder.snapshots - 1
    assert judged(builder) == judged(fold_records(Scenario().run(50).records))


def test_rules_that_only_shadow_agents_traded_by_are_not_the_seasons() -> None:
    """An executor with another fee may have decided their orders alone."""
    scenario = ShadowScenario().run(4)
    scenario.begin_trial()
    scenario.claim(Decimal(10))
    while not any(one.fills for one in map(scenario.shard.accounts.get, scenario.shadows) if one):
        scenario.shadow_step()
    scenario.claim(Decimal(60))
    season = fold_records(scenario.run(6).records).season()

    assert season.assumptions.rules_changed == ""
    assert season.assumptions.fee_bps == 60


def test_a_roster_entry_counts_more_than_a_name() -> None:
    """An agent of an older arena may have a name that is reserved now."""
    records = Scenario(agents=(("shadow-fund", "momentum", "agent"),)).run(3).records
    season = fold_records(records).season()

    assert season.names == ("shadow-fund",)
    assert season.shadow_llm.cost_usd == Decimal(0)
    specs = [r.message() for r in records if r.topic == topics.ROSTER.name]
    spec = next(one for one in specs if isinstance(one, AgentSpec))
    assert not is_shadow("shadow-fund", spec)
    assert is_shadow("shadow-fund")
    assert not is_shadow("momentum")
