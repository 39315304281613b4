"""Shadow agents of trials are in no list of agents, orders or alerts; their cost is."""

from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import Halt
from dashboard.alerts.conditions import find_alerts
from dashboard.model import queries
from dashboard.model.agent_queries import agents
from dashboard.model.change_cursor import ChangeCursor
from dashboard.model.coaching_results import coaching_of
from dashboard.model.frame import Frame, build_frame
from dashboard.model.history import History
from dashboard.model.queries import UnknownName
from dashboard.model.results import TradePage
from dashboard.model.standings import standings
from dashboard.model.view import AGENTS_MAX, ArenaView
from dashboard.terminal.screen import render
from dashboard.terminal.standings_text import progress_line
from dashboard.terminal.ui import Ui
from tests.dashboard.alerts.situations import alerts_of, limits, situation_of
from tests.dashboard.coaching import coached
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.dashboard.shadows import COST_USD, TRIAL, ShadowScenario, trial_ended, trial_started
from tests.dashboard.views import view_of

CHAMPION = f"shadow-{TRIAL}-champion-1"


def tried(steps: int = 20, *, listed: bool = True) -> ShadowScenario:
    """An arena in which a trial of momentum's text has begun after six snapshots."""
    scenario = ShadowScenario().run(6)
    trial_started(scenario)
    scenario.begin_trial(listed=listed)
    scenario.run(steps)
    return scenario


def shown(frame: Frame) -> Frame:
    """What the panes show of a frame, without what adds all model calls up."""
    return replace(frame, summary=frame.summary, shadows=(), coaching=None)


@pytest.mark.parametrize("listed", [True, False])
def test_every_pane_is_that_without_them(*, listed: bool) -> None:
    """Ranks, colours, positions, curves, words and orders; also without the roster's entry."""
    scenario = tried(listed=listed)
    view, plain = view_of(scenario.records), view_of(Scenario().run(26).records)
    frames = [build_frame(one, scenario.wall, trades=40) for one in (view, plain)]

    for pane in ("ranking", "positions", "trades", "series", "thoughts", "other_accounts"):
        mine, other = (getattr(frame, pane) for frame in frames)
        assert len(mine) == len(other)
        if pane != "trades":
            assert mine == other, pane
    assert [f"{t.agent} {t.price}" for t in frames[0].trades] == [
        f"{t.agent} {t.price}" for t in frames[1].trades
    ]
    assert frames[0].trades_available == frames[1].trades_available
    assert [one.agent for one in agents(frames[0]).agents] == [r.agent for r in frames[1].ranking]
    curves = [queries.equity_curves(v, f) for v, f in zip((view, plain), frames, strict=True)]
    assert curves[0] == curves[1]


def test_their_calls_are_a_line_of_the_costs() -> None:
    """They are in the totals, and are named there."""
    scenario = tried()
    view = view_of(scenario.records)
    found = queries.costs(view, build_frame(view, scenario.wall))

    assert found.shadows.calls == 60
    assert found.shadows.cost_usd == 60 * COST_USD
    assert found.cost_usd == found.shadows.cost_usd
    assert found.calls == found.shadows.calls + sum(one.calls for one in found.agents)
    document = standings(view, scenario.wall)
    assert isinstance(document["shadow_agents"], dict)
    assert document["shadow_agents"]["calls"] == 60
    frame = build_frame(view, scenario.wall)
    assert "$0.1200, of which trials $0.1200" in progress_line(frame)
    screen = render(frame, Ui(screen="help"), 140, 40)
    assert "$0.1200, of which trials $0.1200" in "\n".join(line.plain for line in screen.lines)
    assert "trials" not in progress_line(build_frame(ArenaView(), scenario.wall))


def test_they_have_a_row_while_their_trial_runs() -> None:
    """So their account can be asked for; after the trial only its result is left."""
    scenario = tried()
    view = view_of(scenario.records)
    frame = build_frame(view, scenario.wall)
    found = queries.standing(frame, CHAMPION)
    assert (found.turns, found.shadow_of, found.rank) == (20, "momentum", None)
    assert [one.agent for one in frame.shadows] == [
        f"shadow-{TRIAL}-{arm}-1" for arm in ("champion", "challenger", "copy")
    ]

    trial_ended(scenario)
    frame = build_frame(view_of(scenario.records), scenario.wall)
    assert frame.shadows == ()
    with pytest.raises(UnknownName, match=CHAMPION):
        queries.standing(frame, CHAMPION)


async def test_lists_of_all_turns_and_orders_leave_them_out(memory_bus: MemoryBus) -> None:
    """Those of one of them can be read by its name."""
    scenario = tried()
    await memory_bus.ensure_topics(topics.fixed_topics())
    await publish(memory_bus, scenario)
    view, cursor = view_of(scenario.records), ChangeCursor(4)
    history = History(memory_bus)

    async def pages(agent: str | None) -> list[TradePage]:
        found = [await history.trades(view, agent, 10)]
        while (place := found[-1].cursor) is not None:
            found.append(await history.trades(view, agent, 10, place))
        return found

    every = [one.agent for page in await pages(None) for one in page.trades]
    own = [one.agent for page in await pages(CHAMPION) for one in page.trades]
    assert every
    assert not any(name.startswith("shadow-") for name in every)
    assert own
    assert {CHAMPION} == set(own)
    assert not any(one.agent.startswith("shadow-") for one in cursor.new_turns(view))
    assert not any(one.agent.startswith("shadow-") for one, _ in cursor.new_trades(view))
    assert len((await history.turns(view, CHAMPION)).turns) == 20


def test_no_alert_is_about_them() -> None:
    """Neither a halt, a loss, a router that is gone, nor turns without a decision."""
    scenario = tried()
    now = scenario.wall + timedelta(seconds=1)
    scenario.write(
        topics.CONTROL.name, Halt(agent=CHAMPION, by="cli/a", at=now), f"agent/{CHAMPION}"
    )
    error = {"error": "it broke"}
    agents_of = {"agents": {CHAMPION: "momentum@rules"}}
    scenario.beat("routers", "trial", status="stopping", details={**error, **agents_of})
    for _ in range(12):
        started = scenario.begin_turn(CHAMPION)
        scenario.end_turn(started, None, "", outcome="failed", error="401", cause="budget")
        scenario.advance(60)
        scenario.snapshot()
    later = scenario.wall + timedelta(seconds=40)

    found = alerts_of(scenario.records, later, limits("halt", "dead", "budget", "loss-limit"))
    assert found == []
    strict = situation_of(scenario.records, later, limits("drawdown", drawdown="0.0001"))
    assert all("shadow-" not in one.text for one in find_alerts(strict))


def test_many_ended_trials_take_no_agent_its_place() -> None:
    """The roster keeps the entry of every shadow agent that ever played."""
    scenario = ShadowScenario()
    records = scenario.records[:]
    for n in range(AGENTS_MAX // 3 + 2):
        trial = f"{n:012x}"
        before = len(scenario.records)
        scenario.join(f"shadow-{trial}-champion-1", "momentum", "shadow", shadow_of="momentum")
        new = scenario.records[before:]
        records += [one for one in new if one.topic == topics.ROSTER.name] * 3
    view = view_of(records)

    assert len(view.shadow_specs) <= AGENTS_MAX
    assert len(view.agents) == len(scenario.agents)
    removed = next(islice(view.shadow_specs, 1))
    _tombstone(view, removed)
    assert removed not in view.shadow_specs


def _tombstone(view: ArenaView, agent: str) -> None:
    record = next(r for r in ShadowScenario().records if r.topic == topics.ROSTER.name)
    view.apply(record._replace(key=f"agent/{agent}".encode(), value=None))


def test_a_running_trial_says_how_far_it_is() -> None:
    """By the decisions of the arm that is behind; its agents are listed with what they cost."""
    scenario = ShadowScenario().run(2)
    coached(scenario, "momentum", 2)
    trial_started(scenario, snapshots=60)
    scenario.begin_trial()
    found = coaching_of(view_of(scenario.run(20).records), "momentum")

    assert found.waiting_trial == f"trial {TRIAL} is running: 18 of 60 snapshots"
    (trial,) = found.trials
    assert (trial.state, trial.verdict, trial.played, trial.words) == (
        "running", None, 18, "18 of 60 snapshots",
    )  # fmt: skip
    assert [one.arm for one in trial.shadows] == ["champion", "challenger", "copy"]
    assert all(one.cost_usd == 20 * COST_USD for one in trial.shadows)
    assert all(one.return_pct is not None for one in trial.shadows)


def test_a_result_without_figures_keeps_its_reason() -> None:
    """Too few is said as it is; a trial of another text says nothing of the proposal."""
    scenario = ShadowScenario().run(2)
    coached(scenario, "momentum", 2)
    none = dict.fromkeys(("quality", "noise_quality", "return_pct", "noise_return_pct"))
    reason = "too early: 34 periods, at least 60 are needed"
    trial_started(scenario)
    trial_ended(scenario, "momentum", verdict="undecided", reasons=(reason,), periods=34, **none)
    other = {"trial_id": "0" * 12, "market": "replay", "challenger": "ab" * 32}
    trial_ended(scenario, "momentum", **other)
    found = coaching_of(view_of(scenario.records), "momentum")

    assert found.waiting_trial == f"trial {TRIAL}: undecided: {reason}"
    assert [one.trial_id for one in found.trials] == ["0" * 12, TRIAL]
    assert found.trials[1].words == f"undecided: {reason}"
    assert found.trials[1].quality is None
    assert found.trials[1].shadows == ()
