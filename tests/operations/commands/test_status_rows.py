"""The rows of `arena status` from heartbeats and the run's record."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from pydantic import JsonValue

from arena.agent_health import DeadAgent
from arena.messages import Heartbeat, ProcessCommand
from arena.runs import ProcessRecord, ProcessState, RunRecord
from arena.supervision import SUPERVISED, Supervised, SupervisedProcess, outcome_of
from operations.commands.status_rows import (
    LocalState,
    dead_agents,
    dead_line,
    process_rows,
    process_table,
)

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def beat(
    kind: str,
    pid: int,
    age_s: float,
    status: Literal["starting", "running", "standby", "stopping"] = "running",
    name: str = "main",
    up_s: float = 3600,
    error: str = "",
) -> Heartbeat:
    """A heartbeat of this host with a given age, of a process with a given uptime."""
    return Heartbeat(
        node=f"{kind}/{name}/host/{pid}",
        kind=kind,
        name=name,
        host="host",
        pid=pid,
        status=status,
        started_at=NOW - timedelta(seconds=up_s),
        details={"error": error} if error else {},
        at=NOW - timedelta(seconds=age_s),
        counters={"turns": 3},
    )


def test_feed_outage_is_shown_with_its_remedy() -> None:
    """A running connector without prices shows the reason instead of its counters."""
    down = beat("connector", 7, 1.0).model_copy(
        update={"details": {"feed_down": "cannot reach h: its name is not known; are you offline?"}}
    )
    shown = process_table(process_rows([down], None, host="host", now=NOW, interval_s=5.0))

    assert shown[1].endswith("cannot reach h: its name is not known; are you offline?")
    assert (
        "turns=3"
        in process_table(
            process_rows([beat("connector", 7, 1.0)], None, host="host", now=NOW, interval_s=5.0)
        )[1]
    )


def test_ban_and_another_connector_are_shown_beside_prices() -> None:
    """With the venue, until when and why, and the remedy; a ban that is the outage only once."""
    ban = "h answered 418: it asks for no requests before 2026-11-21 19:00:00 UTC"
    warned: dict[str, JsonValue] = {
        "venue_bans": {"binance": ban},
        "other_connectors": "another connector publishes snapshots of kraken; run one",
    }
    cells = []
    for details in (warned, warned | {"feed_down": f"{ban}; trying again then"}):
        shown = beat("connector", 7, 1.0).model_copy(update={"details": details})
        rows = process_rows([shown], None, host="host", now=NOW, interval_s=5.0)
        cells.append(process_table(rows)[1])

    other = "another connector publishes snapshots of kraken; run one"
    assert cells[0].endswith(f"binance: {ban}; {other}")
    assert cells[1].endswith(f" {ban}; trying again then; {other}")


def run_of(*processes: tuple[str, int | None, ProcessState]) -> RunRecord:
    """A run with these processes."""
    records = tuple(
        ProcessRecord(name=name, command=("arena",), log="", pid=pid, state=state, restarts=1)
        for name, pid, state in processes
    )
    return RunRecord(
        command="up",
        name="arena",
        prefix="",
        bootstrap="b:1",
        pid=1,
        pid_started_at=0.0,
        started_at=NOW,
        processes=records,
    )


def healths(
    *beats: Heartbeat,
    run: RunRecord | None = None,
    local_states: dict[int, LocalState] | None = None,
) -> dict[int | None, str]:
    """Pid -> health."""
    seen = {f"tools/main/host/{pid}": look for pid, look in (local_states or {}).items()}
    found = process_rows(beats, run, host="host", now=NOW, interval_s=5.0, local_states=seen)
    return {row.pid: row.health for row in found}


def test_heartbeat_older_than_three_intervals_is_stale() -> None:
    """Fifteen seconds are ok, more are stale."""
    fresh, old = beat("tools", 1, 15.0), beat("router", 2, 15.1)

    assert healths(fresh, old) == {1: "ok", 2: "stale"}


def test_stopped_process_is_not_down() -> None:
    """A final heartbeat makes it stopped, whatever its age."""
    assert healths(beat("tools", 1, 600.0, "stopping")) == {1: "stopped"}


def test_crashed_process_is_hidden_after_it_was_replaced() -> None:
    """Its last heartbeat stays in the topic, but is not in the table."""
    dead, alive = beat("router", 1, 60.0), beat("router", 2, 1.0, up_s=50)

    assert healths(dead, alive) == {2: "ok"}


def test_crashed_process_is_shown_if_only_its_standby_is_alive() -> None:
    """The standby started before the crash, so it is not a replacement."""
    dead, alive = beat("router", 1, 60.0), beat("router", 2, 1.0)

    assert healths(dead, alive) == {1: "stale", 2: "ok"}


def test_repeatedly_crashing_process_is_one_row() -> None:
    """Each start was after the last heartbeat of the one before."""
    lives = [
        beat("router", 1, 60.0, "stopping", up_s=70, error="no broker"),
        beat("router", 2, 40.0, "stopping", up_s=50, error="no broker"),
        beat("router", 3, 20.0, "stopping", up_s=30, error="no broker"),
    ]

    assert healths(*lives) == {3: "down"}


def test_local_state_overrides_heartbeats() -> None:
    """A process that is gone is down at once; a suspended one is stale, and never hidden."""
    one, two, three = beat("tools", 1, 1.0), beat("tools", 2, 1.0), beat("tools", 3, 0.5, up_s=0.6)

    assert healths(one, two, local_states={1: "gone", 2: "suspended"}) == {1: "down", 2: "stale"}
    found = healths(one, two, three, local_states={1: "gone", 2: "suspended"})
    assert found == {2: "stale", 3: "ok"}


def test_process_with_a_long_interval_is_not_stale() -> None:
    """Its own interval counts, not that of the command."""
    slow = beat("tools", 1, 60.0).model_copy(update={"interval_s": 30.0})

    assert healths(slow) == {1: "ok"}


def test_state_of_the_supervisor_overrides_heartbeats() -> None:
    """A process that will be restarted is down, although its last heartbeat is recent."""
    run = run_of(("tools", 1, "restarting"))

    assert healths(beat("tools", 1, 1.0), run=run) == {1: "down"}


def test_standby_and_active_process_are_both_shown() -> None:
    """Two processes of one name are both alive."""
    assert healths(beat("tools", 1, 1.0), beat("tools", 2, 1.0, "standby")) == {
        1: "ok",
        2: "standby",
    }


def test_processes_of_the_day_before_are_hidden() -> None:
    """A heartbeat older than a day is not shown."""
    assert healths(beat("tools", 1, 90_000.0)) == {}


def test_process_without_heartbeat_has_the_supervisors_state() -> None:
    """The exchange sends no heartbeats; a given-up router is down."""
    run = run_of(("exchange", 7, "running"), ("router-a", 8, "given_up"), ("tools", 9, "running"))

    assert healths(beat("tools", 9, 1.0), run=run) == {7: "unknown", 8: "down", 9: "ok"}


@pytest.mark.parametrize(
    ("kind", "age_s", "health", "words"),
    [
        ("router", 0.0, "starting", "no heartbeat yet"),
        ("router", -2.0, "starting", "no heartbeat yet"),  # the broker's clock is behind
        ("web", 29.0, "starting", "no heartbeat yet"),
        ("router", 31.0, "unknown", "runs; sends no heartbeat"),
        ("exchange", 0.0, "unknown", "runs; sends no heartbeat"),
        ("dashboard", 0.0, "unknown", "runs; sends no heartbeat"),
    ],
)
def test_process_that_starts_has_no_heartbeat_yet(
    kind: str, age_s: float, health: str, words: str
) -> None:
    """For its first seconds, unless its kind never sends any."""
    run = run_of(("some", 7, "running"))
    since = NOW - timedelta(seconds=age_s)
    process = run.processes[0].model_copy(update={"kind": kind, "since": since})
    run = run.model_copy(update={"processes": (process,)})

    (row,) = process_rows([], run, host="host", now=NOW, interval_s=5.0)

    assert (health, words) == (row.health, row.words)


def test_row_has_the_supervisors_restarts() -> None:
    """Heartbeat and process are joined by pid."""
    found = process_rows(
        [beat("tools", 9, 1.0)],
        run_of(("tools", 9, "running")),
        host="host",
        now=NOW,
        interval_s=5.0,
    )

    assert [(row.kind, row.restarts, row.counters) for row in found] == [("tools", 1, {"turns": 3})]


def test_table_is_aligned() -> None:
    """One line of headings and one per process; figures are right-aligned."""
    found = process_rows([beat("tools", 12345, 2.0)], None, host="host", now=NOW, interval_s=5.0)

    assert process_table(found) == [
        "process  name  host    pid  health  beat  restarts  counters",
        "tools    main  host  12345  ok       2 s         -  turns=3",
    ]


def test_dead_agents_come_from_living_routers_and_the_run() -> None:
    """Heartbeats of ended processes do not count; the run's record does."""
    glm, gpt, old = (DeadAgent(name, "401", 3, code="auth", remedy="set it") for name in "abc")
    lives = beat("router", 1, 1.0).model_copy(update={"details": {"dead": [glm.document(), 7]}})
    ended = beat("router", 2, 1.0, "stopping", name="other")
    ended = ended.model_copy(update={"details": {"dead": [old.document()]}})
    beats, run = [lives, ended], run_of().model_copy(update={"dead": (gpt,)})
    found = process_rows(beats, None, host="host", now=NOW, interval_s=5.0)

    assert dead_agents(beats, found, run) == (glm, gpt)
    assert dead_line(glm) == "dead: a: 401; set it"
    assert RunRecord.model_validate_json(run.model_dump_json()) == run


def test_a_router_of_shadow_agents_says_whose() -> None:
    """A dead one of them is not a dead agent of the arena."""
    dead = DeadAgent("shadow-x-champion-1", "401", 3, code="auth", remedy="set it")
    details = {"shadow_of": "momentum", "dead": [dead.document()]}
    one = beat("router", 1, 1.0).model_copy(update={"details": details})
    found = process_rows([one], None, host="host", now=NOW, interval_s=5.0)

    assert found[0].shadow_of == "momentum"
    assert "shadow of momentum" in process_table(found)[1]
    assert dead_agents([one], found, None) == ()


def supervisor(pid: int, age_s: float, *, up_s: float = 3_600, run: str = "r") -> Heartbeat:
    """A supervisor that stopped the process with pid 8 as a command asked for."""
    command = ProcessCommand(
        command_id="command-1", host="host", run=run, process="router-mo", action="stop",
        reason="new key", by="cli/host", issued_at=NOW,
    )  # fmt: skip
    process = SupervisedProcess(
        name="router-mo", kind="router", state="stopped", pid=8, since=NOW,
        command=outcome_of(command, "done", "ended", NOW),
    )  # fmt: skip
    found = beat("supervisor", pid, age_s, name=run, up_s=up_s)
    report = Supervised(run=run, processes=(process,))
    return found.model_copy(update={"details": {SUPERVISED: report.detail()}})


def test_process_stopped_by_a_command_is_not_down() -> None:
    """It says who stopped it and why, instead of its counters; also if it had to be killed."""
    for last in (beat("router", 8, 60.0), beat("router", 8, 60.0, "stopping", error="x")):
        for run in (None, run_of(("router-mo", 8, "stopped"))):
            rows = process_rows(
                [last, supervisor(5, 1.0)], run, host="host", now=NOW, interval_s=5.0
            )
            row = next(row for row in rows if row.pid == 8)
            line = next(line for line in process_table(rows) if line.startswith("router"))

            assert ("stopped", "stopped by cli/host: new key") == (row.health, row.stopped_by)
            assert line.endswith("stopped by cli/host: new key")


def test_process_without_heartbeats_that_a_command_stopped() -> None:
    """The exchange of this host, from the run's record."""
    run = run_of(("exchange", 8, "stopped"))

    rows = process_rows([supervisor(5, 1.0)], run, host="host", now=NOW, interval_s=5.0)

    assert ["stopped by cli/host: new key"] == [row.stopped_by for row in rows if row.pid == 8]


def test_killed_supervisor_is_hidden_after_the_next_run_started() -> None:
    """The name of a supervisor is that of its run, so the host tells which one replaced it."""
    killed, later = supervisor(5, 60.0, run="r1"), supervisor(6, 1.0, up_s=50, run="r2")

    assert {5: "stale"} == healths(killed)
    assert {6: "ok"} == healths(killed, later)
    assert {5: "stale", 6: "ok"} == healths(killed, supervisor(6, 1.0, up_s=70, run="r2"))
