"""Folding records into a season: exact, in any order of topics, and robust."""

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


def built(records: list[Record]) -> SeasonBuilder:
    """A builder that has read the records."""
    builder = SeasonBuilder()
    for record in records:
        builder.apply(record)
    return builder


def same(a: Season, b: Season) -> bool:
    """True where two seasons are equal, arrays included."""
    for field in fields(Season):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), field.name
        elif one != other:
            return False
    return True


def interleaved(records: list[Record], seed: int) -> list[Record]:
    """The records in another order that keeps that of each partition."""
    rng = random.Random(seed)
    logs: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        logs.setdefault((record.topic, record.partition), []).append(record)
    queue = [key for key, log in logs.items() for _ in log]
    rng.shuffle(queue)
    places = {key: iter(log) for key, log in logs.items()}
    return [next(places[key]) for key in queue]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Eighty snapshots of six agents."""
    return Scenario().run(80)


def test_the_last_row_is_the_accounts_as_they_stand(scenario: Scenario) -> None:
    """Cash, positions and equity of the last row are those of the account fold at the last bids."""
    season = built(scenario.records).season()
    newest = scenario.newest
    assert newest is not None
    bids = {v.product_id: v.ticker.best_bid for v in newest.products if v.ticker is not None}
    units = {product: to_price_units(bid) for product, bid in bids.items()}

    for place, name in enumerate(season.names):
        account = scenario.shard.accounts[name]
        assert account.equity(units) / SCALE == pytest.approx(season.equity[-1, place], abs=1e-6)
        assert account.cash / SCALE == season.cash[-1, place]


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_topics_gives_the_same_season(scenario: Scenario, seed: int) -> None:
    """Topics may be read in any interleaving, and asking in between changes nothing."""
    builder = SeasonBuilder()
    for place, record in enumerate(interleaved(scenario.records, seed)):
        builder.apply(record)
        if place % 400 == 0:
            builder.season()

    assert same(built(scenario.records).season(), builder.season())


@pytest.mark.parametrize("upto", [0, 17, 40, 78])
def test_a_part_is_the_season_that_ended_there(scenario: Scenario, upto: int) -> None:
    """What came later does not change the season up to a snapshot."""
    whole = built(scenario.records)
    early = Scenario().run(upto + 1)

    assert same(built(early.records).season(upto), whole.season(upto))


def test_a_row_is_before_the_orders_of_its_snapshot() -> None:
    """An order shows from the row after its snapshot on, and the last row is after all."""
    desk = Scenario(agents=(("solo", "momentum", "agent"),))
    for _ in range(3):
        desk.advance(60)
        desk.snapshot()
        desk.order("solo", "buy", "BTC-USD", Decimal("0.1"))
    season = built(desk.records).season()
    held = season.exposure[:, 0, season.products.index("BTC-USD")] / season.bids[:, 0]

    assert np.allclose([0.0, 0.1, 0.2, 0.3], held)
    assert 100_000.0 == season.equity[0, 0]
    assert [0, 1, 2] == [fill.index for fill in season.fills[0]]


def test_an_order_belongs_to_its_snapshot_not_to_its_arrival() -> None:
    """An order decided after the next snapshot came still counts from the one it answers."""
    desk = Scenario(agents=(("solo", "momentum", "agent"),))
    desk.advance(60)
    first = desk.snapshot()
    desk.advance(60)
    second = desk.snapshot()
    desk.newest = first
    desk.order("solo", "buy", "BTC-USD", Decimal("0.1"))
    desk.newest = second
    season = built(desk.records).season()

    assert [0] == [fill.index for fill in season.fills[0]]
    assert season.exposure[1, 0].sum() > 0


def test_the_first_turn_of_an_id_counts() -> None:
    """A second `Turn` with the same id, from a router that was frozen, changes nothing."""
    desk = Scenario(agents=(("solo", "momentum", "agent"),))
    desk.snapshot()
    started = desk.begin_turn("solo")
    desk.end_turn(started, None, "the first", skipped_snapshots=2)
    desk.end_turn(started, None, "the second", skipped_snapshots=5)
    (decision,) = built(desk.records).season().decisions[0]

    assert ("the first", 2) == (decision.final_text, decision.skipped)


def test_a_late_joiner_has_its_starting_cash_before() -> None:
    """Rows before an agent joined hold its starting cash; its entry says when it joined."""
    desk = Scenario(agents=(("early", "momentum", "agent"),))
    for _ in range(3):
        desk.step()
    desk.join("late", "scalper", "agent")
    desk.agents = (*desk.agents, ("late", "scalper", "agent"))
    desk.step()
    season = built(desk.records).season()
    place = season.names.index("late")

    assert 3 == season.entries[place].joined
    assert [100_000.0] * 4 == list(season.equity[:4, place])
    assert ("early",) == built(desk.records).season(2).names


def test_a_missing_quote_is_carried_and_told() -> None:
    """A product that drops out of a snapshot keeps its last bid, and the assumptions say so."""
    desk = Scenario(agents=(("solo", "momentum", "agent"),))
    desk.step()
    price = desk.prices.pop("SOL-USD")
    desk.step()
    season = built(desk.records).season()
    column = season.products.index("SOL-USD")

    assert price > 0
    assert season.bids[0, column] == season.bids[-1, column] > 0
    assert not np.isnan(season.equity).any()


def test_skipped_snapshots_are_told_as_gaps() -> None:
    """Intervals without a snapshot are counted among the assumptions."""
    desk = Scenario(agents=(("solo", "momentum", "agent"),))
    desk.snapshot()
    desk.advance(240)
    desk.snapshot()

    notes = built(desk.records).season().assumptions.notes
    assert ["3 intervals had no snapshot; their returns are in the next one."] == list(notes)


def test_malformed_records_are_counted_not_fatal(scenario: Scenario) -> None:
    """Bytes nobody can read leave the figures as they are and are named."""
    whole = built(scenario.records).season()
    bad = Record(topics.TURNS.name, 3, 0, 0, None, b"{no json", {"type": b"Turn"})
    season = built([bad, *scenario.records]).season()

    assert np.array_equal(whole.equity, season.equity)
    assert any("agent.turns[3]@0" in note for note in season.assumptions.notes)


def test_a_broken_account_log_ends_its_figures(scenario: Scenario) -> None:
    """A changed byte in the account log is told, and nothing behind it counts."""
    records = list(scenario.records)
    place = max(i for i, r in enumerate(records) if r.topic == topics.EVENTS.name)
    records[place] = records[place]._replace(value=b'{"kind": "forged"}')
    season = built(records).season()

    assert any("the figures of this log end there" in n for n in season.assumptions.notes)
    orders = sum(len(f) for f in season.fills) + sum(len(r) for r in season.rejections)
    assert len(scenario.shard.orders) - len(season.entries) - 1 == orders


def test_buy_and_hold_pays_the_same_costs() -> None:
    """The reference buys an equal share of each product once, with fee and slippage."""
    desk = Scenario(agents=())
    desk.snapshot()
    desk.advance(60)
    desk.snapshot()
    season = built(desk.records).season()
    share = 100_000 / 3
    bought = [share / (ask * 1.0002) / 1.006 for ask in season.asks[0]]

    assert [100_000.0, sum(q * b for q, b in zip(bought, season.bids[1], strict=True))] == [
        season.hold[0],
        pytest.approx(season.hold[1], rel=1e-12),
    ]


def test_a_repeat_is_read_from_the_name_of_the_matrix() -> None:
    """`<strategy>-<node>-<k>` is repeat k; any other name has none."""
    desk = Scenario(agents=(("momentum-rules-2", "momentum", "agent"), ("b-2", "b", "agent")))
    desk.snapshot()

    assert [None, 2] == [entry.seed for entry in built(desk.records).season().entries]


def test_nothing_read_yet_is_an_empty_season() -> None:
    """Without a snapshot there are no periods, and everything still has its shape."""
    season = SeasonBuilder().season()

    assert (0, (1,), (1, 0)) == (season.periods, season.hold.shape, season.equity.shape)
    assert (0, 0) == season.log_returns().shape
    with pytest.raises(IndexError):
        SeasonBuilder().season(0)


def test_times_are_venue_times_and_end_with_the_last_twice() -> None:
    """The time axis has a closing mark at the time of the last snapshot."""
    desk = Scenario(agents=())
    first = desk.snapshot()
    desk.advance(60)
    desk.snapshot()
    times = built(desk.records).season().times

    start = np.datetime64(first.as_of.replace(tzinfo=None))
    minute = np.timedelta64(timedelta(seconds=60))
    assert [start, start + minute, start + minute] == list(times)
