"""What supervisors report in their heartbeats, and what is read from it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from arena.bus.base import Record
from arena.errors import Malformed
from arena.liveness import parse_heartbeat
from arena.messages import Heartbeat, ProcessCommand
from arena.process_kinds import KINDS
from arena.supervision import (
    EFFECTS,
    LOCK_STEP_EFFECTS,
    OUTCOMES_MAX,
    PROCESSES_MAX,
    SUPERVISED,
    SUPERVISOR,
    ProcessAddress,
    Supervised,
    SupervisedProcess,
    effect_text,
    outcome_of,
    stopped_processes,
    supervised_of,
)
from arena.topics import HEARTBEATS, RECORD_BYTES_MAX, SUPERVISION
from arena.wire import encode

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
RUN = "2026-11-21T09-12-03"
COMMAND = ProcessCommand(
    command_id="0f6f6a3e-1111",
    host="alpha",
    run=RUN,
    process="router-momentum",
    action="stop",
    reason="new key",
    by="cli/alpha",
    issued_at=NOW,
)
STOPPED = SupervisedProcess(
    name="router-momentum",
    kind="router",
    state="stopped",
    pid=17,
    since=NOW,
    command=outcome_of(COMMAND, "done", "ended after 0.2 s", NOW),
)


def beat_of(report: Supervised, **changes: Any) -> Heartbeat:  # Any: fields of any type
    """The heartbeat of a supervisor with a report."""
    return Heartbeat(
        node=f"{SUPERVISOR}/{RUN}/alpha/5",
        kind=SUPERVISOR,
        name=RUN,
        host="alpha",
        pid=5,
        started_at=NOW - timedelta(hours=1),
        at=NOW,
        details={SUPERVISED: report.detail()},
    ).model_copy(update=changes)


def decoded(message: Heartbeat | ProcessCommand) -> Any:  # Any: the type is the argument's
    """A message after its way through a topic."""
    encoded = encode(message)
    key = message.node if isinstance(message, Heartbeat) else message.host
    at_ms = int(NOW.timestamp() * 1_000)
    topic = HEARTBEATS.name if isinstance(message, Heartbeat) else SUPERVISION.name
    record = Record(topic, 0, 3, at_ms, key.encode(), encoded.value, dict(encoded.headers))
    return parse_heartbeat(record) if isinstance(message, Heartbeat) else record.message()


def test_report_is_read_as_it_was_sent() -> None:
    """The heartbeat can be a process's own, and has the same report."""
    report = Supervised(
        run=RUN,
        lock_step=True,
        processes=(STOPPED, STOPPED.model_copy(update={"name": "judge", "command": None})),
        outcomes=(outcome_of(COMMAND, "refused", "no such process", NOW),),
    )

    assert report == supervised_of(decoded(beat_of(report)))
    assert COMMAND == decoded(COMMAND)


@pytest.mark.parametrize(
    "detail",
    [
        None,
        7,
        [],
        "stopped",
        {},
        {"run": "../etc"},
        {"run": RUN, "processes": 7},
        {"run": RUN, "processes": [{"name": "a b", "kind": "router", "state": "stopped"}]},
        {"run": RUN, "processes": [{"name": "a", "kind": "router", "state": "asleep"}]},
        {"run": RUN, "outcomes": [{}]},
        {"run": RUN, "outcomes": [STOPPED.command.model_dump(mode="json")] * (OUTCOMES_MAX + 1)}
        if STOPPED.command
        else {},
    ],
)
def test_unreadable_report_is_not_used(detail: Any) -> None:  # Any: JSON
    """The process is alive, but it is not known what it supervises."""
    beat = beat_of(Supervised(run=RUN), details={SUPERVISED: detail})

    assert supervised_of(beat) is None
    assert {} == stopped_processes([beat])


def test_only_supervisors_have_a_report() -> None:
    """A router cannot say what a supervisor stopped."""
    report = Supervised(run=RUN, processes=(STOPPED,))

    assert {} == stopped_processes([beat_of(report, kind="router")])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {ProcessAddress("alpha", 17): "stopped by cli/alpha: new key"}),
        ({"state": "running"}, {}),
        ({"state": "failed"}, {}),
        ({"pid": None}, {}),
        ({"command": None}, {}),
        ({"command": outcome_of(
            COMMAND.model_copy(update={"action": "restart"}), "done", "started", NOW
        )}, {}),
        ({"command": outcome_of(
            COMMAND.model_copy(update={"reason": "a\nb\u202e", "by": "web/\x1b[2Jeve"}),
            "done", "ended", NOW,
        )}, {ProcessAddress("alpha", 17): "stopped by web/\\u001b[2Jeve: a b\\u202e"}),
    ],
)  # fmt: skip
def test_stopped_processes_are_those_that_a_command_stopped(
    changes: dict[str, Any], expected: dict[ProcessAddress, str]
) -> None:
    """Who stopped it and why is on one line, without invisible characters."""
    report = Supervised(run=RUN, processes=(STOPPED.model_copy(update=changes),))

    assert expected == stopped_processes([decoded(beat_of(report))])


def test_report_always_fits_in_a_record() -> None:
    """Of many processes with long texts only the first are reported; the others are counted."""
    long = COMMAND.model_copy(update={"reason": "\U0001f600" * 200, "by": "\U0001f600" * 300})
    process = STOPPED.model_copy(
        update={
            "note": "\U0001f600" * 400,
            "command": outcome_of(long, "done", "\U0001f600" * 5_000, NOW),
        }
    )
    report = Supervised(run=RUN, processes=(process,) * PROCESSES_MAX).fitted()

    assert len(encode(beat_of(report)).value) < RECORD_BYTES_MAX
    assert 0 < len(report.processes)
    assert PROCESSES_MAX == len(report.processes) + report.left_out
    assert report == supervised_of(decoded(beat_of(report)))


@pytest.mark.parametrize(
    "changes",
    [
        {"command_id": "short"},
        {"command_id": "a" * 65},
        {"command_id": "0f6f6a3e\n1111"},
        {"host": ""},
        {"host": "a/b"},
        {"host": "a" * 256},
        {"run": "../../etc"},
        {"run": "a\n"},
        {"process": ""},
        {"process": "router momentum"},
        {"process": "a" * 129},
        {"process": "--help"},
        {"action": "kill"},
        {"reason": "x" * 201},
        {"by": ""},
        {"by": "x" * 301},
        {"issued_at": NOW.replace(tzinfo=None)},
    ],
)
def test_command_outside_its_bounds_is_malformed(changes: dict[str, Any]) -> None:
    """Neither the sender nor a reader accepts it."""
    fields = COMMAND.model_dump() | changes

    with pytest.raises(ValidationError):
        ProcessCommand.model_validate(fields)
    with pytest.raises(Malformed, match="ProcessCommand"):
        decoded(ProcessCommand.model_construct(**fields))


def test_command_has_neither_arguments_nor_environment() -> None:
    """Fields with other names are dropped when a command is read."""
    more = {"argv": ["rm", "-rf", "/"], "environ": {"PATH": "/tmp"}, "cwd": "/"}
    found = ProcessCommand.model_validate(COMMAND.model_dump() | more)

    assert COMMAND == found
    assert {"command_id", "host", "run", "process", "action", "reason", "by", "issued_at"} == set(
        ProcessCommand.model_fields
    )


def test_effects_name_known_kinds() -> None:
    """A stop of every process that a contest needs has one; a start has none to warn of."""
    kinds = {kind.name for kind in KINDS}
    needed = ("exchange", "connector", "executor", "tools", "chat-node", "router", "judge")

    assert kinds >= EFFECTS.keys() >= LOCK_STEP_EFFECTS.keys()
    for lock_step in (False, True):
        assert not [k for k in needed if not effect_text(k, "stop", lock_step=lock_step)]
        assert not [k for k in kinds if effect_text(k, "start", lock_step=lock_step)]
    assert "" == effect_text("dashboard", "stop", lock_step=False)
    assert (
        "the market waits for its agents until it runs again, for each snapshot at most until the "
        "deadline of a turn" == effect_text("router", "restart", lock_step=True)
    )
    assert effect_text("router", "stop", lock_step=False).startswith("its agents skip every")
