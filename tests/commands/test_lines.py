"""What `arena tail` prints of the kill switch and of the judge."""

from datetime import UTC, datetime

import pytest

from arena.commands.lines import describe
from arena.messages import Halt, Message, Resume
from tests.dashboard.scenario import Scenario
from tests.dashboard.test_verdict import WORDS, judged

AT = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            Halt(by="cli/desk", at=AT, reason="prices look wrong"),
            "everybody's orders halted by cli/desk: prices look wrong",
        ),
        (Halt(agent="momentum", by="cli/desk", at=AT), "momentum's orders halted by cli/desk"),
        (Resume(by="cli/desk", at=AT), "everybody's orders resumed by cli/desk"),
    ],
)
def test_the_kill_switch_reads_as_a_sentence(message: Message, line: str) -> None:
    """Whose orders, what became of them, who asked, and why."""
    assert line == describe(message)


def test_an_evaluation_tells_its_verdict_and_never_a_first() -> None:
    """The line is the verdict, with its warnings counted; no order is read out of it."""
    line = describe(judged(Scenario().run(3)))

    assert f"after 3 snapshots (90% intervals, 1 warning): {WORDS}" == line
    assert "first" not in line
