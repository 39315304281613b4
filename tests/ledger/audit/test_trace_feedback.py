"""The feedback in a trace: that of the turn's agent, each once."""

from datetime import UTC, datetime
from typing import Any, cast

from arena import topics
from arena.bus.base import Record
from arena.messages import Feedback, OwnerWords, Turn
from arena.wire import encode
from ledger.audit.sources import RecordSource
from ledger.audit.trace_records import OrderRecords, _find_coaching

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Source:
    """Records of `agent.feedback`."""

    def __init__(self, records: list[Record]) -> None:
        """Take the records."""
        self._records = records

    def topics(self) -> tuple[str, ...]:
        """The topics that it has."""
        return (topics.FEEDBACK.name,)

    def read(self, _names: list[str]) -> list[Record]:
        """All records."""
        return self._records


def record(offset: int, agent: str, text: str) -> Record:
    """Feedback with one id."""
    message = Feedback(feedback_id="feedback-1", agent=agent, text=text, by="cli/host", at=AT)
    encoded = encode(message)
    headers = dict(encoded.headers)
    return Record(topics.FEEDBACK.name, 0, offset, 0, agent.encode(), encoded.value, headers)


def test_feedback_of_another_agent_and_a_second_record_are_left_out() -> None:
    """An id is the sender's choice, and a record may be written twice."""
    records = [record(0, "bo", "No."), record(1, "mo", "Sell earlier."), record(2, "mo", "Later.")]
    turn = Turn(
        turn_id="turn-1",
        agent="mo",
        strategy="mo",
        node="rules",
        snapshot_id="s",
        snapshot_offset=0,
        as_of=AT,
        outcome="completed",
        started_at=AT,
        ended_at=AT,
        owner=OwnerWords(feedback=("feedback-1",)),
    )
    event: Any = (records[0], None)  # Any: the order is not looked at.
    found = OrderRecords(event, "")
    _find_coaching(cast(RecordSource, Source(records)), found, turn)
    assert ["Sell earlier."] == [feedback.text for _, feedback in found.feedback]
