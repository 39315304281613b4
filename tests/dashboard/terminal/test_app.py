"""The dashboard as a process: once, as JSON, as lines, as a picture, from a real broker."""

import asyncio
import json
import os
import pty
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arena import topics
from arena.account_state import accounts_digest
from arena.bus.base import LogReader, Record, Start
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.messages import Heartbeat
from arena.money import units_text
from arena.node import Node, serve_node
from arena.settings import Settings
from dashboard.model.frame import build_frame
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.terminal.app import DashboardOptions, catch_up
from dashboard.terminal.app import run as show
from tests.dashboard.publishing import ROOT, command, environment, publish
from tests.dashboard.scenario import Scenario
from tests.warm_commands import run_arena

DEADLINE_S = 40.0


def recent_scenario(steps: int) -> Scenario:
    """A scenario that ends about now, so that its processes are alive."""
    found = Scenario(start=datetime.now(UTC) - timedelta(days=1, seconds=steps)).run(steps)
    for kind, name in (("connector", "coinbase"), ("tools", "tools"), ("chat-node", "rules")):
        # A dashboard may need long to start on a busy machine.
        found.beat(kind, name, gauges={"lag": 0}, interval_s=60.0)
    return found


async def run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a dashboard."""
    words, env = ("dashboard", *arguments), environment(settings)
    done = await asyncio.to_thread(run_arena, *words, env=env, timeout_s=DEADLINE_S)
    return done.returncode, done.stdout, done.stderr


async def test_once_as_json_is_the_standings(bus: KafkaBus, settings: Settings) -> None:
    """The document has the accounts of the log, money as text, and the processes."""
    scenario = recent_scenario(20)
    await publish(bus, scenario)

    code, output, errors = await run(settings, "--once", "--json")
    document = json.loads(output)
    accounts = scenario.shard.accounts

    assert (0, "") == (code, errors)
    assert (20, True, 60.0) == (document["snapshots"], document["simulated"], document["speed"])
    assert {"fee_bps": "60", "slippage_bps": "2"} == document["rules"]
    assert accounts_digest(accounts) == document["digest"]
    assert [1, 2, 3, 4, 5, 6] == [row["rank"] for row in document["agents"]]
    for row in document["agents"]:
        held = {p: units_text(at.quantity) for p, at in accounts[row["agent"]].positions.items()}
        assert held == {p: text for p, text in row["positions"].items() if text != "0"}
        assert "0" == row["scraped_usd"]
        account = accounts[row["agent"]]
        assert units_text(account.cash) == row["cash_usd"]
        assert units_text(account.fees) == row["fees_usd"]
        assert (account.fills, account.rejections) == (row["trades"], row["rejections"])
        assert (20, 0, True) == (row["turns"], row["turns_aborted"], row["scripted"])
    assert ["chat-node", "connector", "tools"] == [p["kind"] for p in document["processes"]]
    assert all(process["alive"] for process in document["processes"])


async def test_once_prints_one_screen(bus: KafkaBus, settings: Settings, tmp_path: Path) -> None:
    """The screen is printed whole, and exported as a picture that loads nothing."""
    await publish(bus, recent_scenario(5))
    picture = tmp_path / "screen.svg"

    code, output, _ = await run(
        settings, "--once", "--width", "90", "--height", "30", "--svg", str(picture)
    )
    lines = output.splitlines()

    assert (0, 30, {90}) == (code, len(lines), {len(line) for line in lines})
    assert "snapshot 5 " in lines[0]
    drawn = picture.read_text(encoding="utf-8")
    assert "momentum" in drawn
    assert re.search(r"(src|href|url\()\W*https?:|@import|@font-face", drawn) is None


async def test_empty_arena_renders(settings: Settings) -> None:
    """A dashboard may be started before all other processes."""
    code, output, errors = await run(settings, "--once")

    assert (0, "") == (code, errors)
    assert "no agent yet" in output


async def test_no_broker_is_a_missing_dependency(settings: Settings) -> None:
    """The exit code is 3, and one line names the remedy."""
    closed = settings.override(bootstrap_servers="127.0.0.1:1")

    code, output, errors = await run(closed, "--once")

    assert (3, "") == (code, output)
    assert "did not answer" in errors
    assert "arena broker start" in errors
    assert "Traceback" not in errors


async def test_json_without_once_is_wrong_usage(settings: Settings) -> None:
    """The error names the remedy."""
    code, _, errors = await run(settings, "--json")

    assert 2 == code
    assert "add --once" in errors


async def test_pipe_gets_lines_then_the_table(bus: KafkaBus, settings: Settings) -> None:
    """Without a terminal it prints a line for a new snapshot, and the standings at the end."""
    await publish(bus, recent_scenario(5))

    code, output, _ = await run(settings, "--seconds", "4")
    lines = output.splitlines()

    assert 0 == code
    assert "snapshot 5 (simulated, 60x)" in lines[0]
    assert "trades" in lines[0]
    assert "equity" in lines[-7]
    assert [str(n) for n in range(1, 7)] == [line.split()[0] for line in lines[-6:]]
    assert "\x1b" not in output


async def test_blocked_terminal_does_not_delay_the_exit(bus: KafkaBus, settings: Settings) -> None:
    """No process reads the terminal, and the dashboard still exits on time."""
    await publish(bus, recent_scenario(5))
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *command("--seconds", "3"),
            cwd=ROOT,
            env=environment(settings, TERM="xterm-256color"),
            stdin=theirs,
            stdout=theirs,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (0, b"") == (process.returncode, errors)


async def test_catch_up_waits_for_records_that_are_read_but_not_folded(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader's position reaches the end before its records are in the view."""
    scenario, make = recent_scenario(3), memory_bus.log_reader

    async def slow_reader(*names: str, start: Start | None = None) -> LogReader:
        reader = await make(*names, start=start or Start())
        read = reader.read

        async def late(*, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
            records = await read(timeout_s=timeout_s, max_records=max_records)
            await asyncio.sleep(0.1 if records else 0)
            return records

        monkeypatch.setattr(reader, "read", late)
        return reader

    await publish(memory_bus, scenario)
    monkeypatch.setattr(memory_bus, "log_reader", slow_reader)
    follower = TopicFollower(memory_bus, SystemClock(), ArenaView())
    await follower.open()
    reading = asyncio.create_task(follower.follow())
    await asyncio.wait_for(catch_up(follower, SystemClock()), DEADLINE_S)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert accounts_digest(scenario.shard.accounts) == follower.view.accounts.digest()
    assert (0, 3) == (
        follower.records_left,
        build_frame(follower.view, follower.now()).summary.snapshots,
    )


async def test_late_reader_shows_the_same(memory_bus: MemoryBus) -> None:
    """A reader that follows the topics and one that starts at the end have equal frames."""
    clock, scenario = SystemClock(), recent_scenario(3)
    done = await publish(memory_bus, scenario)
    live = TopicFollower(memory_bus, clock, ArenaView())
    await live.open()
    following = asyncio.create_task(live.follow())
    for _ in range(15):
        scenario.step()
        done = await publish(memory_bus, scenario, done)
        await asyncio.sleep(0)
    late = TopicFollower(memory_bus, clock, ArenaView())
    await late.open()
    reading = asyncio.create_task(late.follow())
    await asyncio.wait_for(catch_up(late, clock), DEADLINE_S)
    await _until_read(live, len(scenario.records))
    for task in (following, reading):
        task.cancel()
    await asyncio.gather(following, reading, return_exceptions=True)

    now = scenario.wall
    assert build_frame(live.view, now) == build_frame(late.view, now)
    assert 18 == build_frame(late.view, now).summary.snapshots


async def test_picture_only_is_written_and_the_dashboard_exits(
    memory_bus: MemoryBus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a pipe `--svg` needs no `--seconds`; the picture shows when an ended run ended."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    await publish(memory_bus, recent_scenario(2))
    picture = tmp_path / "screen.svg"
    options = DashboardOptions(picture_only=True, svg=picture, ended="ended 22:39")

    node = Node("dashboard", "", Settings(), memory_bus, SystemClock())
    await asyncio.wait_for(serve_node(node, show, options), DEADLINE_S)

    drawn = picture.read_text(encoding="utf-8").replace("&#160;", " ")
    assert "ended 22:39" in drawn
    assert "" == capsys.readouterr().out


class WrongClock(SystemClock):
    """A host's clock that is wrong.

    Attributes:
        ahead_s: Seconds by which it is ahead.
    """

    ahead_s = 0.0

    def now(self) -> datetime:
        """The wrong time."""
        return super().now() + timedelta(seconds=self.ahead_s)


def heartbeat(host: str, clock: SystemClock) -> Heartbeat:
    """The heartbeat of a process on a host with a clock."""
    return Heartbeat(
        node=f"judge/judge/{host}/1",
        kind="judge",
        name="judge",
        host=host,
        pid=1,
        started_at=clock.now(),
        at=clock.now(),
    )


@pytest.mark.parametrize("ahead_s", [-400.0, 0.0, 400.0])
@pytest.mark.parametrize("host", ["elsewhere", socket.gethostname()])
async def test_wrong_clock_of_this_host_makes_no_process_silent(
    memory_bus: MemoryBus, ahead_s: float, host: str
) -> None:
    """Heartbeats give the broker's time, older ones if their process is on this host."""
    clock = WrongClock()
    clock.ahead_s = ahead_s
    theirs = clock if host == socket.gethostname() else SystemClock()
    beat = heartbeat(host, theirs)
    await memory_bus.append(topics.HEARTBEATS.name, beat, key=beat.node)
    follower = TopicFollower(memory_bus, clock, ArenaView())
    await follower.open()
    reading = asyncio.create_task(follower.follow())
    await asyncio.wait_for(catch_up(follower, clock), DEADLINE_S)

    off_s = (follower.now() - datetime.now(UTC)).total_seconds()
    assert (0.0 if theirs is clock else ahead_s) == pytest.approx(off_s, abs=2)

    async with asyncio.timeout(DEADLINE_S):
        while abs((follower.now() - datetime.now(UTC)).total_seconds()) > 2:
            beat = heartbeat(host, theirs)
            await memory_bus.append(topics.HEARTBEATS.name, beat, key=beat.node)
            await clock.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    (row,) = build_frame(follower.view, follower.now()).processes
    assert row.alive


async def _until_read(follower: TopicFollower, records: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while follower.view.version < records:
            await asyncio.sleep(0.01)
