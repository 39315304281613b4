"""Real router processes over a real Kafka: turns, kills, standbys, imports and memory."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from arena.bus.kafka import KafkaBus
from arena.messages import ChatRequest, ToolCall, ToolResult, Turn, TurnStarted
from arena.settings import Settings
from tests.routers.fake_peers import FakePeers, agent_config, filling_tool, playing

DEADLINE_S = 60.0
PUBLISH_EVERY_S = 0.5
RSS_BYTES_MAX = 70_000_000
FOREIGN = re.compile(r"\| +(openai|numpy|pandas|rich|websockets|pyarrow|httpx)\.")

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_router(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Start `arena router` processes, and end those that still run."""
    strategy = tmp_path / "trader.toml"
    strategy.write_text(
        'name = "trader"\nprompt = "Trade."\n'
        'tools = ["execute_trade", "get_portfolio", "calculator"]\n'
    )
    started: list[subprocess.Popen[bytes]] = []

    def start(*python_flags: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, *python_flags, "-m", "arena", "router"]
        command += ["--name", "alpha", "--chat-node-name", "model", "--strategy", str(strategy)]
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "ARENA_PREFIX": settings.prefix,
        }
        with (tmp_path / f"router-{len(started)}.log").open("wb") as log:
            started.append(subprocess.Popen(command, env=environment, stderr=log))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)


async def publish_until(peers: FakePeers, first: int, done: Callable[[], object]) -> int:
    """Publish snapshot after snapshot until a condition holds; the next number."""
    deadline, number = time.monotonic() + DEADLINE_S, first
    while not done():
        assert time.monotonic() < deadline, f"nothing happened in {DEADLINE_S} s"
        await peers.publish(number)
        number += 1
        pause = time.monotonic() + PUBLISH_EVERY_S
        while time.monotonic() < pause and not done():
            await asyncio.sleep(0.01)
    return number


async def wait_until_closed(peers: FakePeers, routers: int = 1) -> list[Turn | TurnStarted]:
    """Wait until every turn that was started has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        records = await peers.turns()
        started = {r.turn_id for r in records if isinstance(r, TurnStarted)}
        ended = {r.turn_id for r in records if isinstance(r, Turn)}
        if started == ended:
            return records
        assert time.monotonic() < deadline, f"{len(started - ended)} turns are open"
        await asyncio.sleep(0.1)


async def test_turns_over_kafka(bus: KafkaBus, settings: Settings) -> None:
    """Two agents of one process complete turns; each of their orders is sent once."""
    async with (
        FakePeers(bus).working() as peers,
        playing(KafkaBus(settings), agent_config("alpha"), agent_config("beta"), connect=True),
    ):
        await publish_until(peers, 0, lambda: len({c.agent for c in peers.calls}) == 2)
        records = await wait_until_closed(peers)

    turns = [r for r in records if isinstance(r, Turn)]
    assert {"completed"} == {t.outcome for t in turns}
    assert {"alpha", "beta"} == {t.agent for t in turns}
    assert len({c.call_id for c in peers.calls}) == len(peers.calls)


@pytest.mark.timeout(180)
async def test_kill_during_a_turn(bus: KafkaBus, start_router: Start) -> None:
    """SIGKILL after the order was sent, then two successors at once: one abort, single orders."""
    killed: list[ToolCall] = []
    victim = start_router()

    def kill_first(call: ToolCall) -> ToolResult | None:
        if not killed:
            killed.append(call)
            victim.send_signal(signal.SIGKILL)
            return None
        return filling_tool(call)

    async with FakePeers(bus, tool=kill_first).working() as peers:
        number = await publish_until(peers, 0, lambda: killed)
        victim.wait(timeout=10)
        start_router()
        start_router()
        await publish_until(peers, number, lambda: len(peers.calls) >= 3)
        records = await wait_until_closed(peers)

    ends = Counter(r.turn_id for r in records if isinstance(r, Turn))
    outcomes = {r.turn_id: r.outcome for r in records if isinstance(r, Turn)}
    assert {1} == set(ends.values())
    assert "aborted" == outcomes[killed[0].turn_id]
    assert 1 == list(outcomes.values()).count("aborted")
    assert len({c.call_id for c in peers.calls}) == len(peers.calls)
    assert 1 == sum(c.turn_id == killed[0].turn_id for c in peers.calls)


async def test_router_ends_cleanly_on_a_signal(bus: KafkaBus, start_router: Start) -> None:
    """After SIGTERM during a turn it is recorded as aborted, and the exit code is 0."""
    asked: list[ChatRequest] = []
    router = start_router()
    async with FakePeers(bus, model=asked.append).working() as peers:
        await publish_until(peers, 0, lambda: asked)
        router.terminate()
        await asyncio.to_thread(router.wait, 20)
        records = await wait_until_closed(peers)

    assert 0 == router.returncode
    assert ["aborted"] == [r.outcome for r in records if isinstance(r, Turn)]


async def test_router_is_lean(bus: KafkaBus, start_router: Start, tmp_path: Path) -> None:
    """It loads no model client, numeric library or screen, and uses at most 70 MB."""
    router = start_router("-X", "importtime")
    async with FakePeers(bus).working() as peers:
        await publish_until(peers, 0, lambda: len(peers.calls) >= 3)
        rss_bytes = psutil.Process(router.pid).memory_info().rss
    loaded = (tmp_path / "router-0.log").read_text().splitlines()

    assert len(loaded) > 100
    assert [] == [line for line in loaded if FOREIGN.search(line)]
    assert rss_bytes <= RSS_BYTES_MAX
