"""Which heartbeats can be a process's own, and which cannot."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arena import topics
from arena.bus.base import Record
from arena.liveness import parse_heartbeat
from arena.messages import Heartbeat
from arena.wire import encode

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
NODE = "router/a/alpha/17"


def appended(key: str = NODE, **changes: Any) -> Record:  # Any: fields of any type
    """A heartbeat in the log."""
    fields = {"node": NODE, "kind": "router", "name": "a", "host": "alpha", "pid": 17}
    times = {"started_at": NOW - timedelta(hours=1), "at": NOW}
    encoded = encode(Heartbeat.model_validate(fields | times | changes))
    at_ms = int(NOW.timestamp() * 1_000)
    name = topics.HEARTBEATS.name
    return Record(name, 0, 7, at_ms, key.encode(), encoded.value, dict(encoded.headers))


def test_valid_heartbeat_is_parsed() -> None:
    """Even from a host whose clock is hours off, or from a new kind of process."""
    assert parse_heartbeat(appended()) is not None
    assert parse_heartbeat(appended(at=NOW + timedelta(hours=5))) is not None
    assert parse_heartbeat(appended(at=NOW - timedelta(days=9_000))) is not None
    other = "new-kind/b_1/alpha.example.org/17"
    changes = {"node": other, "kind": "new-kind", "name": "b_1", "host": "alpha.example.org"}
    assert parse_heartbeat(appended(other, **changes)) is not None


def test_heartbeat_of_a_connector_of_two_venues_is_parsed() -> None:
    """Its name joins those of its venues, as in the key of its snapshots."""
    node = "connector/binance+coinbase/alpha/17"
    changes = {"node": node, "kind": "connector", "name": "binance+coinbase"}
    assert parse_heartbeat(appended(node, **changes)) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"node": "router/b/alpha/17"},
        {"kind": "judge"},
        {"name": "b"},
        {"host": "beta"},
        {"pid": 18},
        {"key": "router/b/alpha/17"},
        {"key": ""},
        {"at": NOW + timedelta(days=2)},
        {"started_at": NOW + timedelta(days=2)},
        {"at": datetime.max.replace(tzinfo=UTC)},
    ],
)
def test_impossible_heartbeat_is_none(changes: dict[str, Any]) -> None:
    """Its key, its id and its parts differ, or it is of a time to come."""
    assert parse_heartbeat(appended(**changes)) is None


@pytest.mark.parametrize(
    ("kind", "name", "host", "pid"),
    [
        ("router", "../a", "alpha", 17),
        ("router", "a b", "alpha", 17),
        ("router", "a+b", "alpha", 17),
        ("connector", "binance+", "alpha", 17),
        ("connector", "+".join("abcdefghi"), "alpha", 17),
        ("", "a", "alpha", 17),
        ("Router\u202e", "a", "alpha", 17),
        ("router", "a", "", 17),
        ("router", "a", "x" * 300, 17),
        ("router", "a", "al\npha", 17),
        ("router", "a", "alpha", 0),
        ("router", "a", "alpha", -1),
        ("router", "a", "alpha", 2**63),
    ],
)
def test_heartbeat_with_invalid_name_is_none(kind: str, name: str, host: str, pid: int) -> None:
    """Names are part of topics, hosts are printed, and the system is asked for a process's id."""
    node = f"{kind}/{name}/{host}/{pid}"
    changes = {"node": node, "kind": kind, "name": name, "host": host, "pid": pid}

    assert parse_heartbeat(appended(node, **changes)) is None


@pytest.mark.parametrize("value", [None, b"", b"[]", b'{"node":7}'])
def test_other_record_is_none(value: bytes | None) -> None:
    """Unreadable bytes, and other messages."""
    assert parse_heartbeat(appended()._replace(value=value)) is None
    assert parse_heartbeat(appended()._replace(headers={"type": b"Halt"})) is None
