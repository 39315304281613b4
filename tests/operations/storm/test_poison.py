"""Poison is drawn from a seed, covers every shape, and is never a valid command."""

from random import Random

from operations.storm.checker import is_call
from operations.storm.checker_records import TopicRecord
from operations.storm.poison import CODECS, COMPACTED, TOPICS, Poison, draw_poison

DRAWN = 1_500


def drawn(seed: int) -> list[Poison]:
    """Draw many records from a seed."""
    rng = Random(seed)
    return [draw_poison(rng) for _ in range(DRAWN)]


def test_poison_covers_what_kafka_allows() -> None:
    """Every topic and codec, null values and headers, old times, both ends of transactions."""
    records = drawn(1)

    assert records == drawn(1)
    assert set(TOPICS) == {record.topic for record in records}
    assert set(CODECS) == {record.codec for record in records}
    assert {"", "commit", "abort"} == {record.transaction for record in records}
    assert any(record.value is None for record in records)
    assert any(value is None for record in records for _, value in record.headers)
    assert any(record.timestamp_ms is not None for record in records)
    assert max(len(record.value or b"") for record in records) > 500_000


def test_poison_can_be_sent() -> None:
    """The client refuses records without key and value, a compacted topic those without key."""
    for record in drawn(3):
        assert record.key is not None or record.value is not None
        assert record.key or record.topic not in COMPACTED


def test_poison_is_not_an_order() -> None:
    """The checker reads none of it as a call."""
    for record in drawn(2):
        kind = dict(record.headers).get("type") or b""
        raw = TopicRecord(0, 0, kind.decode("utf-8", "replace"), record.value or b"")
        assert is_call(raw) is None
