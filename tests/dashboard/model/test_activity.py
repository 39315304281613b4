"""What the feeds and the models do, as supervisors of the arena see it."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue

from arena.fold_checkpoint import FoldPositions
from arena.heartbeat_details import RETRIES, RetryWait, as_detail
from arena.messages import Cause, Heartbeat, Usage
from connectors.market.feed_status import FeedStatus, details_of
from dashboard.model.activity_queries import activity
from dashboard.model.results import Activity, ModelNode
from dashboard.model.view import ArenaView
from dashboard.model.view_checkpoint import pack_view, unpack_view
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of


def view_without_beats(scenario: Scenario) -> ArenaView:
    """A view in which no process has sent a heartbeat yet."""
    view = view_of(scenario.records)
    view.processes.newest.clear()
    return view


def beat(
    scenario: Scenario,
    view: ArenaView,
    node: str,
    *,
    age_s: float = 1.0,
    details: Mapping[str, JsonValue] | None = None,
    gauges: Mapping[str, float] | None = None,
) -> None:
    """Let a process send a heartbeat of an age."""
    kind, name, host, pid = node.split("/")
    at = scenario.wall - timedelta(seconds=age_s)
    one = Heartbeat(
        node=node, kind=kind, name=name, host=host, pid=int(pid), started_at=at, at=at,
        details=dict(details or {}), gauges=dict(gauges or {}),
    )  # fmt: skip
    view.processes.beat(one, int(at.timestamp() * 1_000))


def found(scenario: Scenario, view: ArenaView) -> Activity:
    """The activity at the time of the scenario."""
    return activity(view, view.processes.rows(scenario.wall), scenario.wall)


def test_each_venue_has_a_feed() -> None:
    """With its own age, bans and reason; what is stale is named."""
    scenario = Scenario().run(3)
    view = view_without_beats(scenario)
    newest = view.market.newest
    assert newest is not None
    stale = tuple(one.model_copy(update={"stale": True}) for one in newest.products[:1])
    products = (*stale, *newest.products[1:])
    view.market.newest = newest.model_copy(update={"products": products})
    venues = [
        FeedStatus("coinbase", age_ms=400, connected=True, connection_epoch=2),
        FeedStatus("binance", down="it does not answer", bans="418 until 18:00 UTC"),
    ]
    beat(scenario, view, "connector/binance+coinbase/alpha/3", details=details_of(venues))
    beat(scenario, view, "connector/binance+coinbase/alpha/2", age_s=90.0)

    binance, coinbase = found(scenario, view).feeds

    assert ("coinbase", "connected", 1.4, 2, "") == (
        coinbase.venue, coinbase.state, coinbase.age_s, coinbase.connections, coinbase.down,
    )  # fmt: skip
    assert (stale[0].product_id,) == coinbase.stale
    assert coinbase.simulated
    assert ("binance", "down", None, "it does not answer", "418 until 18:00 UTC") == (
        binance.venue, binance.state, binance.age_s, binance.down, binance.ban,
    )  # fmt: skip


def test_silent_connector_makes_its_feeds_silent() -> None:
    """The age of the last message grows with that of the heartbeat."""
    scenario = Scenario().run(1)
    view = view_without_beats(scenario)
    status = FeedStatus("coinbase", age_ms=500, connected=True)
    beat(scenario, view, "connector/coinbase/alpha/2", age_s=60.0, details=details_of([status]))
    (feed,) = found(scenario, view).feeds

    assert ("silent", 60.5) == (feed.state, feed.age_s)
    beat(scenario, view, "connector/coinbase/alpha/3", details={"venues": [{"no": "venue"}]})
    (feed,) = found(scenario, view).feeds
    assert "running" == feed.state, "a detail that cannot be read is not used"


def model_of(scenario: Scenario, view: ArenaView, node: str = "rules") -> ModelNode:
    """One model."""
    return next(one for one in found(scenario, view).models if one.node == node)


def test_model_shows_its_errors_latency_and_cost() -> None:
    """Of the last minutes, by cause; tokens that were estimated are said to be."""
    scenario = Scenario(scripted=False).run(1)
    started = scenario.begin_turn("momentum")
    usage = Usage(prompt_tokens=90, completion_tokens=10, estimated=True)
    for number, (cause, latency_ms) in enumerate(
        [("", 100.0), ("", 300.0), ("", 900.0), (Cause.RATE_LIMIT, 10.0), (Cause.TIMEOUT, 60.0),
         (Cause.RATE_LIMIT, 20.0)]
    ):  # fmt: skip
        failed: dict[str, object] = {"outcome": "failed", "error": "429: slow down"}
        scenario.llm_call(
            started, usage=usage, node="busy", call_id=f"call-{number}", cause=cause,
            latency_ms=latency_ms, attempts=2 if cause else 1, **(failed if cause else {}),
        )  # fmt: skip
    view = view_of(scenario.records)

    busy = model_of(scenario, view, "busy")

    assert (6, 3, 3, 300.0) == (busy.recent_calls, busy.retried, busy.failed, busy.latency_p50_ms)
    assert [("rate_limit", 2), ("timeout", 1)] == [(one.cause, one.calls) for one in busy.errors]
    assert ("429: slow down", 600, True) == (busy.last_error, busy.tokens, busy.tokens_estimated)
    assert (None, 6) == (busy.cost_usd, busy.calls_of_unknown_price)
    packed = pack_view(view, FoldPositions())
    assert packed is not None
    assert busy == model_of(scenario, unpack_view(packed)[0], "busy")
    scenario.wall += timedelta(hours=1)
    later = model_of(scenario, view, "busy")
    assert (0, None, 600) == (later.recent_calls, later.latency_p50_ms, later.tokens)


def test_model_says_what_it_waits_for() -> None:
    """Calls in flight, unread requests, and the next attempt."""
    scenario = Scenario().run(1)
    view = view_without_beats(scenario)
    wait = RetryWait(cause="rate_limit", calls=2, until=scenario.wall + timedelta(seconds=9))
    beat(
        scenario, view, "chat-node/rules/alpha/2", gauges={"in_flight": 3.0, "lag": 4.0},
        details={"model": "m-1", "scripted": False, RETRIES: as_detail([wait])},
    )  # fmt: skip

    rules = model_of(scenario, view)

    assert ("m-1", "running", False) == (rules.model, rules.state, rules.scripted)
    assert (3, 4) == (rules.in_flight, rules.waiting)
    assert [("rate_limit", 2)] == [(one.cause, one.calls) for one in rules.retries]
    assert {name for name, _, _ in scenario.agents} == set(rules.agents)


def test_missing_chat_node_is_listed_with_who_waits() -> None:
    """It sends no heartbeats, but the roster names it."""
    scenario = Scenario(agents=(("momentum", "momentum", "agent"),))
    view = view_without_beats(scenario)
    waiting = {"waiting_for": "chat node rules (not running)"}
    beat(scenario, view, "router/momentum/alpha/2", details=waiting)

    rules = model_of(scenario, view)

    assert ("", False, ("momentum",)) == (rules.state, rules.alive, rules.missed_by)
