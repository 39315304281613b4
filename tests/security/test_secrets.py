"""A short run on a secure broker: no secret is in a topic, a log, a file or a command line."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import list_topics
from arena.credentials import ADMIN
from arena.messages import Halt
from arena.settings import Settings
from operations.localbroker.home_broker import open_home_broker
from tests.chat_nodes.stub_server import completion, http, stub_server
from tests.security.secure import Secure

API_KEY = "sk-planted-3b1f0c55d2a94e6c8a7e"
HOOK = "hook-planted-7d0c11f2a94b4c1f"
"""The secret in the address of a receiver that cannot be reached, so that every attempt fails."""
ROOT = Path(__file__).resolve().parents[2]
RUN_DEADLINE_S = 90.0
WATCH_S = 0.01
TURNS_MIN = 2
SPEC = """\
[arena]
name = "planted"
products = ["BTC-USD"]

[market]
source = "exchange"
speed = 60

[[chat_nodes]]
name = "model"
model_id = "gpt-5-nano"
base_url = "{url}"
api_key_env = "PLANTED_KEY"

[[agents]]
name = "asker"
strategy = "scalper"
chat_node = "model"

[alerts]
to = ["env:PLANTED_HOOK"]
"""


class CommandLineWatcher(threading.Thread):
    """Collects every command line on this machine until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.words: set[str] = set()
        self.stopped = threading.Event()

    def run(self) -> None:
        """Poll quickly: the command that creates the accounts lives for half a second."""
        while not self.stopped.wait(WATCH_S):
            for process in psutil.process_iter():
                try:
                    self.words.update(process.cmdline())
                except psutil.Error:
                    continue


@contextmanager
def watched() -> Iterator[CommandLineWatcher]:
    """Every command line until the end of the block."""
    watcher = CommandLineWatcher()
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stopped.set()
        watcher.join()


@pytest.mark.timeout(240)
async def test_no_secret_leaves_its_file(tmp_path: Path) -> None:
    """Everything a run leaves is searched for a key, all passwords, and a receiver's address."""
    home = tmp_path / "home"
    with watched() as watcher, open_home_broker(home, secure=True, port=0) as broker:
        secure = Secure(home, (await asyncio.to_thread(broker.start)).bootstrap)
        settings = secure.settings(ADMIN, prefix="")
        async with stub_server(http(completion())) as stub:
            spec = tmp_path / "ARENA.toml"
            spec.write_text(SPEC.format(url=stub.base_url))
            await halt_all(settings)
            await run_arena(spec, settings)
        records = await all_records(settings)

    secrets = {API_KEY, HOOK, *secure.passwords().values()}
    assert len(secrets) == 2 + len(secure.passwords())
    assert not [word for word in watcher.words for secret in secrets if secret in word]
    assert "kafka.Kafka" in watcher.words
    assert any(word.startswith("@format") for word in watcher.words)
    assert len(records) > 20
    assert not [value for value in records for s in secrets if s.encode() in value]
    assert not files_with(home, secrets)


async def halt_all(settings: Settings) -> None:
    """Append a halt, which is an alert when the arena starts."""
    bus = KafkaBus(settings)
    await bus.start()
    try:
        await bus.ensure_topics([topics.CONTROL])
        halt = Halt(agent=None, by="test", at=datetime.now(UTC))
        await bus.append(topics.CONTROL.name, halt, key="all")
    finally:
        await bus.close()


def has_failed_alert(home: Path) -> bool:
    """True if the log of alerts has an attempt that failed."""
    logs = home.glob("runs/*/logs/alerts.log")
    return any("alert not delivered" in path.read_text() for path in logs)


async def wait_for_failed_alert(home: Path) -> None:
    """Wait until the process of alerts has tried to send one."""
    deadline = time.monotonic() + RUN_DEADLINE_S
    while not has_failed_alert(home):
        assert time.monotonic() < deadline, "no alert was sent"
        await asyncio.sleep(0.2)


async def run_arena(spec: Path, settings: Settings) -> None:
    """Run `arena up` until the model got some calls, with the keys in their places."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("KAFKA_")}
    environ |= {
        "ARENA_HOME": str(settings.home),
        "ARENA_LOG_LEVEL": "DEBUG",
        "PYTHONPATH": str(ROOT),
        "PLANTED_KEY": API_KEY,
        "PLANTED_HOOK": f"json://user:{HOOK}@127.0.0.1:9/{HOOK}",
    }
    words = ("-m", "arena", "up", str(spec), "--no-dashboard")
    with (settings.home / "up.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, env=environ, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        await wait_for_calls(settings, TURNS_MIN, process)
        await wait_for_failed_alert(settings.home)
    finally:
        process.terminate()
        async with asyncio.timeout(40):
            await process.wait()


async def wait_for_calls(
    settings: Settings, count: int, process: asyncio.subprocess.Process
) -> None:
    """Wait until this number of model calls is logged."""
    deadline = time.monotonic() + RUN_DEADLINE_S
    bus = KafkaBus(settings)
    await bus.start()
    try:
        while topics.LLM_CALLS.name not in await list_topics(settings):
            assert time.monotonic() < deadline, "no topics"
            await asyncio.sleep(0.2)
        reader = await bus.log_reader(topics.LLM_CALLS.name)
        found = 0
        while found < count:
            assert process.returncode is None, "arena up ended"
            assert time.monotonic() < deadline, "the model was not asked"
            found += len(await reader.read())
        await reader.close()
    finally:
        await bus.close()


async def all_records(settings: Settings) -> list[bytes]:
    """Keys, values and headers of every record of every topic."""
    bus = KafkaBus(settings)
    await bus.start()
    found: list[bytes] = []
    try:
        for topic in await list_topics(settings):
            reader = await bus.log_reader(topic)
            while await reader.lag():
                for record in await reader.read():
                    found += [record.key or b"", record.value or b"", *record.headers.values()]
            await reader.close()
    finally:
        await bus.close()
    return found


def files_with(home: Path, secrets: set[str]) -> list[str]:
    """Files of a home that hold a secret, except the two kinds that are meant to."""
    own = {home / "kafka" / "server.properties", *(home / "secure").iterdir()}
    paths = [path for path in home.rglob("*") if path.is_file() and path not in own]
    assert len(paths) > 20
    return [str(p) for p in paths for s in secrets if s.encode() in p.read_bytes()]
