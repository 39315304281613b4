"""Which supervisors run, and which of them a command is for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arena.errors import ArenaError, UsageError
from arena.messages import Heartbeat
from arena.process_commands import (
    RunningSupervisor,
    running_supervisors,
    supervisor_of,
    supervisors_of,
)
from arena.supervision import SUPERVISED, SUPERVISOR, Supervised, SupervisedProcess
from operations.commands.process import process_lines

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def report(run: str, *names: str) -> Supervised:
    """The report of a run with these processes."""
    processes = (
        SupervisedProcess(name=n, kind="router", state="running", since=NOW) for n in names
    )
    return Supervised(run=run, processes=tuple(processes))


def running(host: str, run: str, *names: str) -> RunningSupervisor:
    """A supervisor of a host with a run."""
    return RunningSupervisor(f"{SUPERVISOR}/{run}/{host}/5", host, 1.0, report(run, *names))


ALPHA = running("alpha", "2026-11-21T09-12-03", "judge", "tools")
LATER = running("alpha", "2026-11-21T09-12-03-2", "judge", "tools")
BETA = running("beta", "2026-11-20T08-00-00", "router-mo", "tools")


@pytest.mark.parametrize(
    ("host", "run", "expected"),
    [
        (None, None, [ALPHA, LATER, BETA]),
        ("beta", None, [BETA]),
        (None, "2026-11-21T09-12-03", [ALPHA]),
        (None, "2026-11-21", [ALPHA, LATER]),
        ("alpha", "2026-11-21T09-12-03-2", [LATER]),
    ],
)
def test_host_and_run_select_supervisors(
    host: str | None, run: str | None, expected: list[RunningSupervisor]
) -> None:
    """The whole name of a run comes before the start of others."""
    assert expected == supervisors_of([ALPHA, LATER, BETA], host, run)


@pytest.mark.parametrize(
    ("host", "run", "error"),
    [
        ("gamma", None, "no supervisor on host 'gamma' runs; those that run: run 2026-11-21T09"),
        (None, "2025", "no supervisor of run '2025' runs"),
        ("beta", "2026-11-21", "no supervisor of run '2026-11-21' on host 'beta' runs"),
    ],
)
def test_unknown_host_or_run_is_refused_with_the_known_ones(
    host: str | None, run: str | None, error: str
) -> None:
    """It is wrong usage."""
    with pytest.raises(UsageError, match=error):
        supervisors_of([ALPHA, LATER, BETA], host, run)


def test_no_supervisor_is_reported_with_a_remedy() -> None:
    """The answer is no, not wrong usage."""
    with pytest.raises(ArenaError, match="no supervisor runs in this arena; start one") as raised:
        supervisors_of([], None, None)

    assert 1 == raised.value.exit_code


def test_process_is_found_by_its_name() -> None:
    """A name that only one of them has needs no host."""
    assert BETA == supervisor_of([ALPHA, BETA], "router-mo")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("jugde", "there is no process 'jugde'; the processes are judge, router-mo, tools"),
        ("tools", r"2 supervisors have a process 'tools': run 2026-11-21T09-12-03 on alpha, run "
         "2026-11-20T08-00-00 on beta; choose one with --host or --run"),
    ],
)  # fmt: skip
def test_unknown_and_ambiguous_names_are_refused(name: str, error: str) -> None:
    """The known names, or the supervisors, are in the error."""
    with pytest.raises(UsageError, match=error):
        supervisor_of([ALPHA, BETA], name)


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({}, True),
        ({"status": "starting"}, False),
        ({"status": "stopping"}, False),
        ({"at": NOW - timedelta(seconds=14)}, True),
        ({"at": NOW - timedelta(seconds=16)}, False),
        ({"details": {}}, False),
        ({"details": {SUPERVISED: "hello"}}, False),
        ({"kind": "router"}, False),
    ],
)
def test_supervisor_runs_if_its_heartbeat_is_recent_and_has_a_report(
    changes: Mapping[str, Any], runs: bool
) -> None:
    """One that starts does not receive commands yet, and one that stops does not any more."""
    beat = Heartbeat(
        node=ALPHA.node, kind=SUPERVISOR, name=ALPHA.report.run, host="alpha", pid=5,
        started_at=NOW, at=NOW - timedelta(seconds=1), interval_s=5.0,
        details={SUPERVISED: ALPHA.report.detail()},
    ).model_copy(update=changes)  # fmt: skip

    found = running_supervisors([beat], NOW)

    assert ([ALPHA.report] if runs else []) == [one.report for one in found]


def test_table_has_a_part_per_supervisor() -> None:
    """Processes are listed with state and note; those that did not fit are counted."""
    stopped = SupervisedProcess(
        name="judge", kind="judge", state="stopped", pid=7, since=NOW, restarts=2,
        note="stopped by cli/alpha: new\nkey",
    )  # fmt: skip
    one = Supervised(run="r1", lock_step=True, processes=(stopped,), left_out=3)

    lines = process_lines([RunningSupervisor("n", "alpha", 1.0, one), BETA])

    since = f"{NOW.astimezone():%H:%M:%S}"
    assert [
        "run r1 on alpha, lock-step:",
        "process  kind   state    pid  restarts  since     note",
        f"judge    judge  stopped    7         2  {since}  stopped by cli/alpha: new key",
        "and 3 more processes, which are not reported",
        "run 2026-11-20T08-00-00 on beta:",
    ] == lines[:5]
