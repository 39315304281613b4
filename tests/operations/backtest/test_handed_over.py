"""In one process a reader gets the message that was sent: it is the one in the record's bytes."""

from pathlib import Path

import pytest

from arena.bus.memory_logs import MemoryRecord
from arena.messages.base import Message
from arena.wire import decode
from operations.backtest.point import Point, play_point
from tests.operations.backtest.test_parity import spec_on_synthetic_prices

KINDS_MIN = 15


def test_what_is_handed_over_is_what_the_bytes_are_decoded_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_logs: None
) -> None:
    """Every message of a contest with all that can be turned on survives its bytes unchanged."""
    different: list[str] = []
    kinds: set[str] = set()
    kept = MemoryRecord.keep

    def compare(record: MemoryRecord, message: Message) -> None:
        kinds.add(record.kind)
        if decode(record.value, record.headers) != message:
            different.append(f"{record.kind} at {record.topic}@{record.offset}")
        kept(record, message)

    monkeypatch.setattr(MemoryRecord, "keep", compare)
    spec = tmp_path / "contest.toml"
    spec.write_text(spec_on_synthetic_prices())
    played = play_point(Point(0, spec, {}, snapshots=8))
    assert not played.error
    assert len(kinds) >= KINDS_MIN, kinds
    assert not different
