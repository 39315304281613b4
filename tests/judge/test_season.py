"""Folding records into a season is exact, robust and independent of the order of topics."""

import random
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from arena import topics
from arena.bus.base import Record
from arena.money import SCALE, to_price_units
from judge.season import Season, SeasonBuilder
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records


def same(a: Season, b: Season) -> bool:
    """Whether two seasons are equal, arrays included."""
    for field in fields(Season):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), field.name
        elif one != other:
            return False
    return True


def interleaved(records: list[Record], seed: int) -> list[Record]:
    """The records in another order that keeps the order of each partition."""
    rng = random.Random(seed)
    logs: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        logs.setdefault((record.topic, record.partition), []).append(record)
    queue = [key for key, log in logs.items() for _ in log]
    rng.shuffle(queue)
    iterators = {key: iter(log) for key, log in logs.items()}
    return [next(iterators[key]) for key in queue]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Eighty snapshots of six agents."""
    return Scenario().run(80)


def test_the_last_row_is_the_current_accounts(scenario: Scenario) -> None:
    """Cash, positions and equity of the last row are the accounts' at the last bids."""
    season = fold_records(scenario.records).season()
    newest = scenario.newest
    assert newest is not None
    bids = {v.product_id: v.ticker.best_bid for v in newest.products if v.ticker is not None}
    units = {product: to_price_units(bid) for product, bid in bids.items()}

    for index, name in enumerate(season.names):
        account = scenario.shard.accounts[name]
        assert account.equity(units) / SCALE == pytest.approx(season.equity[-1, index], abs=1e-6)
        assert account.cash / SCALE == season.cash[-1, index]


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_topics_gives_the_same_season(scenario: Scenario, seed: int) -> None:
    """Any interleaving of topics, with and without a season built in between, is the same."""
    builder = SeasonBuilder()
    for index, record in enumerate(interleaved(scenario.records, seed)):
        builder.apply(record)
        if index % 400 == 0:
            builder.season()

    assert same(fold_records(scenario.records).season(), builder.season())


@pytest.mark.parametrize("upto", [0, 17, 40, 78])
def test_a_part_is_the_season_that_ended_there(scenario: Scenario, upto: int) -> None:
    """Later records do not change the season up to a snapshot."""
    whole = fold_records(scenario.records)
    early = Scenario().run(upto + 1)

    assert same(fold_records(early.records).season(upto), whole.season(upto))


def test_a_row_is_before_the_orders_of_its_snapshot() -> None:
    """An order shows from the next row on, and the last row is after all orders."""
    scenario = Scenario(agents=(("solo", "momentum", "agent"),))
    for _ in range(3):
        scenario.advance(60)
        scenario.snapshot()
        scenario.order("solo", "buy", "BTC-USD", Decimal("0.1"))
    season = fold_records(scenario.records).season()
    held = season.exposure[:, 0, season.products.index("BTC-USD")] / season.bids[:, 0]

    assert np.allclose([0.0, 0.1, 0.2, 0.3], held)
    assert 100_000.0 == season.equity[0, 0]
    assert [0, 1, 2] == [fill.index for fill in season.fills[0]]


def test_an_order_belongs_to_its_snapshot_not_to_its_arrival() -> None:
    """An order decided after the next snapshot counts from the snapshot that it answers."""
    scenario = Scenario(agents=(("solo", "momentum", "agent"),))
    scenario.advance(60)
    first = scenario.snapshot()
    scenario.advance(60)
    second = scenario.snapshot()
    scenario.newest = first
    scenario.order("solo", "buy", "BTC-USD", Decimal("0.1"))
    scenario.newest = second
    season = fold_records(scenario.records).season()

    assert [0] == [fill.index for fill in season.fills[0]]
    assert season.exposure[1, 0].sum() > 0


def test_the_first_turn_of_an_id_counts() -> None:
    """A second `Turn` with the same id, from a paused router, is ignored."""
    scenario = Scenario(agents=(("solo", "momentum", "agent"),))
    scenario.snapshot()
    started = scenario.begin_turn("solo")
    scenario.end_turn(started, None, "the first", skipped_snapshots=2)
    scenario.end_turn(started, None, "the second", skipped_snapshots=5)
    (decision,) = fold_records(scenario.records).season().decisions[0]

    assert ("the first", 2) == (decision.final_text, decision.skipped)


def test_a_late_joiner_has_its_starting_cash_before() -> None:
    """Rows before an agent joined have its starting cash; its entry says when it joined."""
    scenario = Scenario(agents=(("early", "momentum", "agent"),))
    for _ in range(3):
        scenario.step()
    scenario.join("late", "scalper", "agent")
    scenario.agents = (*scenario.agents, ("late", "scalper", "agent"))
    scenario.step()
    season = fold_records(scenario.records).season()
    index = season.names.index("late")

    assert 3 == season.entries[index].joined
    assert [100_000.0] * 4 == list(season.equity[:4, index])
    assert ("early",) == fold_records(scenario.records).season(2).names


def test_a_missing_quote_is_carried_and_in_the_assumptions() -> None:
    """A product that a snapshot lacks keeps its last bid."""
    scenario = Scenario(agents=(("solo", "momentum", "agent"),))
    scenario.step()
    price = scenario.prices.pop("SOL-USD")
    scenario.step()
    season = fold_records(scenario.records).season()
    column = season.products.index("SOL-USD")

    assert price > 0
    assert season.bids[0, column] == season.bids[-1, column] > 0
    assert not np.isnan(season.equity).any()


def test_skipped_snapshots_are_in_the_assumptions() -> None:
    """Intervals without a snapshot are counted."""
    scenario = Scenario(agents=(("solo", "momentum", "agent"),))
    scenario.snapshot()
    scenario.advance(240)
    scenario.snapshot()

    notes = fold_records(scenario.records).season().assumptions.notes
    assert ["3 intervals had no snapshot; their returns are in the next one."] == list(notes)


def test_malformed_records_are_counted_not_fatal(scenario: Scenario) -> None:
    """Unreadable bytes do not change the figures and are named."""
    whole = fold_records(scenario.records).season()
    bad = Record(topics.TURNS.name, 3, 0, 0, None, b"{no json", {"type": b"Turn"})
    season = fold_records([bad, *scenario.records]).season()

    assert np.array_equal(whole.equity, season.equity)
    assert any("agent.turns[3]@0" in note for note in season.assumptions.notes)


def test_a_broken_account_log_ends_its_figures(scenario: Scenario) -> None:
    """A changed byte in the account log is named, and no record after it counts."""
    records = list(scenario.records)
    index = max(i for i, r in enumerate(records) if r.topic == topics.EVENTS.name)
    records[index] = records[index]._replace(value=b'{"kind": "forged"}')
    season = fold_records(records).season()

    assert any("the figures of this log end there" in n for n in season.assumptions.notes)
    orders = sum(len(f) for f in season.fills) + sum(len(r) for r in season.rejections)
    assert len(scenario.shard.orders) - len(season.entries) - 1 == orders


def test_buy_and_hold_pays_the_same_costs() -> None:
    """The reference buys an equal share of each product once, with fee and slippage."""
    scenario = Scenario(agents=())
    scenario.snapshot()
    scenario.advance(60)
    scenario.snapshot()
    season = fold_records(scenario.records).season()
    share = 100_000 / 3
    bought = [share / (ask * 1.0002) / 1.006 for ask in season.asks[0]]

    assert [100_000.0, sum(q * b for q, b in zip(bought, season.bids[1], strict=True))] == [
        season.hold[0],
        pytest.approx(season.hold[1], rel=1e-12),
    ]


def test_a_repeats_number_is_read_from_its_name() -> None:
    """`<strategy>-<node>-<k>` is repeat k; any other name has no number."""
    scenario = Scenario(agents=(("momentum-rules-2", "momentum", "agent"), ("b-2", "b", "agent")))
    scenario.snapshot()

    assert [None, 2] == [entry.seed for entry in fold_records(scenario.records).season().entries]


def test_no_records_are_an_empty_season() -> None:
    """Without a snapshot there are no periods, and every array still has its shape."""
    season = SeasonBuilder().season()

    assert (0, (1,), (1, 0)) == (season.periods, season.hold.shape, season.equity.shape)
    assert (0, 0) == season.log_returns().shape
    with pytest.raises(IndexError):
        SeasonBuilder().season(0)


def test_times_are_venue_times_and_end_with_the_last_twice() -> None:
    """The closing row has the time of the last snapshot."""
    scenario = Scenario(agents=())
    first = scenario.snapshot()
    scenario.advance(60)
    scenario.snapshot()
    times = fold_records(scenario.records).season().times

    start = np.datetime64(first.as_of.replace(tzinfo=None))
    minute = np.timedelta64(timedelta(seconds=60))
    assert [start, start + minute, start + minute] == list(times)
