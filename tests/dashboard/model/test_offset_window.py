"""The newest offsets of a topic."""

from hypothesis import given
from hypothesis import strategies as st

from dashboard.model.offset_window import OffsetWindow


def filled(offsets: range, length: int) -> OffsetWindow[int]:
    """A window that read these offsets of partition 0, every one an item."""
    window: OffsetWindow[int] = OffsetWindow(length)
    for offset in offsets:
        window.advance(0, offset)
        window.add(0, offset, offset)
    return window


@given(st.integers(0, 40), st.integers(1, 12))
def test_late_reader_holds_the_same(end: int, length: int) -> None:
    """A reader that starts at the window's first offset has the same items."""
    from_the_start = filled(range(end), length)
    late = filled(range(max(0, end - length), end), length)

    assert list(late) == list(from_the_start)
    assert late.complete == from_the_start.complete


@given(st.integers(0, 40), st.integers(1, 12))
def test_window_holds_no_more_than_its_length(end: int, length: int) -> None:
    """The items that leave it are returned."""
    window: OffsetWindow[int] = OffsetWindow(length)
    lost: list[int] = []
    for offset in range(end):
        lost += window.advance(0, offset)
        window.add(0, offset, offset)

    assert list(range(end)) == lost + list(window)
    assert len(list(window)) == min(end, length)


def test_records_without_an_item_advance_the_window() -> None:
    """Otherwise readers would disagree on the start of the window."""
    window = filled(range(3), 3)

    assert [0, 1] == [*window.advance(0, 3), *window.advance(0, 4)]
    assert [2] == list(window)


def test_each_partition_has_its_own_window() -> None:
    """A record of one partition does not advance another."""
    window: OffsetWindow[str] = OffsetWindow(1)
    for partition in (0, 1):
        window.advance(partition, 0)
        window.add(partition, 0, f"p{partition}")

    assert ["p0", "p1"] == list(window)
    assert window.complete
