"""Repeated log lines of libraries are held back."""

import logging

from arena.repeated_lines import EVERY_S, LINES_MAX, RepeatFilter


def line(text: str, *values: object, name: str = "aiokafka.cluster") -> logging.LogRecord:
    """A line of a library."""
    return logging.LogRecord(name, logging.ERROR, "", 0, text, values, None)


def test_repeated_line_passes_once_per_interval_with_count() -> None:
    """One of 1,650 lines per second passes; the next one has the number of the others."""
    now = [0.0]
    repeats = RepeatFilter(lambda: now[0])
    text = "Topic %s not found in cluster metadata"
    passed = []
    for number in range(int(1_650 * 2.5 * EVERY_S)):
        now[0] = number / 1_650
        record = line(text, "llm.calls")
        if repeats.filter(record):
            passed.append(getattr(record, "held_back", None))

    assert [0, 16_499, 16_499] == passed
    assert repeats.filter(line(text, "llm.results"))
    assert repeats.filter(line(text, "llm.calls", name="another"))


def test_tracked_lines_are_bounded() -> None:
    """Lines that are all different pass, and the first of them are forgotten."""
    repeats = RepeatFilter(lambda: 0.0)

    assert all(repeats.filter(line("line %d", number)) for number in range(4 * LINES_MAX))
    assert LINES_MAX == len(repeats._lines)
    assert repeats.filter(line("%d", "no number"))
