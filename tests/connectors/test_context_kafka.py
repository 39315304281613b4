"""`arena connector context` as a process over a real Kafka, killed while it follows a folder."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import ContextItem, DeadLetter, Heartbeat
from arena.settings import Settings
from tests.connectors.lockstep_agents import logged
from tests.connectors.test_connector_kafka import ROOT
from tests.connectors.test_context import row, write
from tests.connectors.test_lockstep_kafka import ReplayProcess
from tests.connectors.venue import eventually

DEADLINE_S = 40.0


class ContextProcess(ReplayProcess):
    """The command, which can be killed and started again; its flags follow those of a replay."""

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the command."""
        self.starts += 1
        with self._log.open("a") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arena", "connector", "context", *self._words[3:]],
                cwd=ROOT,
                env=self._environment,
                stderr=err,
            )
        return self.process


async def items_in(bus: KafkaBus) -> Counter[str]:
    """How often each item is in the topic."""
    found = await logged(bus, topics.CONTEXT.name)
    return Counter(one.item_id for one in found if isinstance(one, ContextItem))


async def test_watched_folder_survives_kills(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """Every line is published once, whatever was written while it was down; Ctrl-C ends it."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    path = write(inbox / "a.jsonl", row("a"), "{")
    await bus.ensure_topics([topics.CONTEXT, topics.DEAD_LETTERS, topics.HEARTBEATS])
    reader = await bus.log_reader(topics.CONTEXT.name)
    read = 0

    async def appended(count: int) -> None:
        nonlocal read
        async with asyncio.timeout(DEADLINE_S):
            while read < count:
                read += len(await reader.read(timeout_s=0.1))

    child = ContextProcess(settings, tmp_path / "log", "--watch", str(inbox))
    try:
        await appended(1)
        with path.open("a") as file:
            file.write(row("b") + "\n" + row("c")[:15])
        await appended(2)
        child.kill()
        with path.open("a") as file:
            file.write(row("c")[15:] + "\n")
        write(inbox / "b.jsonl", *(row(f"x{n}") for n in range(2_000)))
        child.start()
        await appended(3)  # Killed again while it publishes the large file.
        child.kill()
        child.start()
        await appended(2_003)
        child.process.send_signal(signal.SIGINT)
        await eventually(lambda: child.process.poll() is not None, "the end", deadline_s=30)
        assert 130 == child.process.returncode
    finally:
        if child.process.poll() is None:
            child.kill()
        await reader.close()

    found = await items_in(bus)
    assert {"a", "b", "c", *(f"x{n}" for n in range(2_000))} == set(found)
    assert {1} == set(found.values())
    letters = await logged(bus, topics.DEAD_LETTERS.name)
    assert {"a.jsonl:2"} == {
        one.error.partition(": ")[0] for one in letters if isinstance(one, DeadLetter)
    }
    beats = [m for m in await logged(bus, topics.HEARTBEATS.name) if isinstance(m, Heartbeat)]
    assert {"context"} == {beat.kind for beat in beats}
    assert "Traceback" not in (tmp_path / "log").read_text()
