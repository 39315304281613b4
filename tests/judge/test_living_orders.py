"""The judge's fold of exits: they are trades of the agent, but orders of no turn."""

import pytest

from arena.money import SCALE
from judge.season.accounts_fold import AccountsFold, IndexedOrder
from judge.season.checkpoint_format import _pack_orders, _unpack_orders
from judge.season.types import FilledOrder, PlacedOrder, RejectedOrder
from tests.ledger.audit.contest_log import EVENTS
from tests.ledger.living_log import AGENT, OTHER, living_arena


@pytest.fixture(scope="module")
def fold() -> AccountsFold:
    """The fold of agents with limit orders and exits."""
    found = AccountsFold()
    for record in living_arena().records[EVENTS]:
        found.apply(record)
    return found


def _rows(fold: AccountsFold) -> list[IndexedOrder]:
    return [row for agent in (AGENT, OTHER) for row in fold.orders[agent]]


def test_every_fill_is_a_trade_and_only_refusals_are_rejections(fold: AccountsFold) -> None:
    """Accepted, cancelled and expired orders are neither; the figures are those of the account."""
    shard = fold.shards[0]

    assert {} == fold.broken
    for agent in (AGENT, OTHER):
        events = [row.event for row in fold.orders[agent]]
        fills = [one for one in events if isinstance(one, FilledOrder)]
        refused = [one for one in events if isinstance(one, RejectedOrder)]
        account = shard.accounts[agent]
        assert account.fills == len(fills)
        assert account.rejections == len(refused)
        assert account.realised == sum(one.realised or 0 for one in fills)
        assert account.cash == 100_000 * SCALE + sum(one.cash_change for one in fills)


def test_exit_belongs_to_the_last_checked_snapshot_and_to_no_turn(fold: AccountsFold) -> None:
    """It happened between two snapshots, long after its entry; no call of a turn asked for it."""
    rows = [(r, r.event) for r in _rows(fold) if isinstance(r.event, FilledOrder)]
    exits = [(row, fill) for row, fill in rows if fill.is_exit]

    assert {"take_profit", "trailing_stop", "time_exit"} == {f.order_type for _, f in exits}
    assert all(row.snapshot_id.startswith("s") and not row.is_asked for row, _ in exits)
    assert 0 < sum(isinstance(row.event, PlacedOrder) for row in _rows(fold))


def test_an_exit_is_after_a_part_that_ends_with_its_snapshot(fold: AccountsFold) -> None:
    """When a judge evaluates the snapshot the exit may not have fired; in a whole season it has."""
    rows = _rows(fold)

    later = [row for row in rows if row.is_later(whole=False)]
    assert later == [row for row in rows if isinstance(row.event, FilledOrder) and row.event.cause]
    assert later
    assert not any(row.is_later(whole=True) for row in rows)


def test_counts_are_those_of_the_log(fold: AccountsFold) -> None:
    """Armed exits fired, were cancelled or are open; two limits rejected one buy each."""
    risk, exits = fold.risk_of([AGENT])[0], fold.exits_of([AGENT, OTHER])

    assert (1, 1) == (risk.rejected["max_symbol_exposure_pct"], risk.tripped["max_daily_loss_pct"])
    assert 1 == risk.rejected["max_daily_loss_pct"]
    assert risk.approved >= 4
    assert {"custom": 1} == risk.settings
    assert 3 == sum(one.fired for one in exits)
    opened = sum(o.is_exit for s in fold.shards[0].standing.values() for o in s.open.values())
    assert sum(o.armed - o.fired - o.cancelled for o in exits) == opened


def test_rows_survive_a_checkpoint(fold: AccountsFold) -> None:
    """Fills, rejections and placed orders are packed with every field."""
    rows = _rows(fold)

    assert rows == _unpack_orders(memoryview(_pack_orders(rows)))
