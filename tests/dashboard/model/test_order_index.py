"""The index of orders gives every order once, the newest first, however it is paged."""

from dataclasses import replace
from itertools import islice

import pytest

from dashboard.model import order_index
from dashboard.model.order_index import OrderIndex, OrderPlace, newest_places


def _indexes() -> dict[int, OrderIndex]:
    """Two shards with 40 orders of four agents; some have the same time."""
    indexes = {0: OrderIndex(), 3: OrderIndex()}
    for number in range(40):
        partition = 0 if number % 3 else 3
        indexes[partition].add(f"agent{number % 4}", 1_000 + number // 2, 10 * number)
    return indexes


@pytest.mark.parametrize("agent", [None, "agent0", "agent3", "unknown"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_hold_every_order_once(agent: str | None, limit: int) -> None:
    """Also if several orders have the same time."""
    indexes = _indexes()
    every = [*newest_places(indexes, agent)]
    paged: list[OrderPlace] = []
    before: OrderPlace | None = None
    while page := [*islice(newest_places(indexes, agent, before), limit)]:
        paged += page
        before = page[-1]

    assert every == sorted(every, reverse=True)
    assert paged == every
    assert len(every) == {None: 40, "unknown": 0}.get(agent, 10)


def test_a_clock_that_is_set_back_does_not_reorder_a_shard() -> None:
    """Within a shard the order is that of the log."""
    index = OrderIndex()
    for offset, at_ms in enumerate((5, 9, 2, 7)):
        index.add("momentum", at_ms, offset)

    assert [3, 2, 1, 0] == [place.offset for place in index.back(0, None, None)]


def test_the_oldest_orders_are_dropped_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a shard is bounded."""
    monkeypatch.setattr(order_index, "ORDERS_MAX", 20)
    monkeypatch.setattr(order_index, "SPARE", 5)
    index = replace(OrderIndex())
    for offset in range(26):
        index.add("momentum", offset, offset)

    assert [*range(25, 4, -1)] == [place.offset for place in index.back(0, None, None)]
    assert not index.complete
