"""The read model: the same for every order of reading and every start."""

from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena import topics
from arena.bus.base import Record
from arena.messages import Usage
from dashboard.model import calls, equity_curves, recent_turns
from dashboard.model.frame import Frame, build_frame
from dashboard.model.view import RECENT, RECENT_S, WINDOWS, ArenaView
from dashboard.terminal.panes import positions
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of


def eventful() -> Scenario:
    """An arena with every event that a view must handle."""
    scenario = Scenario(seed=11, agents=Scenario().agents[:4], speed=1.0).run(12)
    scenario.garbage(topics.TICKERS.name)
    scenario.advance(60)
    scenario.snapshot()
    aborted = scenario.begin_turn("momentum")
    scenario.end_turn(aborted, None, "", outcome="aborted", error="the process died")
    scenario.end_turn(aborted, None, "", outcome="aborted", error="the process died")
    scenario.join("late", "momentum", "agent")
    scenario.llm_call(aborted, usage=Usage(prompt_tokens=7), scripted=False, outcome="failed")
    scenario.beat("router", "momentum", counters={"dead_letters": 1})
    scenario.dead_letter()
    scenario.run(6)
    scenario.order("late", "buy", "BTC-USD", Decimal("0.1"))
    scenario.begin_turn("late")
    scenario.advance(20)
    scenario.ticker("ETH-USD")
    return scenario


EVENTFUL = eventful()


def frame_of(view: ArenaView, scenario: Scenario = EVENTFUL) -> Frame:
    """The frame of a view at the end of a scenario."""
    return build_frame(view, scenario.wall, agent="momentum", trades=100, points=1_000)


def shuffled(scenario: Scenario, random: Random) -> Iterable[Record]:
    """The records in another possible order, which is kept within each partition."""
    logs = [deque(log) for _, log in sorted(scenario.by_partition().items())]
    while logs:
        log = random.choice(logs)
        for _ in range(min(len(log), random.randint(1, 40))):
            yield log.popleft()
        logs = [one for one in logs if one]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0))
def test_every_interleaving_of_topics_gives_the_same_frame(seed: int) -> None:
    """Partitions merge in any order, with frames built in between."""
    view, random = ArenaView(), Random(seed)
    for record in shuffled(EVENTFUL, random):
        view.apply(record)
        if random.random() < 0.02:
            frame_of(view)

    assert frame_of(view_of(EVENTFUL.records)) == frame_of(view)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0))
def test_late_reader_has_the_same_frame(seed: int) -> None:
    """Reading only the windows gives the same frame as reading from the start."""
    random = Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(equity_curves, "SNAPSHOTS_WINDOW", 7)
        patch.setattr(recent_turns, "TURNS_WINDOW", 9)
        patch.setattr(calls, "CALLS_WINDOW", 11)
        windows = {**WINDOWS, "market.snapshots": 7, "agent.turns": 9, "llm.calls": 11}
        live = ArenaView()
        for record in EVENTFUL.records:
            live.apply(record)
            if random.random() < 0.05:
                frame_of(live)
        late = view_of(
            record for record in shuffled(EVENTFUL, random) if _late_reads(record, windows)
        )

        seen = frame_of(live)
        assert seen.summary.partial
        assert seen == frame_of(late)


def _late_reads(record: Record, windows: dict[str, int | None]) -> bool:
    if record.topic in RECENT:
        since_ms = (EVENTFUL.wall - timedelta(seconds=RECENT_S)).timestamp() * 1000
        return record.timestamp_ms >= since_ms or record.value == b"{not json"
    window = windows[record.topic]
    end = EVENTFUL.ends[record.topic, record.partition]
    return window is None or record.offset >= end - window


def test_ranking_equals_the_fold_of_the_account_log() -> None:
    """Equity, cash, fees and counts are those of the accounts, best first."""
    frame = frame_of(view_of(EVENTFUL.records))
    bids = view_of(EVENTFUL.records).market.bids
    accounts = EVENTFUL.shard.accounts

    assert sorted(accounts) == sorted(row.agent for row in frame.ranking)
    assert [row.rank for row in frame.ranking] == [1, 2, 3, 4, 5]
    for row in frame.ranking:
        account = accounts[row.agent]
        assert (account.equity(bids), account.cash) == (row.equity, row.cash)
        assert (account.fills, account.rejections) == (row.fills, row.rejections)
        assert {p: held.quantity for p, held in account.positions.items()} == {
            product_id: quantity for product_id, quantity in row.held if quantity
        }
        assert set(bids) <= {product_id for product_id, _ in row.held}
    equities = [row.equity or 0 for row in frame.ranking]
    assert sorted(equities, reverse=True) == equities


def test_trades_show_the_price_seen_and_the_price_paid() -> None:
    """The newest order is the first row, compared with the agent's snapshot."""
    trade = frame_of(view_of(EVENTFUL.records)).trades[0]

    assert ("late", "buy", "0.1", "BTC-USD") == (
        trade.agent,
        trade.action,
        trade.quantity,
        trade.product_id,
    )
    assert trade.seen is not None
    assert trade.price is not None
    assert trade.move_bps == round((trade.price / trade.seen - 1) * 10_000, 2)
    assert (7.0, trade.price > trade.seen) == (round(trade.latency_ms or 0, 6), trade.against)


def test_rejection_shows_reason_and_detail() -> None:
    """The executor's detail follows the reason."""
    scenario = Scenario().run(1)
    scenario.order("cash", "sell", "BTC-USD", Decimal(2))

    trade = frame_of(view_of(scenario.records), scenario).trades[0]

    assert "rejected: insufficient position: asked 2 BTC-USD, holds 0" == trade.words


def test_aborted_turn_counts_once_with_its_error() -> None:
    """A turn that was written twice is one turn; its text is the error."""
    frame = frame_of(view_of(EVENTFUL.records[: _index_after_the_abort()]))
    row = frame.row("momentum")
    thought = next(t for t in frame.thoughts if t.agent == "momentum")

    assert row is not None
    assert (13, 1) == (row.turns, row.turns_aborted)
    assert ("aborted", "the process died") == (thought.outcome, thought.words)


def _index_after_the_abort() -> int:
    dead = [i for i, r in enumerate(EVENTFUL.records) if r.topic == topics.DEAD_LETTERS.name]
    return dead[0] + 1


def test_turn_in_progress_shows_its_duration() -> None:
    """An agent with a started turn is shown as deciding."""
    thought = next(t for t in frame_of(view_of(EVENTFUL.records)).thoughts if t.agent == "late")

    assert (20.0, "") == (thought.deciding_s, thought.outcome)


def test_unreadable_records_are_counted() -> None:
    """Garbage in a topic does not stop the view; the newest is named."""
    summary = frame_of(view_of(EVENTFUL.records)).summary

    assert (1, 1) == (summary.malformed, summary.dead_letters)
    assert summary.malformed_newest.startswith("market.tickers[0]@")


def test_broken_account_log_is_shown() -> None:
    """A record that breaks the chain stops the fold of its shard, but not the screen."""
    scenario = Scenario().run(3)
    records = list(scenario.records)
    index = next(
        i for i, r in enumerate(records) if r.topic == topics.EVENTS.name and r.offset == 2
    )
    broken = records[index]
    value = (broken.value or b"").replace(b"momentum", b"momentun")
    records[index] = Record(
        broken.topic, broken.partition, broken.offset, broken.timestamp_ms, None, value,
        broken.headers,
    )  # fmt: skip

    frame = frame_of(view_of(records), scenario)

    assert "account.events[0]" in frame.summary.broken_log


def test_model_of_unknown_price_has_an_unknown_cost() -> None:
    """Cost is None if no price is known; scripted models cost nothing."""
    scenario = Scenario(scripted=False).run(2)
    summary = frame_of(view_of(scenario.records), scenario).summary
    free = frame_of(view_of(Scenario().run(2).records), scenario).summary

    assert (None, 12) == (summary.cost_usd, summary.unpriced)
    assert (Decimal(0), 0) == (free.cost_usd, free.unpriced)


def test_silent_and_stopped_processes_are_distinguished() -> None:
    """Without a heartbeat a process is silent after 15 s and dropped after ten minutes."""
    scenario = Scenario(agents=())
    scenario.beat("router", "old")
    scenario.wall += timedelta(seconds=590)
    scenario.wall -= timedelta(seconds=601)
    scenario.beat("router", "gone")
    scenario.wall += timedelta(seconds=601)
    scenario.beat("router", "left", status="stopping")
    scenario.beat("router", "well")

    rows = {row.name: row.state for row in frame_of(view_of(scenario.records), scenario).processes}

    assert {"old": "silent", "left": "stopped", "well": "running"} == rows


@pytest.mark.parametrize("clock_s", [-3_600, -40, 40, 3_600])
def test_wrong_clock_of_a_host_makes_no_process_silent(clock_s: float) -> None:
    """The broker's times of heartbeats count, not the host's clock."""
    scenario = Scenario(agents=())
    wrong = scenario.wall + timedelta(seconds=clock_s)
    scenario.beat("router", "silent", at=wrong)
    scenario.wall += timedelta(seconds=20)
    scenario.beat("router", "well", at=wrong + timedelta(seconds=20))

    rows = frame_of(view_of(scenario.records), scenario).processes

    assert [("silent", "silent", 20.0), ("well", "running", 0.0)] == [
        (row.name, row.state, row.age_s) for row in rows
    ]


def test_tombstone_removes_an_agent_from_the_roster() -> None:
    """A record without a value deletes its key in a compacted topic."""
    scenario = Scenario(agents=())
    scenario.write(topics.ROSTER.name, EVENTFUL_SPEC, "agent/brainrot")
    record = scenario.records[-1]
    gone = Record(record.topic, 0, record.offset + 1, 0, record.key, None)

    assert [] == [row.agent for row in frame_of(view_of([record, gone]), scenario).ranking]


EVENTFUL_SPEC = view_of(EVENTFUL.records).roster["brainrot"]


def test_frame_does_not_grow_with_the_log() -> None:
    """Its size is bounded by the requested numbers of trades and points."""
    scenario = Scenario(agents=Scenario().agents[:2]).run(300)
    view = view_of(scenario.records)
    frame = build_frame(view, scenario.wall, trades=20, points=50)

    assert 20 == len(frame.trades)
    assert frame.trades_available > 20
    assert all(25 < len(one.values) <= 51 for one in frame.series)
    assert recent_turns.TURNS_KEPT == len(view.turns.agents["momentum"].newest_turns)


def test_unsellable_position_is_marked() -> None:
    """It keeps its last bid and its value; "unsellable" replaces its profit."""
    view = view_of(EVENTFUL.records)
    snapshot = view.market.newest
    assert snapshot is not None
    before = frame_of(view)
    closed = before.positions[0].product_id
    views = tuple(
        one.model_copy(update={"status": "delisted"}) if one.product_id == closed else one
        for one in snapshot.products
    )
    view.market.newest = snapshot.model_copy(update={"products": views})
    after = frame_of(view)

    reasons = {row.product_id: row.closed for row in after.positions}
    assert "delisted: it cannot be traded" == reasons.pop(closed)
    assert not any(reasons.values())
    assert [row.bid for row in before.positions] == [row.bid for row in after.positions]
    lines = [line.plain for line in positions(after, 60, 20, 0)]
    assert all(("unsellable" in line) == (closed in line) for line in lines)
