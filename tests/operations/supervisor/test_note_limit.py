"""Notes of a supervisor are limited, whatever is written to its topic."""

from operations.supervisor.note_limit import NOTES_PER_WINDOW, WINDOW_S, NoteLimit


def test_notes_are_limited_per_minute_and_the_others_counted() -> None:
    """The next minute says how many were left out, also if nothing new happens."""
    limit = NoteLimit()
    for number in range(1_000):
        limit.add(f"note {number}", 100.0 + number / 100)

    first, later = limit.take(110.0), limit.take(100.0 + WINDOW_S)

    assert [f"note {number}" for number in range(NOTES_PER_WINDOW)] == first
    assert [f"{1_000 - NOTES_PER_WINDOW} more notes like these were left out"] == later
    assert [] == limit.take(100.0 + 2 * WINDOW_S)
    limit.add("again", 100.0 + 2 * WINDOW_S)
    assert ["again"] == limit.take(100.0 + 2 * WINDOW_S)
