"""The progress of a long wait: a bar on a terminal, lines in a pipe."""

import io

from rich.console import Console

from arena.progress import Step
from arena.progress_bars import draw_progress

STEPS = [
    Step("Apache Kafka 4.3.1", "3 of 47 files", done=3, total=47),
    Step("Apache Kafka 4.3.1", "47 files, 45 MB", done=47, total=47, finished=True),
    Step("broker", "ready on 127.0.0.1:9092 in 1.3 s", finished=True),
]


def draw_steps(*, terminal: bool) -> str:
    """Return the output of the steps, on a terminal or in a pipe."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None)
    with draw_progress(console) as progress:
        for step in STEPS:
            progress(step)
    return out.getvalue()


def test_terminal_shows_a_bar_for_each_step() -> None:
    """Every step has a line with its name, its last detail and a bar."""
    text = draw_steps(terminal=True)

    assert "Apache Kafka 4.3.1" in text
    assert "47 files, 45 MB" in text
    assert "ready on 127.0.0.1:9092 in 1.3 s" in text
    assert "━" in text


def test_pipe_gets_lines() -> None:
    """A pipe has plain lines without control characters."""
    assert [
        "Apache Kafka 4.3.1:   6%  3 of 47 files",
        "Apache Kafka 4.3.1: 47 files, 45 MB",
        "broker: ready on 127.0.0.1:9092 in 1.3 s",
    ] == draw_steps(terminal=False).splitlines()
