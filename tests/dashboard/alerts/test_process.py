"""`arena alerts` as a process, on a real Kafka, with receivers on this machine."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import Drift, Halt, Resume
from arena.settings import Settings
from tests.dashboard.alerts.local_receivers import WebHook
from tests.dashboard.failing_scenario import ALWAYS, FailingScenario
from tests.dashboard.publishing import ROOT, environment, publish

pytestmark = [pytest.mark.timeout(300)]

DEADLINE_S = 60.0
SECRET = "topsecret4711"
DEAD = (
    "momentum is dead: 401: Incorrect API key provided: sk-wr***ng;"
    " set the right key for its chat node, then resume"
)
KINDS = ("--only=halt", "--only=dead", "--only=drift", "--only=contest-ended")


def scenario(planned: int | None = None) -> FailingScenario:
    """An arena of now, whose agent `momentum` has a wrong key."""
    start = datetime.now(UTC) - timedelta(days=1, seconds=10)
    return FailingScenario(start=start, fails={"momentum": ALWAYS}, planned=planned)


@contextmanager
def alerts(
    settings: Settings, hook: WebHook | None, *words: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A running `arena alerts` that sends to the hook; its output is in a file of the home."""
    command = [sys.executable, "-m", "arena", "alerts", *KINDS, *words]
    url = "" if hook is None else hook.url(SECRET)
    environ = environment(settings, ARENA_ALERTS=url, ARENA_HEARTBEAT_INTERVAL_S="0.5")
    with (settings.home / "alerts.out").open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE_S)


def output(settings: Settings) -> str:
    """What the processes have printed."""
    return (settings.home / "alerts.out").read_text()


def command(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the arena to its end."""
    return subprocess.run(
        [sys.executable, "-m", "arena", *words],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


async def halt(bus: KafkaBus, agent: str | None, reason: str = "") -> None:
    """Append a halt."""
    key = "all" if agent is None else f"agent/{agent}"
    message = Halt(agent=agent, reason=reason, by="test", at=datetime.now(UTC))
    await bus.append(topics.CONTROL.name, message, key=key)


async def resume(bus: KafkaBus, agent: str | None) -> None:
    """Append a resume."""
    key = "all" if agent is None else f"agent/{agent}"
    await bus.append(
        topics.CONTROL.name, Resume(agent=agent, by="test", at=datetime.now(UTC)), key=key
    )


async def received(hook: WebHook, *parts: str) -> None:
    """Wait until a message with each of these texts was received."""

    def ready() -> bool:
        return all(any(part in text for text in hook.texts) for part in parts)

    await asyncio.to_thread(hook.wait, ready)


async def kill(process: "subprocess.Popen[bytes]", settings: Settings) -> None:
    """Kill a process as soon as it has saved which messages were confirmed.

    A message whose confirmation is not saved is sent again: that cannot be helped.
    """
    (path,) = (settings.home / "alerts").rglob("*.json")
    await until(lambda: json.loads(path.read_text())["messages"] == [])
    process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE_S)


async def test_real_halt_and_dead_agent_are_sent_once_over_kills(
    bus: KafkaBus, settings: Settings, hook: WebHook
) -> None:
    """`arena halt` and an agent with a wrong key: one message each, also after `kill -9`."""
    await publish(bus, scenario().run(3))
    halted = await asyncio.to_thread(
        command, settings, "halt", "--reason", "<!channel> stop", "--wait", "0"
    )
    with alerts(settings, hook) as process:
        await received(hook, DEAD, "all agents are halted")
        await kill(process, settings)
    with alerts(settings, hook) as process:
        await halt(bus, "scalper")
        await received(hook, "scalper is halted")
        await asyncio.to_thread(command, settings, "resume", "--wait", "0")
        await received(hook, "the halt of all agents has ended")
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(DEADLINE_S), output(settings)

    assert "an executor obeys the record when it reads it" in halted.stderr
    assert 4 == len(hook.texts), hook.texts
    (text,) = (text for text in hook.texts if text.startswith("all agents"))
    assert text.endswith(": ‹!channel› stop")
    assert {"arena: halted", "arena: dead agent", "arena: resumed"} == {
        body["title"] for body in hook.bodies
    }
    assert SECRET not in output(settings)
    assert SECRET not in next((settings.home / "alerts").rglob("*.json")).read_text()


async def test_message_that_was_not_confirmed_is_sent_after_a_kill(
    bus: KafkaBus, settings: Settings, hook: WebHook
) -> None:
    """A process that is killed while its receiver fails leaves the message to the next one."""
    hook.status = lambda path, number: 500
    await halt(bus, None)
    with alerts(settings, hook) as process:
        await asyncio.to_thread(hook.wait, lambda: len(hook.requests) >= 2)
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)
    await resume(bus, None)
    hook.status = lambda path, number: 200
    with alerts(settings, hook):
        await received(hook, "all agents are halted", "the halt of all agents has ended")

    assert 2 == len(hook.texts)


async def test_standby_takes_over_and_repeats_nothing(
    bus: KafkaBus, settings: Settings, hook: WebHook
) -> None:
    """Of two processes with one name, the second sends when the first has ended."""
    await halt(bus, None)
    with alerts(settings, hook) as first:
        await received(hook, "all agents are halted")
        with alerts(settings, hook):
            waits = "this one waits for its end"
            await until(lambda: waits in output(settings))
            await halt(bus, "momentum")
            await received(hook, "momentum is halted")
            await kill(first, settings)
            await halt(bus, "scalper")
            await received(hook, "scalper is halted")

    assert 3 == len(hook.texts), hook.texts


async def test_last_records_are_reported_when_the_arena_stops(
    bus: KafkaBus, settings: Settings, hook: WebHook
) -> None:
    """After SIGTERM it reads to the ends and sends what it finds: a contest that is complete."""
    arena = scenario(planned=4).run(3)
    written = await publish(bus, arena)
    with alerts(settings, hook) as process:
        await received(hook, DEAD)
        arena.step()
        await publish(bus, arena, written)
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(DEADLINE_S), output(settings)

    assert any("the contest has ended: 4 of 4 snapshots" in text for text in hook.texts)


async def test_what_was_over_before_the_first_start_is_not_sent(
    bus: KafkaBus, settings: Settings, hook: WebHook
) -> None:
    """A halt that was resumed and a contest that ended long ago are history."""
    start = datetime.now(UTC) - timedelta(days=8)
    old = FailingScenario(start=start, fails={"momentum": ALWAYS}, planned=2).run(2)
    await publish(bus, old)
    await halt(bus, None)
    await resume(bus, None)
    with alerts(settings, hook):
        await halt(bus, "momentum")
        await received(hook, "momentum is halted")

    assert 1 == len(hook.texts), hook.texts


async def test_drift_is_sent_once_however_often_it_is_found(
    bus: KafkaBus, settings: Settings, hook: WebHook
) -> None:
    """`arena reconcile run --watch` writes it again at every comparison."""

    async def compared() -> None:
        found = Drift(
            owner="momentum", what="cash", unit="USD", fold=Decimal(100), books=Decimal(99),
            next_offsets={0: 1}, at=datetime.now(UTC),
        )  # fmt: skip
        await bus.append(topics.DRIFTS.name, found, key=found.owner)

    await compared()
    with alerts(settings, hook) as process:
        await received(hook, "momentum cash USD differs: log 100, books 99")
        await compared()
        await kill(process, settings)
    with alerts(settings, hook):
        await compared()
        await halt(bus, None)
        await received(hook, "all agents are halted")

    assert 2 == len(hook.texts), hook.texts


async def test_once_prints_what_holds_and_sends_nothing(
    bus: KafkaBus, settings: Settings, hook: WebHook
) -> None:
    """Exit code 1 while something holds, else 0."""
    await halt(bus, None, "venue\nis down")
    words = ("alerts", "--once", "--to", "env:NOTHING", "--only", "halt")

    held = await asyncio.to_thread(command, settings, *words)
    document = await asyncio.to_thread(command, settings, *words, "--json")
    await resume(bus, None)
    ended = await asyncio.to_thread(command, settings, *words)

    assert (1, 1, 0) == (held.returncode, document.returncode, ended.returncode), held.stderr
    assert held.stdout.startswith("halt: all agents are halted since ")
    assert held.stdout.endswith("venue is down\n")
    assert [("halt", "halt:all")] == [
        (one["kind"], one["subject"]) for one in json.loads(document.stdout)
    ]
    assert "no alert holds\n" == ended.stdout


async def test_alerts_are_printed_without_receivers(bus: KafkaBus, settings: Settings) -> None:
    """One JSON document a line; a note says that nothing is sent."""
    await halt(bus, None)
    with alerts(settings, None, "--json"):
        await until(lambda: '"state": "alert"' in output(settings))

    printed = [json.loads(line) for line in output(settings).splitlines() if line[:1] == "{"]
    (found,) = (one for one in printed if "state" in one)
    assert ("halt", "halt:all", "alert") == (found["kind"], found["subject"], found["state"])
    assert "no receivers, so alerts are only printed" in output(settings)


@pytest.mark.parametrize(
    ("paths", "code"), [(("ok", "fine"), 0), (("ok", "500"), 1)], ids=["all", "one fails"]
)
def test_test_message_reaches_every_receiver(
    tmp_path: Path, hook: WebHook, paths: tuple[str, ...], code: int
) -> None:
    """`arena alerts test` needs no broker; its exit code says whether all have confirmed."""
    hook.status = lambda path, number: 500 if path == "/500" else 200
    urls = " ".join(hook.url(path) for path in paths)
    settings = Settings(home=tmp_path, bootstrap_servers="127.0.0.1:9")
    environ = environment(settings, MY_HOOKS=urls)
    words = [sys.executable, "-m", "arena", "alerts", "test", "--to", "env:MY_HOOKS", "--json"]

    done = subprocess.run(
        words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )

    assert code == done.returncode, done.stderr
    assert [code == 0 or path != "500" for path in paths] == [
        one["delivered"] for one in json.loads(done.stdout)
    ]
    assert str(hook.port) not in done.stdout + done.stderr
    assert {"arena: test"} == {body["title"] for body in hook.bodies}


def test_test_without_receivers_is_wrong_usage(tmp_path: Path) -> None:
    """Exit code 2, and what to set."""
    done = command(Settings(home=tmp_path), "alerts", "test")

    assert 2 == done.returncode
    assert "export ARENA_ALERTS=..." in done.stderr


async def until(ready: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not ready():
            await asyncio.sleep(0.05)
