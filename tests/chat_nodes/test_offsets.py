"""The low-water mark of answered requests."""

from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.offsets import LowWaterMark


def test_mark_waits_for_the_oldest_offset() -> None:
    """Finished later offsets do not move it past an earlier one that is not finished."""
    water = LowWaterMark()
    for offset in (7, 8, 9):
        water.begin(offset)
    water.finish(8)
    water.finish(9)
    waiting = water.next_offset()
    water.finish(7)

    assert (7, 10) == (waiting, water.next_offset())


def test_new_mark_has_no_offset() -> None:
    """A partition without begun offsets has no mark."""
    assert LowWaterMark().next_offset() is None


def test_redelivered_offset_is_not_begun_twice() -> None:
    """After a rebalance the group delivers from the commit on; begun offsets are known."""
    water = LowWaterMark()
    water.begin(3)
    water.begin(4)
    water.finish(4)

    assert [False, False, True] == [water.begin(3), water.begin(4), water.begin(5)]


@given(st.integers(1, 30).flatmap(lambda n: st.permutations(range(n))), st.integers(0, 30))
def test_everything_below_the_mark_is_finished(order: list[int], finished: int) -> None:
    """In any order of completion the mark is the first unfinished offset."""
    water = LowWaterMark()
    for offset in range(len(order)):
        assert water.begin(offset)
    for offset in order[:finished]:
        water.finish(offset)
    left = order[finished:]

    assert min(left, default=len(order)) == water.next_offset()
