"""`arena status`: the health of every process, and the dead agents.

Reads `arena.heartbeats`, `arena.control` and the run's record.
"""

import json
import socket
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import JsonValue

from arena import topics
from arena.agent_health import DeadAgent
from arena.bus.base import Start
from arena.bus.kafka_admin import has_broker_time, list_topics, other_arenas
from arena.clock_skew import Skew, SkewFold, broker_now, by_broker_clock, skew_line
from arena.command_exit import report_error
from arena.errors import EXIT_NO, ArenaError
from arena.kill_switch import KillSwitch
from arena.liveness import parse_heartbeat
from arena.messages import Heartbeat
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.read_topic import read_list
from arena.reported_losses import (
    halt_for_lost_records,
    losses_in,
    lost_line,
    unproven_line,
    unproven_losses_in,
)
from arena.roster import read_kill_switch
from arena.run_lookup import ArenaLocation, find_arena, requested_prefix
from arena.runs import find_run, newest_run
from arena.settings import Settings
from arena.visible_text import one_line
from operations.commands import status_rows
from operations.commands.local_states import local_states

READ_DEADLINE_S = 10.0
CLOCKS_CHARS_MAX = 2_000


def status(
    here: Annotated[
        bool, typer.Option("--here", help="Show only processes on this machine.")
    ] = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show every process with its host, health and counters, and the dead agents.

    Exit 1 if a process is stale or down, or an agent is dead.

    Example: arena status
    """
    try:
        with find_arena(servers, prefix, run, start_broker=False) as location:
            run_async(lambda: _status(location, here=here, as_json=as_json))
    except ArenaError as error:
        dead = _dead_of_run(run, prefix)
        ended = [] if run is None else _rows_of_run(run)
        if as_json:
            processes = [asdict(row) for row in ended]
            document = {"healthy": False, "processes": processes, "dead": dead_documents(dead)}
            print(json.dumps(document | {"why": str(error)}))
        else:
            if ended:
                print("\n".join(status_rows.process_table(ended)))
            for one in dead:
                print(status_rows.dead_line(one))
        sys.exit(report_error(error))


def dead_documents(dead: Iterable[DeadAgent]) -> list[dict[str, JsonValue]]:
    """The JSON fields of dead agents."""
    return [one.document() for one in dead]


def _dead_of_run(name: str | None, prefix: str | None) -> tuple[DeadAgent, ...]:
    """The dead agents in the record of a run, if no broker answers."""
    home = Settings().home
    try:
        found = find_run(home, name) if name else newest_run(home)
    except ArenaError:
        return ()
    if found is None or requested_prefix(prefix) not in (None, found[1].prefix):
        return ()
    return found[1].dead


def _rows_of_run(name: str) -> list[status_rows.ProcessStatus]:
    """The processes of a run that has ended, from its record."""
    try:
        _, run = find_run(Settings().home, name)
    except ArenaError:
        return []
    return status_rows.process_rows(
        [], run, host=socket.gethostname(), now=datetime.now(UTC), interval_s=1.0
    )


async def _status(location: ArenaLocation, *, here: bool, as_json: bool) -> None:
    host = socket.gethostname()
    heartbeats = await _newest_beats(location.settings)
    beats, skews, halted = heartbeats.beats, heartbeats.skews, heartbeats.halted
    run = location.run if location.run is not None and location.run.is_running() else None
    found = status_rows.process_rows(
        heartbeats.by_broker_clock(),
        run,
        host=host,
        now=broker_now(heartbeats.asked_at, host, skews),
        interval_s=location.settings.heartbeat_interval_s,
        local_states=local_states(beats, host),
    )
    if here:
        found = [row for row in found if row.host == host]
    alive = [row for row in found if row.health in ("ok", "standby", "starting", "unknown")]
    bad = [row for row in found if row.health in status_rows.BAD]
    dead = status_rows.dead_agents(beats, found, location.run)
    healthy = bool(alive) and not bad and not dead
    if as_json:
        document = {
            "healthy": healthy,
            "bootstrap_servers": location.settings.bootstrap_servers,
            "prefix": location.settings.prefix,
            "run": str(location.directory) if run else None,
            "processes": [asdict(row) for row in found],
            "dead": dead_documents(dead),
            "lost": [lost.document() for lost in losses_in(beats)],
            "unproven": [lost.document() for lost in unproven_losses_in(beats)],
            "clocks": [asdict(skew) for skew in skews],
            "halted": [*halted],
        }
        print(json.dumps(document, indent=2))
    else:
        _print(location, found, alive, bad)
        if not found and (others := await other_arenas(location.settings)):
            print(one_line(others, CLOCKS_CHARS_MAX))
        for one in dead:
            print(status_rows.dead_line(one))
        for halt in halted:
            print(one_line(halt, CLOCKS_CHARS_MAX))
        for lost in losses_in(beats):
            print(lost_line(lost))
        for lost in unproven_losses_in(beats):
            print(unproven_line(lost))
        if clocks := skew_line(skews):
            print(one_line(clocks, CLOCKS_CHARS_MAX))
    sys.stdout.flush()
    if not healthy:
        raise SystemExit(EXIT_NO)


def _print(
    location: ArenaLocation,
    found: list[status_rows.ProcessStatus],
    alive: list[status_rows.ProcessStatus],
    bad: list[status_rows.ProcessStatus],
) -> None:
    settings = location.settings
    prefix = f", prefix {settings.prefix!r}" if settings.prefix else ""
    if found:
        print("\n".join(status_rows.process_table(found)))
    print(f"{len(alive)} running, {len(bad)} stale or down on {settings.bootstrap_servers}{prefix}")
    if location.directory and location.run and not location.run.is_running():
        ended = location.run.ended_at
        when = f"ended at {ended.astimezone():%H:%M:%S}" if ended else "was killed"
        print(f"the newest run here, {location.directory.name}, {when}")


@dataclass(frozen=True, slots=True)
class _Heartbeats:
    """The heartbeats, and what follows from them.

    Attributes:
        beats: The newest of each node, with the times of its host.
        appended_ms: Node -> when the broker appended it; empty if the broker does not say.
        skews: The clock skew of every host.
        asked_at: When the end of the topic was read, by this host's clock.
        halted: The active halts, a line each.
    """

    beats: list[Heartbeat]
    appended_ms: dict[str, int]
    skews: tuple[Skew, ...]
    asked_at: datetime
    halted: tuple[str, ...] = ()

    def by_broker_clock(self) -> list[Heartbeat]:
        """The heartbeats with the broker's times, so a wrong clock makes no process stale."""
        return [
            by_broker_clock(beat, at) if (at := self.appended_ms.get(beat.node)) else beat
            for beat in self.beats
        ]


async def _newest_beats(settings: Settings) -> _Heartbeats:
    """The newest heartbeat of every node of the last day, and the clock of every host.

    Raises:
        BrokerUnavailable: They were not read in time; a part of them would be misleading.
    """
    from arena.bus.kafka import KafkaBus

    topic = topics.HEARTBEATS.name
    known = await list_topics(settings)
    if topic not in known:
        return _Heartbeats([], {}, (), datetime.now(UTC))
    broker_time = await has_broker_time(settings, topic)
    bus = KafkaBus(settings, client_id="arena-status")
    await bus.start()
    try:
        since = datetime.now(UTC) - status_rows.FORGOTTEN_AFTER
        start = Start.since(int(since.timestamp() * 1000))
        reader = await bus.log_reader(topic, start=start)
        newest: dict[str, Heartbeat] = {}
        appended_ms: dict[str, int] = {}
        clocks = SkewFold()
        ends = await reader.end_offsets()
        asked_at = datetime.now(UTC)
        for record in await read_list(reader, ends, stall_s=READ_DEADLINE_S):
            beat = parse_heartbeat(record)
            if beat is not None:  # `arena tail arena.heartbeats` shows the others
                newest[beat.node] = beat
                appended_ms[beat.node] = record.timestamp_ms
                clocks.note(beat.host, beat.at.timestamp() * 1_000, record.timestamp_ms)
        await reader.close()
        skews = clocks.skews(broker_time=broker_time)
        appended_ms = appended_ms if broker_time else {}
        heartbeats = _Heartbeats(list(newest.values()), appended_ms, skews, asked_at)
        switch = await read_kill_switch(bus) if topics.CONTROL.name in known else KillSwitch()
        switch.lost = halt_for_lost_records(heartbeats.by_broker_clock(), switch)
        return replace(heartbeats, halted=tuple(switch.lines()))
    finally:
        await bus.close()
