"""The lost records that `arena status` shows."""

from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from arena.messages import Heartbeat
from arena.reported_losses import (
    LostRecords,
    losses_in,
    lost_line,
    unproven_line,
    unproven_losses_in,
)

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def _beat(pid: int, age_s: float, details: dict[str, JsonValue]) -> Heartbeat:
    return Heartbeat(
        node=f"tools/main/host/{pid}",
        kind="tools",
        name="main",
        host="host",
        pid=pid,
        status="running",
        started_at=NOW,
        at=NOW - timedelta(seconds=age_s),
        details=details,
    )


def test_each_loss_is_shown_once_with_the_newest_text() -> None:
    """An executor that takes over the shard reports the same loss again."""
    old = _beat(1, 60, {"commands_lost": {"0": "19 are gone", "1": "2 are gone"}})
    new = _beat(2, 1, {"commands_lost": {"0": "20 are gone"}, "events_lost": {"0": "3 are gone"}})
    other = _beat(3, 1, {"commands_lost": "nothing of use", "shards": [0]})

    found = losses_in([new, other, old])

    assert (
        LostRecords("0", "account.commands", "20 are gone", new.node),
        LostRecords("0", "account.events", "3 are gone", new.node),
        LostRecords("1", "account.commands", "2 are gone", old.node),
    ) == found
    assert "lost: account.commands[0]: 20 are gone" == lost_line(found[0])


def test_text_of_a_heartbeat_cannot_forge_a_line() -> None:
    """It is shown on one line, with bounded length and visible control characters."""
    (lost,) = losses_in([_beat(1, 1, {"events_lost": {"0": "a\x1b[31m\nok" + "x" * 5_000}})])

    line = lost_line(lost)

    assert "\x1b" not in line
    assert "\n" not in line
    assert len(line) < 1_100


def test_any_reader_can_report_losses() -> None:
    """Topic, partition and reader are named; malformed values are skipped."""
    old = _beat(1, 60, {"records_lost": {"llm.calls": {"0, gpt": "3 are gone"}}})
    new = _beat(2, 1, {"records_lost": {"llm.calls": {"0, gpt": "4 are gone"}, "x": 1}})
    hostile = _beat(3, 1, {"records_lost": [1]})

    (lost,) = losses_in([new, old, hostile])

    assert LostRecords("0, gpt", "llm.calls", "4 are gone", new.node) == lost
    assert "lost: llm.calls[0, gpt]: 4 are gone" == lost_line(lost)


def test_unproven_loss_has_its_own_line() -> None:
    """It is not listed as a loss."""
    beat = _beat(1, 1, {"events_unproven": {"0": "no inbox was read"}})

    (found,) = unproven_losses_in([beat])

    assert () == losses_in([beat])
    assert "not proven: account.events[0]: no inbox was read" == unproven_line(found)
