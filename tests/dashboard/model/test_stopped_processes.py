"""Processes that a command has stopped, on the dashboard."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from arena.messages import Heartbeat, ProcessCommand
from arena.supervision import (
    SUPERVISED,
    SUPERVISOR,
    Supervised,
    SupervisedProcess,
    SupervisedState,
    outcome_of,
)
from dashboard.model.processes import GONE_AFTER_S, Processes

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
WHY = "stopped by cli/alpha: new key"


def beat(
    kind: str, name: str, pid: int, age_s: float, status: Literal["running", "stopping"] = "running"
) -> Heartbeat:
    """A heartbeat of a given age."""
    return Heartbeat(
        node=f"{kind}/{name}/alpha/{pid}", kind=kind, name=name, host="alpha", pid=pid,
        status=status, started_at=NOW - timedelta(hours=5), at=NOW - timedelta(seconds=age_s),
    )  # fmt: skip


def supervisor(state: SupervisedState, age_s: float = 1.0) -> Heartbeat:
    """A supervisor that was asked to stop the router with pid 17."""
    command = ProcessCommand(
        command_id="command-1", host="alpha", run="r", process="router-mo", action="stop",
        reason="new key", by="cli/alpha", issued_at=NOW,
    )  # fmt: skip
    process = SupervisedProcess(
        name="router-mo", kind="router", state=state, pid=17, since=NOW,
        command=outcome_of(command, "done", "ended", NOW),
    )  # fmt: skip
    report = Supervised(run="r", processes=(process,))
    return beat(SUPERVISOR, "r", 5, age_s).model_copy(
        update={"details": {SUPERVISED: report.detail()}}
    )


def states(*beats: Heartbeat) -> dict[str, tuple[str, str]]:
    """Name -> state, and why it was stopped."""
    processes = Processes()
    for one in beats:
        processes.beat(one, int(one.at.timestamp() * 1_000))
    return {row.name: (row.state, row.stopped_by) for row in processes.rows(NOW)}


def test_stopped_process_says_who_stopped_it() -> None:
    """Also one that was killed because it did not end, which left no last heartbeat."""
    expected = {"mo": ("stopped", WHY), "r": ("running", "")}

    assert expected == states(beat("router", "mo", 17, 60.0, "stopping"), supervisor("stopped"))
    assert expected == states(beat("router", "mo", 17, 60.0), supervisor("stopped"))


def test_stopped_process_is_shown_as_long_as_its_supervisor() -> None:
    """Others that are silent for as long are not shown any more."""
    old = GONE_AFTER_S + 1.0

    assert {"mo", "r"} == states(beat("router", "mo", 17, old), supervisor("stopped")).keys()
    assert {"r"} == states(beat("router", "mo", 18, old), supervisor("stopped")).keys()
    assert {} == states(beat("router", "mo", 17, old), supervisor("stopped", old))


def test_process_that_was_started_again_is_not_stopped() -> None:
    """Neither is one of another pid."""
    running = states(beat("router", "mo", 17, 1.0), supervisor("running"))
    other = states(beat("router", "mo", 18, 60.0), supervisor("stopped"))

    assert ("running", "") == running["mo"]
    assert ("silent", "") == other["mo"]


def test_process_has_the_name_that_its_supervisor_knows() -> None:
    """Commands name it; a process that no supervisor started cannot be commanded."""
    processes = Processes()
    for one in (supervisor("running"), beat("router", "mo", 17, 1.0), beat("judge", "j", 9, 1.0)):
        processes.beat(one, int(one.at.timestamp() * 1_000))

    assert {"mo": "router-mo", "j": "", "r": ""} == {
        row.name: row.process for row in processes.rows(NOW)
    }


def test_process_that_was_started_again_hides_the_one_before() -> None:
    """Whether it reported its end or was killed; one that runs beside it is shown."""
    after = beat("router", "mo", 17, 1.0)
    for before in (beat("router", "mo", 16, 60.0, "stopping"), beat("router", "mo", 16, 60.0)):
        processes = Processes()
        for one in (before, after, supervisor("running")):
            processes.beat(one, int(one.at.timestamp() * 1_000))
        assert [17, 5] == [int(row.node.rpartition("/")[2]) for row in processes.rows(NOW)]

    processes.beat(beat("router", "mo", 18, 1.0), int(NOW.timestamp() * 1_000) - 1_000)
    assert 3 == len(processes.rows(NOW))
