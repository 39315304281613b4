"""What `arena status` makes of heartbeats and the run's record."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from arena.agent_health import DeadAgent
from arena.messages import Heartbeat
from arena.runs import ProcessRecord, ProcessState, RunRecord
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
    """A heartbeat of this host, so many seconds old, of a process up for so long."""
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


def test_a_feed_that_is_down_is_said_with_its_remedy() -> None:
    """A connector that runs and hears nothing shows why, instead of its counters."""
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
    """Process id -> health."""
    seen = {f"tools/main/host/{pid}": look for pid, look in (local_states or {}).items()}
    found = process_rows(beats, run, host="host", now=NOW, interval_s=5.0, local_states=seen)
    return {row.pid: row.health for row in found}


def test_a_heartbeat_older_than_three_intervals_is_stale() -> None:
    """Fifteen seconds are fine, more are not."""
    fresh, old = beat("tools", 1, 15.0), beat("router", 2, 15.1)

    assert healths(fresh, old) == {1: "ok", 2: "stale"}


def test_a_goodbye_is_no_failure() -> None:
    """A process that said it stops is stopped, however long ago."""
    assert healths(beat("tools", 1, 600.0, "stopping")) == {1: "stopped"}


def test_a_crashed_process_is_forgotten_once_another_took_its_place() -> None:
    """The dead one's last heartbeat stays in the topic, and out of the table."""
    dead, alive = beat("router", 1, 60.0), beat("router", 2, 1.0, up_s=50)

    assert healths(dead, alive) == {2: "ok"}


def test_a_crashed_process_is_missed_where_only_its_standby_lives() -> None:
    """The other was there before: nobody took the place of the dead one."""
    dead, alive = beat("router", 1, 60.0), beat("router", 2, 1.0)

    assert healths(dead, alive) == {1: "stale", 2: "ok"}


def test_a_process_that_crashes_over_and_over_is_one_row() -> None:
    """Each life began after the last word of the one before."""
    lives = [
        beat("router", 1, 60.0, "stopping", up_s=70, error="no broker"),
        beat("router", 2, 40.0, "stopping", up_s=50, error="no broker"),
        beat("router", 3, 20.0, "stopping", up_s=30, error="no broker"),
    ]

    assert healths(*lives) == {3: "down"}


def test_this_machine_knows_its_own_processes() -> None:
    """One that is no more is down at once; a suspended one is stale at once, and never hidden."""
    one, two, three = beat("tools", 1, 1.0), beat("tools", 2, 1.0), beat("tools", 3, 0.5, up_s=0.6)

    assert healths(one, two, local_states={1: "gone", 2: "suspended"}) == {1: "down", 2: "stale"}
    found = healths(one, two, three, local_states={1: "gone", 2: "suspended"})
    assert found == {2: "stale", 3: "ok"}


def test_a_process_that_beats_slowly_is_not_stale() -> None:
    """Three of its own intervals count, not three of the one who asks."""
    slow = beat("tools", 1, 60.0).model_copy(update={"interval_s": 30.0})

    assert healths(slow) == {1: "ok"}


def test_what_the_supervisor_knows_comes_first() -> None:
    """A process that it is about to start again is down, though its last heartbeat is fresh."""
    run = run_of(("tools", 1, "restarting"))

    assert healths(beat("tools", 1, 1.0), run=run) == {1: "down"}


def test_a_standby_is_shown_beside_the_one_it_waits_for() -> None:
    """Two processes of one name are both alive."""
    assert healths(beat("tools", 1, 1.0), beat("tools", 2, 1.0, "standby")) == {
        1: "ok",
        2: "standby",
    }


def test_yesterdays_processes_are_forgotten() -> None:
    """A heartbeat older than a day is not shown."""
    assert healths(beat("tools", 1, 90_000.0)) == {}


def test_a_process_without_heartbeat_is_shown_as_the_supervisor_sees_it() -> None:
    """The exchange beats no heart; a router that was given up is down."""
    run = run_of(("exchange", 7, "running"), ("router-a", 8, "given_up"), ("tools", 9, "running"))

    assert healths(beat("tools", 9, 1.0), run=run) == {7: "unknown", 8: "down", 9: "ok"}


def test_the_supervisors_restarts_stand_beside_the_heartbeat() -> None:
    """A row is joined by process id."""
    found = process_rows(
        [beat("tools", 9, 1.0)],
        run_of(("tools", 9, "running")),
        host="host",
        now=NOW,
        interval_s=5.0,
    )

    assert [(row.kind, row.restarts, row.counters) for row in found] == [("tools", 1, {"turns": 3})]


def test_the_table_lines_up() -> None:
    """One head and one line a process, figures to the right."""
    found = process_rows([beat("tools", 12345, 2.0)], None, host="host", now=NOW, interval_s=5.0)

    assert process_table(found) == [
        "process  name  host    pid  health  beat  restarts  counters",
        "tools    main  host  12345  ok       2 s         -  turns=3",
    ]


def test_dead_agents_come_from_living_routers_and_the_run() -> None:
    """What a process that ended had said is not asked; what a contest saw is in its record."""
    glm, gpt, old = (DeadAgent(name, "401", 3, code="auth", remedy="set it") for name in "abc")
    lives = beat("router", 1, 1.0).model_copy(update={"details": {"dead": [glm.document(), 7]}})
    ended = beat("router", 2, 1.0, "stopping", name="other")
    ended = ended.model_copy(update={"details": {"dead": [old.document()]}})
    beats, run = [lives, ended], run_of().model_copy(update={"dead": (gpt,)})
    found = process_rows(beats, None, host="host", now=NOW, interval_s=5.0)

    assert dead_agents(beats, found, run) == (glm, gpt)
    assert dead_line(glm) == "dead: a: 401; set it"
    assert RunRecord.model_validate_json(run.model_dump_json()) == run
