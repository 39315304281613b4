"""Orders and turns that the watcher of a storm counts as open."""

from typing import Any

import orjson
from aiokafka import TopicPartition

from operations.storm.watcher import TURNS, Watcher

PLACE = TopicPartition(TURNS, 2)
FOREVER = float("inf")


def take(watcher: Watcher, body: Any) -> None:  # Any: whatever a record may hold
    """Pass a record of `agent.turns` to the watcher."""
    watcher._read_record(PLACE, body if isinstance(body, bytes) else orjson.dumps(body))


def test_turn_is_open_from_its_start_to_its_end() -> None:
    """Only turns of the storm's agents count; poison and other agents do not."""
    watcher = Watcher({})
    take(watcher, {"turn_id": "1", "agent": "mo"})
    began_s = watcher.turns["1"]
    others: tuple[Any, ...] = ({"turn_id": "2", "agent": "stranger"}, {"turn_id": "3"}, [], b"\xff")
    for other in others:
        take(watcher, other)

    assert watcher.turns.keys() == {"1"}
    assert not watcher.has_open_turn_before(began_s)
    assert watcher.has_open_turn_before(FOREVER)

    take(watcher, {"turn_id": "1", "agent": "mo", "outcome": "aborted"})
    assert not watcher.has_open_turn_before(FOREVER)
