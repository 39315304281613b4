"""Which alerts hold, by recorded topics."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from arena import topics
from arena.messages import Drift, Halt, Resume, Usage
from dashboard.alerts.conditions import find_alerts, find_ended
from tests.dashboard.alerts.situations import alerts_of, limits, situation_of
from tests.dashboard.failing_scenario import ALWAYS, FailingScenario
from tests.dashboard.scenario import Scenario

ONE = (("momentum", "momentum", "agent"),)
AT = datetime(2026, 11, 21, 13, 59, 1, 500_000, tzinfo=UTC)
SOON = timedelta(seconds=1)


def halt(scenario: Scenario, agent: str | None, reason: str = "", at: datetime = AT) -> None:
    """Write a halt."""
    key = "all" if agent is None else f"agent/{agent}"
    scenario.write(topics.CONTROL.name, Halt(agent=agent, reason=reason, by="cli/a", at=at), key)


def resume(scenario: Scenario, agent: str | None) -> None:
    """Write a resume."""
    key = "all" if agent is None else f"agent/{agent}"
    scenario.write(topics.CONTROL.name, Resume(agent=agent, by="cli/a", at=AT), key)


def drift(scenario: Scenario, owner: str, books: str) -> None:
    """Write a drift of an owner's cash."""
    found = Drift(
        owner=owner,
        what="cash",
        unit="USD",
        fold=Decimal(100),
        books=Decimal(books),
        next_offsets={0: 7},
        at=scenario.wall,
    )
    scenario.write(topics.DRIFTS.name, found, owner)


def router(scenario: Scenario, **changes: Any) -> None:  # Any: fields of a heartbeat
    """Write a heartbeat of momentum's router."""
    scenario.beat("router", "momentum", **changes)


def test_healthy_arena_has_no_alert() -> None:
    """Prices, decisions and accounts within the limits are nothing to report."""
    scenario = Scenario().run(20)

    assert [] == alerts_of(scenario.records, scenario.wall + SOON)


def test_halts_are_named_with_their_cause() -> None:
    """Every halt in force has its scope, time, author and reason, and a key of its own."""
    scenario = Scenario(agents=ONE).run(1)
    halt(scenario, None, "venue is down")
    halt(scenario, "momentum")

    found = alerts_of(scenario.records, scenario.wall + SOON)

    assert [
        ("halt:all", "all agents are halted since 13:59:01 UTC by cli/a: venue is down"),
        ("halt:momentum", "momentum is halted since 13:59:01 UTC by cli/a"),
    ] == sorted((one.subject, one.text) for one in found)
    assert {f"{one.subject}@{AT.isoformat()}" for one in found} == {one.key for one in found}


def test_unreadable_control_record_is_a_halt() -> None:
    """A record that cannot be read halts its scope, and its key is its position."""
    scenario = Scenario(agents=ONE).run(1)
    record = scenario.write(topics.CONTROL.name, Halt(agent=None, by="x", at=AT), "all")
    scenario.records[-1] = record._replace(value=b"{")

    (found,) = alerts_of(scenario.records, scenario.wall + SOON)

    assert "halt:all@arena.control[0]@0" == found.key
    assert found.text.startswith("all agents are halted by a record that cannot be read")


def test_halt_ends_with_resume() -> None:
    """A reported halt that is not in force any more has ended; another one has not."""
    scenario = Scenario(agents=ONE).run(1)
    halt(scenario, None)
    halt(scenario, "momentum")
    resume(scenario, None)
    situation = situation_of(scenario.records, scenario.wall)

    ended = find_ended(situation, {"halt:all": AT, "halt:momentum": AT, "halt:other": AT})

    assert [
        ("halt:all", "the halt of all agents has ended"),
        ("halt:other", "the halt of other has ended"),
    ] == [(one.subject, one.text) for one in ended]


def test_agent_is_dead_after_a_lasting_cause() -> None:
    """The alert has cause and remedy; the key follows from the cause alone."""
    scenario = FailingScenario(agents=ONE, fails={"momentum": ALWAYS}).run(1)
    text = alerts_of(scenario.records, scenario.wall + SOON)[0].text
    scenario.run(3)

    (found,) = alerts_of(scenario.records, scenario.wall + SOON)

    assert ("dead", "dead:momentum", "dead:momentum@auth") == (
        found.kind,
        found.subject,
        found.key,
    )
    assert text == found.text
    assert "401: Incorrect API key" in text
    assert text.endswith("set the right key for its chat node, then resume")


def test_first_failures_are_not_death() -> None:
    """A cause that may pass is reported after five turns in a row, not after the first."""
    scenario = FailingScenario(agents=ONE, fails={"momentum": ALWAYS}, cause="timeout")

    assert [] == alerts_of(scenario.run(4).records, scenario.wall + SOON)
    assert ["dead:momentum@timeout"] == [
        one.key for one in alerts_of(scenario.run(1).records, scenario.wall + SOON)
    ]


def test_agent_that_died_long_ago_is_old() -> None:
    """Its death is over, unless a router of it runs."""
    scenario = FailingScenario(agents=ONE, fails={"momentum": ALWAYS}).run(1)
    scenario.wall += timedelta(days=7)

    (over,) = alerts_of(scenario.records, scenario.wall, limits("dead"))
    router(scenario)
    (held,) = alerts_of(scenario.records, scenario.wall, limits("dead"))

    assert (False, True) == (over.is_now, held.is_now)


def test_agent_that_decides_again_is_not_dead() -> None:
    """The end of its death needs a running router and a decision."""
    scenario = FailingScenario(agents=ONE, fails={"momentum": range(1)}).run(2)
    unknown = find_ended(situation_of(scenario.records, scenario.wall), {"dead:momentum": AT})
    router(scenario)

    ended = find_ended(
        situation_of(scenario.records, scenario.wall), {"dead:momentum": AT, "dead:x": AT}
    )

    assert [] == unknown
    assert ["momentum decides again"] == [one.text for one in ended]


@pytest.mark.parametrize(
    ("status", "details", "age_s", "text"),
    [
        ("running", {}, 59, None),
        ("running", {}, 61, "its router sends no heartbeat"),
        ("stopping", {"error": "no tool <x>"}, 29, None),
        ("stopping", {"error": "no tool <x>"}, 31, "no tool ‹x›"),
        ("stopping", {}, 31, None),
        ("running", {}, 601, None),
    ],
)
def test_agent_without_process_is_dead(
    status: str, details: dict[str, str], age_s: int, text: str | None
) -> None:
    """A router that failed or is silent, and was not started again in time."""
    scenario = Scenario(agents=ONE).run(1)
    router(scenario, status=status, details=details)
    scenario.wall += timedelta(seconds=age_s)

    found = alerts_of(scenario.records, scenario.wall, limits("dead"))

    assert ["dead:momentum@process"] * (text is not None) == [one.key for one in found]
    assert text is None or text in found[0].text
    assert [] == alerts_of(scenario.records, scenario.wall, limits("dead"), stopping=True)


@pytest.mark.parametrize(("watched_s", "count"), [(59.0, 0), (61.0, 2)])
def test_silence_before_the_start_is_not_counted(watched_s: float, count: int) -> None:
    """Routers and connectors of an arena that was killed may be about to start with this one."""
    scenario = Scenario(agents=ONE).run(1)
    router(scenario)
    scenario.wall += timedelta(minutes=5)
    situation = situation_of(scenario.records, scenario.wall, limits(feed_silent_s=60))

    found = find_alerts(replace(situation, watched_s=watched_s))

    assert count == len(found)


def test_agents_of_one_process_are_dead_with_it() -> None:
    """A process of several agents names them in its heartbeat."""
    scenario = Scenario().run(1)
    scenario.beat("routers", "all", details={"agents": {"momentum": "x", "random": "x"}})
    scenario.wall += timedelta(seconds=70)

    found = alerts_of(scenario.records, scenario.wall, limits("dead"))

    assert ["dead:momentum", "dead:random"] == [one.subject for one in found]


def test_silent_feed_is_reported_once_per_silence() -> None:
    """The key is the time of the last price; the reason is the connector's."""
    scenario = Scenario(agents=ONE).run(2)
    now = scenario.wall + timedelta(seconds=29)
    quiet = alerts_of(scenario.records, now, limits("feed-silent"))
    scenario.wall += timedelta(seconds=40)
    scenario.beat("connector", "coinbase", details={"feed_down": "no route; check the network"})

    (found,) = alerts_of(scenario.records, scenario.wall, limits("feed-silent"))
    (later,) = alerts_of(
        scenario.records, scenario.wall + timedelta(seconds=9), limits("feed-silent")
    )

    assert [] == quiet
    assert found.key == later.key
    assert "no price for 40 s: no route; check the network" == found.text
    assert found.is_now


def test_feed_ends_silence_with_a_price() -> None:
    """A fresh price ends it with a sentence, a stopped connector without one."""
    scenario = Scenario(agents=ONE).run(1)
    reported = scenario.wall - timedelta(seconds=90)
    back = find_ended(
        situation_of(scenario.records, scenario.wall), {"feed-silent:coinbase": reported}
    )
    scenario.wall += timedelta(seconds=60)
    silent = find_ended(
        situation_of(scenario.records, scenario.wall), {"feed-silent:coinbase": reported}
    )
    scenario.beat("connector", "coinbase", status="stopping")
    stopped = find_ended(
        situation_of(scenario.records, scenario.wall), {"feed-silent:coinbase": reported}
    )

    assert ["prices arrive again, 90 s later"] == [one.text for one in back]
    assert [] == silent
    assert [""] == [one.text for one in stopped]


def test_each_venue_is_silent_by_itself() -> None:
    """Of two venues, the silent one is named, and its prices end its silence."""
    scenario = Scenario(agents=ONE, wallets={"USDT": Decimal(10_000)}).run(2)
    before = scenario.wall
    scenario.wall += timedelta(seconds=40)
    scenario.ticker("BTC-USD")
    scenario.beat("connector", "coinbase", details={"feed_down": "binance: no route"})

    (found,) = alerts_of(scenario.records, scenario.wall, limits("feed-silent"))
    subjects = {"feed-silent:binance": before, "feed-silent:coinbase": before}
    ended = find_ended(situation_of(scenario.records, scenario.wall), subjects)

    assert "feed-silent:binance" == found.subject
    assert "no price of binance for 40 s: binance: no route" == found.text
    assert ["prices of coinbase arrive again, 40 s later"] == [one.text for one in ended]


def test_feed_of_unknown_or_stopped_connector_is_not_silent() -> None:
    """Without a connector there is no feed; an arena that was stopped has none either."""
    scenario = Scenario(agents=ONE)
    scenario.ticker("BTC-USD")
    later = scenario.wall + timedelta(hours=1)

    assert [] == alerts_of(scenario.records, later, limits("feed-silent"))
    scenario.beat("connector", "coinbase", status="stopping")
    assert [] == alerts_of(scenario.records, later, limits("feed-silent"))


def test_feed_without_a_first_price_is_silent_if_the_connector_says_so() -> None:
    """A venue that never answered is reported after the limit."""
    scenario = Scenario(agents=ONE)
    scenario.beat("connector", "x", details={"feed_down": "no route"}, started_at=scenario.wall)

    assert [] == alerts_of(scenario.records, scenario.wall + SOON, limits("feed-silent"))
    (found,) = alerts_of(
        scenario.records, scenario.wall + timedelta(seconds=31), limits("feed-silent")
    )
    assert "no price for 31 s: no route" == found.text


def test_drawdown_is_reported_with_the_limit() -> None:
    """The key has the limit and the peak; one that is over is old."""
    scenario = Scenario(agents=ONE).run(1)
    scenario.order("momentum", "buy", "BTC-USD", Decimal(1))
    scenario.step()
    scenario.prices["BTC-USD"] = Decimal(40_000)
    scenario.step()
    now = scenario.wall + timedelta(seconds=5)

    (found,) = alerts_of(scenario.records, now, limits("drawdown"))
    scenario.prices["BTC-USD"] = Decimal(80_000)
    scenario.step()
    (over,) = alerts_of(scenario.records, scenario.wall + timedelta(seconds=5), limits("drawdown"))

    assert found.key.startswith("drawdown:momentum@0.2:")
    assert (found.key, True, False) == (over.key, found.is_now, over.is_now)
    assert [] == alerts_of(scenario.records, now, limits("drawdown", drawdown="0.9"))


def test_drift_holds_until_a_comparison_without_it() -> None:
    """A figure holds while the newest comparison reports it, and ends when one does not."""
    scenario = Scenario(agents=ONE).run(1)
    drift(scenario, "momentum", "99.5")
    drift(scenario, "house", "3")
    at = scenario.wall

    first = alerts_of(scenario.records, scenario.wall, limits("drift"))
    scenario.wall += timedelta(seconds=60)
    drift(scenario, "house", "3")
    situation = situation_of(scenario.records, scenario.wall, limits("drift"))
    subjects = {one.subject: at for one in first}

    assert ["drift:momentum:cash:USD@-0.5", "drift:house:cash:USD@-97"] == [
        one.key for one in first
    ]
    assert (
        "momentum cash USD differs: log 100, books 99.5; run arena reconcile run" == first[0].text
    )
    assert ["drift:house:cash:USD"] == [one.subject for one in find_alerts(situation)]
    assert ["momentum:cash:USD agrees again"] == [
        one.text for one in find_ended(situation, subjects)
    ]


@pytest.mark.parametrize(("seconds", "drifting", "held"), [(5, 0, 1), (20, 0, 0), (20, 2, 1)])
def test_drift_ends_with_a_clean_comparison(seconds: int, drifting: int, held: int) -> None:
    """The gauge of `arena reconcile` counts once it is surely of a later comparison."""
    scenario = Scenario(agents=ONE).run(1)
    drift(scenario, "momentum", "99.5")
    at = scenario.wall
    scenario.wall += timedelta(seconds=seconds)
    scenario.beat("reconcile", "reconcile", gauges={"drifting": drifting})
    situation = situation_of(scenario.records, scenario.wall, limits("drift"))

    assert held == len(find_alerts(situation))
    assert 1 - held == len(find_ended(situation, {"drift:momentum:cash:USD": at}))


def test_budget_of_a_chat_node_is_reported_once_a_day() -> None:
    """Agents of one chat node share the alert; the next day has another key."""
    error = "daily budget of 1,000 tokens is spent (used 1,020)"
    agents = (*ONE, ("random", "random", "baseline"))
    fails = {"momentum": ALWAYS, "random": ALWAYS}
    scenario = FailingScenario(agents=agents, fails=fails, cause="budget", error=error).run(1)

    (found,) = alerts_of(scenario.records, scenario.wall + SOON, limits("budget"))
    (later,) = alerts_of(scenario.records, scenario.wall + timedelta(days=1), limits("budget"))

    assert "budget:rules@2026-11-21" == found.key
    assert f"chat node rules: {error}" == found.text
    assert (True, False) == (found.is_now, later.is_now)


def test_cost_of_all_models_is_compared_with_the_budget() -> None:
    """The limit in dollars is that of the contest."""
    scenario = Scenario(agents=ONE, scripted=False).run(1)
    started = scenario.begin_turn("momentum")
    scenario.llm_call(started, usage=Usage(prompt_tokens=1, cost_usd=Decimal("1.25")))

    assert [] == alerts_of(scenario.records, scenario.wall, limits("budget", budget_usd="1.26"))
    (found,) = alerts_of(scenario.records, scenario.wall, limits("budget", budget_usd="1.25"))
    assert "the models have cost $1.2500; the budget is $1.25" == found.text
    assert [] == alerts_of(scenario.records, scenario.wall, limits("budget"))


def test_hostile_names_and_words_are_plain_text() -> None:
    """An agent's name, a reason, an error and a figure cannot mention, link or format."""
    name = "<!channel> [x](http://evil.test) @all\u202e\x1b[31m\n"
    agents = ((name, "momentum", "agent"),)
    scenario = FailingScenario(agents=agents, fails={name: ALWAYS}, error=name).run(1)
    halt(scenario, None, name)
    drift(scenario, name, "7")
    scenario.beat("connector", "coinbase", details={"feed_down": name})
    scenario.order(name, "buy", "BTC-USD", Decimal(1))
    scenario.prices["BTC-USD"] = Decimal(4_000)
    scenario.step()

    found = alerts_of(scenario.records, scenario.wall + timedelta(seconds=40))

    assert {"halt", "dead", "feed-silent", "drawdown", "drift"} == {one.kind for one in found}
    for one in found:
        assert not set("<>[]`|@\n\x1b\u202e") & set(one.text), one.text
        assert "://" not in one.text
