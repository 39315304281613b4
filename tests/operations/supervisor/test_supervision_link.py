"""A supervisor's connection, on a real Kafka: what it receives, refuses, survives and reports."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from arena import topics
from arena.bus.base import Bus, Record
from arena.bus.kafka import KafkaBus
from arena.liveness import parse_heartbeat
from arena.messages import DeadLetter, Heartbeat, ProcessCommand
from arena.runs import RunRecord
from arena.settings import Settings
from arena.supervision import SUPERVISOR, Supervised, supervised_of
from arena.wire import encode
from operations.localbroker.broker import LocalBroker
from operations.localbroker.ports import choose_ports
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervision_link import SupervisionLink, run_name
from operations.supervisor.supervisor import Change
from tests.fuzz.hostile_records import hostile_records
from tests.operations.supervisor.test_supervisor import FOREVER, python

RUN = "2026-11-21T09-12-03"
TOPIC = topics.SUPERVISION.name
DEADLINE_S = 60.0


@contextmanager
def linked(settings: Settings) -> Iterator[SupervisionLink]:
    """A started link."""
    link = SupervisionLink(settings, RUN)
    link.publish(Supervised(run=RUN))
    link.start()
    try:
        yield link
    finally:
        link.stop()


def command(link: SupervisionLink, number: int, **changes: Any) -> ProcessCommand:  # Any: fields
    """A command for a link's supervisor."""
    return ProcessCommand(
        command_id=f"command-{number:08d}",
        host=link.host,
        run=link.run,
        process="node",
        action="restart",
        by="cli/test",
        issued_at=datetime.now(UTC),
    ).model_copy(update=changes)


async def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Poll until a condition holds."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, "the condition did not come true in time"
        await asyncio.sleep(0.05)


async def newest_beat(bus: Bus, wanted: Callable[[Heartbeat], bool]) -> Heartbeat:
    """The first heartbeat of a supervisor that is as wanted."""
    reader = await bus.log_reader(topics.HEARTBEATS.name)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for record in await reader.read():
                    beat = parse_heartbeat(record)
                    if beat is not None and beat.kind == SUPERVISOR and wanted(beat):
                        return beat
    finally:
        await reader.close()


async def is_running(bus: Bus) -> Heartbeat:
    """Wait until the supervisor receives commands."""
    return await newest_beat(bus, lambda beat: beat.status == "running")


async def dead_letters(bus: Bus) -> list[DeadLetter]:
    """The dead letters so far."""
    reader = await bus.log_reader(topics.DEAD_LETTERS.name)
    found: list[Record] = []
    while await reader.lag():
        found += await reader.read()
    await reader.close()
    return [m for r in found if isinstance(m := r.message(), DeadLetter)]


async def received(link: SupervisionLink, last: str) -> list[str]:
    """The ids of the commands that arrive, up to the last."""
    found: list[str] = []

    def has_last() -> bool:
        found.extend(one.command.command_id for one in link.take())
        return last in found

    await until(has_last)
    return found


async def test_only_commands_for_this_supervisor_are_received(
    bus: KafkaBus, settings: Settings
) -> None:
    """Not those from before its start, for another host or run, or of another type."""
    with linked(settings) as link:
        early = command(link, 0)
        await bus.append(TOPIC, early, key=link.host)
    with linked(settings) as link:
        await is_running(bus)
        beat = await newest_beat(
            bus, lambda b: b.status == "running" and b.started_at > early.issued_at
        )
        sent = [
            command(link, 1, host="elsewhere"),
            command(link, 2, run="another-run"),
            beat,
            command(link, 3),
        ]
        for message in sent:
            await bus.append(TOPIC, message, key=link.host)

        ids = await received(link, "command-00000003")
        notes = link.take_notes()

    assert ["command-00000003"] == ids
    assert [f"{TOPIC}[0]@3 is ignored: a Heartbeat is not a command"] == notes


async def test_hostile_records_never_end_the_link(bus: KafkaBus, settings: Settings) -> None:
    """Unreadable ones are dead-lettered with a limited number of notes; a later command arrives."""
    with linked(settings) as link:
        await is_running(bus)
        encoded = encode(command(link, 0))
        good = [Record(TOPIC, 0, 0, 0, b"k", encoded.value, dict(encoded.headers))]
        hostile = hostile_records(good, 150, seed=7)
        huge = command(link, 0).model_dump(mode="json") | {"reason": "x" * 900_000}
        await (
            await bus.send_bytes(
                TOPIC, str(huge).encode(), key=b"k", partition=0, headers=encoded.headers
            )
        )
        for one in hostile:
            headers = tuple((name, value or b"") for name, value in one.headers)
            if one.key is None and one.value is None:
                continue  # the client refuses it
            sent = await bus.send_bytes(
                TOPIC, one.value or b"", key=one.key, partition=0, headers=headers
            )
            await sent
        await bus.append(TOPIC, command(link, 1), key=link.host)

        await received(link, "command-00000001")
        beat = await newest_beat(bus, lambda b: b.counters.get("dead_letters", 0) > 100)
        notes = link.take_notes()

    letters = await dead_letters(bus)
    assert beat.counters["dead_letters"] <= len(letters)
    assert {TOPIC} == {letter.topic for letter in letters}
    assert 0 < len(notes) <= 20
    assert all(len(note) <= 400 for note in notes)


async def test_age_is_measured_by_the_time_of_the_append(bus: KafkaBus, settings: Settings) -> None:
    """A record that is 75 s old by the log's time has that age, whatever the sender says."""
    other = settings.override(prefix=f"{settings.prefix}x.")
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    name = other.prefix + TOPIC
    await admin.create_topics([NewTopic(name, 1, 1)])  # keeps the times of its senders
    await admin.close()
    there = KafkaBus(other)
    await there.start()
    await there.ensure_topics(topics.fixed_topics())
    with linked(other) as link:
        await is_running(there)
        encoded = encode(command(link, 1))
        producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
        await producer.start()
        for age_s in (75, -600, 0):
            await producer.send_and_wait(
                name,
                encoded.value,
                partition=0,
                headers=list(encoded.headers),
                timestamp_ms=int((time.time() - age_s) * 1_000),
            )
        await producer.stop()
        found: list[float] = []

        def all_arrived() -> bool:
            found.extend(one.age_s for one in link.take())
            return len(found) == 3

        await until(all_arrived)
    await there.close()

    assert [75.0, -600.0, 0.0] == pytest.approx(found, abs=15.0)


async def test_report_is_in_the_heartbeats(bus: KafkaBus, settings: Settings) -> None:
    """A changed report is sent at once; the last heartbeat says that the supervisor stops."""
    slow = settings.override(heartbeat_interval_s=3_600.0)
    with linked(slow) as link:
        first = await is_running(bus)
        link.publish(Supervised(run=RUN, lock_step=True))
        second = await newest_beat(
            bus, lambda b: (report := supervised_of(b)) is not None and report.lock_step
        )
        link.publish(Supervised(run=RUN, left_out=3))
    last = await newest_beat(bus, lambda beat: beat.status == "stopping")

    assert f"{SUPERVISOR}/{RUN}/{link.host}/{first.pid}" == first.node == second.node
    assert Supervised(run=RUN) == supervised_of(first)
    assert Supervised(run=RUN, left_out=3) == supervised_of(last)


@pytest.mark.timeout(240)
async def test_supervisor_works_without_a_broker(tmp_path: Path) -> None:
    """It starts, and keeps its processes, while the broker is away; then commands are received."""
    port = choose_ports(0).client
    settings = Settings(bootstrap_servers=f"127.0.0.1:{port}", heartbeat_interval_s=0.5)
    changes: list[Change] = []
    record = RunRecord(
        command="up", name="x", prefix="", bootstrap="", pid=1, pid_started_at=0.0,
        started_at=datetime.now(UTC),
    )  # fmt: skip
    link = SupervisionLink(settings, RUN)
    run = ArenaRun(
        record,
        tmp_path / "run",
        [python("node", FOREVER)],
        spec_text="",
        on_change=changes.append,
        link=link,
    )
    broker = LocalBroker(tmp_path / "home", port=port, allow_fallback=False)

    def noted(text: str) -> bool:
        run.tick()
        return any(text in change.text for change in changes)

    try:
        run.start(lambda: False)
        first = run.record.processes[0].pid
        await until(lambda: noted("commands of `arena process` are not received: "))
        await asyncio.to_thread(broker.start)
        await until(lambda: noted("commands of `arena process` are received again"))
        changes.clear()
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        bus = KafkaBus(settings)
        await bus.start()
        await bus.append(TOPIC, command(link, 1), key=link.host)
        await bus.append(TOPIC, command(link, 1), key=link.host)
        await until(lambda: noted("command command-00000001 came again; it is not repeated"))
        await until(lambda: noted("restart from cli/test: done: started"))
        await bus.close()
    finally:
        run.stop()
        await asyncio.to_thread(broker.stop)

    assert 1 == run.record.processes[0].restarts
    assert first != run.record.processes[0].pid
    assert ["stopped"] == [process.state for process in run.record.processes]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (RUN, RUN),
        ("my run (old)", "my-run--old"),
        ("", "run"),
        ("...", "run"),
        ("é" * 300, "run"),
        ("a" * 300, "a" * 64),
    ],
)
def test_run_name_can_be_in_a_heartbeat(folder: str, name: str) -> None:
    """A run that is named by its path may have any name."""
    assert name == run_name(folder)
