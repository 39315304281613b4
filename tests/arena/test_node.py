"""The node runtime: heartbeats, dead letters, and how a process ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena import logs, topics
from arena.bus.base import AppendAck
from arena.bus.memory import MemoryBus
from arena.clock import ManualClock
from arena.errors import AppendFailed
from arena.messages import DeadLetter, Heartbeat, OpenAccount
from arena.messages.base import Message
from arena.node import Node, run_until_signal, serve_node
from arena.settings import Settings

START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEADLINE_S = 20.0


def new_node(bus: MemoryBus) -> Node:
    """A node with a manual clock."""
    return Node("router", "momentum", Settings(), bus, ManualClock(START))


async def messages_of(bus: MemoryBus, topic: str) -> list[Message]:
    """Everything in a topic."""
    reader = await bus.log_reader(topic)
    return [record.message() for record in await reader.read(timeout_s=0.1)]


async def test_node_sends_heartbeats_until_stopping() -> None:
    """Counters and gauges are in the heartbeat; the last one reports that the process stops."""
    bus = MemoryBus()

    async def serve(node: Node, _: None) -> None:
        node.counters["turns"] += 2
        node.gauges["lag"] = 1.0
        node.status = "running"
        await node.beat()

    await serve_node(new_node(bus), serve, None)
    beats = [m for m in await messages_of(bus, topics.HEARTBEATS.name) if isinstance(m, Heartbeat)]

    assert "stopping" == beats[-1].status
    running = next(b for b in beats if b.status == "running")
    assert ({"turns": 2}, {"lag": 1.0}) == (running.counters, running.gauges)
    assert running.node.startswith("router/momentum/")
    assert os.getpid() == running.pid


@pytest.mark.parametrize(("kind", "is_started"), [("dashboard", True), ("exchange", False)])
async def test_kind_decides_about_bus_and_heartbeats(kind: str, is_started: bool) -> None:
    """A kind that writes nothing creates no topic; one outside of Kafka does not even connect."""
    bus, seen = MemoryBus(), list[object]()

    async def serve(node: Node, options: str) -> None:
        seen.append((options, node.bus.failed is not None))

    await serve_node(Node(kind, "", Settings(), bus, ManualClock(START)), serve, "options")

    assert [("options", is_started)] == seen
    assert {} == bus.cluster.partitions


async def test_failed_append_ends_the_node() -> None:
    """An append that may or may not be in the log ends the process."""
    bus = MemoryBus()

    async def serve(node: Node, _: None) -> None:
        assert bus.failed is not None
        bus.failed.set_result(TimeoutError("no ack"))
        await asyncio.sleep(DEADLINE_S)

    with pytest.raises(AppendFailed, match="no ack"):
        await serve_node(new_node(bus), serve, None)


async def test_error_of_the_work_ends_the_node() -> None:
    """The error of `serve` is raised, and the last heartbeat has it, without texts of libraries."""
    bus = MemoryBus()

    async def serve(node: Node, _: None) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await serve_node(new_node(bus), serve, None)
    last = (await messages_of(bus, topics.HEARTBEATS.name))[-1]

    assert isinstance(last, Heartbeat)
    assert ("stopping", "RuntimeError") == (last.status, last.details["error"])


async def test_unreadable_records_go_to_dead_letters(memory_bus: MemoryBus) -> None:
    """A malformed record gives None, its bytes go to `dead_letters`, and it is counted."""
    node = new_node(memory_bus)
    await memory_bus.send_bytes(
        topics.COMMANDS.name, b"\xff", key=None, partition=0, headers=(("type", b"ToolCall"),)
    )
    command = OpenAccount(call_id="1", agent="a", issued_at=START)
    await memory_bus.append(topics.COMMANDS.name, command, partition=0)
    reader = await memory_bus.log_reader(topics.COMMANDS.name)
    read = [await node.read_message(r) for r in await reader.read()]
    (letter,) = await messages_of(memory_bus, topics.DEAD_LETTERS.name)

    assert [None, command] == read
    assert isinstance(letter, DeadLetter)
    assert ("/w==", 0, topics.COMMANDS.name) == (letter.value_base64, letter.offset, letter.topic)
    assert 1 == node.counters["dead_letters"]


PROGRAM = """
import asyncio, sys
from arena.node import run_async
async def main():
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned", flush=True)
run_async(main)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
def test_signals_end_a_process_cleanly(number: signal.Signals, code: int) -> None:
    """Ctrl-C ends with 130, SIGTERM and SIGHUP with 0, all through the clean-up."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "ready" == process.stdout.readline().strip()
    process.send_signal(number)
    rest, _ = process.communicate(timeout=DEADLINE_S)

    assert (code, "cleaned") == (process.returncode, rest.strip())


def test_cancellation_by_library_is_a_failure() -> None:
    """A client library that cancels its caller must not look like a normal end."""
    program = PROGRAM.replace("await asyncio.sleep(60)", "raise asyncio.CancelledError")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert 1 == done.returncode
    assert "arena: the work was cancelled by a library" in done.stderr


async def test_error_before_cancellation_is_raised() -> None:
    """A library that cancels its caller while it is closed does not hide why it was closed."""

    async def work() -> None:
        try:
            raise AppendFailed("the disk is full")
        finally:
            raise asyncio.CancelledError

    with pytest.raises(AppendFailed, match="the disk is full"):
        await run_until_signal(work())


def test_arena_error_is_one_line_and_a_code() -> None:
    """A missing broker ends with exit code 3 and a sentence, not with a traceback."""
    program = "from arena.node import run_node\nfrom arena.settings import Settings\n"
    program += "run_node('router', 'a', Settings(bootstrap_servers='127.0.0.1:1'), None, None)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert 3 == done.returncode
    assert "arena: broker 127.0.0.1:1 did not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_secrets_are_masked_in_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """A value under a secret's name never reaches a log line; long values are cut."""
    logs.configure(Settings(log_format="json"), node="test/x")
    logs.get("test").info("call", api_key="sk-planted", model="m", body="x" * 5_000)
    line = json.loads(capsys.readouterr().err)

    assert ("***", "m", "test/x") == (line["api_key"], line["model"], line["node"])
    assert line["body"].endswith("... (5,000 characters)")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the README are read; a flag that was not given changes nothing."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:1234")
    monkeypatch.setenv("ARENA_PREFIX", "season1.")
    settings = Settings()

    assert ("broker:1234", "season1.") == (settings.bootstrap_servers, settings.prefix)
    assert settings == settings.override(prefix=None)
    assert "other." == settings.override(prefix="other.").prefix
    assert Path(".arena") == settings.home


def test_help_loads_no_room() -> None:
    """`arena --help` answers without importing a broker client, a chat client or rich."""
    program = (
        "import sys\nsys.argv = ['arena', '--help']\n"
        "from arena.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'aiokafka', 'openai', 'rich', 'numpy', 'pandas', 'websockets', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]" == done.stdout.splitlines()[-1]


class Refusing(MemoryBus):
    """A bus on which a heartbeat is refused with a foreign error."""

    closed = False

    async def send_bytes(self, *_: object, **__: object) -> asyncio.Future[AppendAck]:
        """Refuse."""
        raise PermissionError("refused")

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


async def test_refused_heartbeat_still_closes_bus() -> None:
    """The bus is closed, and the error of the work is raised."""
    bus = Refusing()

    async def fails(_: Node, __: None) -> None:
        raise LookupError("the work")

    with pytest.raises((LookupError, PermissionError)):
        await serve_node(Node("tools", "a", Settings(), bus, ManualClock(START)), fails, None)

    assert bus.closed
