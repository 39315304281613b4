"""`arena tail` and `arena topics` as commands, against a real broker."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime

from arena.bus.kafka import KafkaBus
from arena.messages import OpenAccount
from arena.settings import Settings
from tests.operations.commands.cli import ROOT, arena, environment, shell

AGENTS = ("momentum", "scalper", "brainrot")


async def fill(bus: KafkaBus, count: int) -> None:
    """Append messages of three agents, and a malformed one."""
    for number in range(count):
        message = OpenAccount(
            call_id=f"call-{number}",
            agent=AGENTS[number % 3],
            issued_at=datetime(2026, 11, 21, tzinfo=UTC),
        )
        await bus.append("account.commands", message, key=message.agent, partition=0)
    future = await bus.send_bytes(
        "account.commands", b"\x00\xff", key=None, partition=0, headers=(("type", b"Nope"),)
    )
    await future


async def test_tail_prints_all_and_ends(bus: KafkaBus, settings: Settings) -> None:
    """From the first record to the last, with the malformed one."""
    await fill(bus, 6)

    done = arena(settings, "tail", "account.commands")

    lines = done.stdout.splitlines()
    assert (done.returncode, len(lines)) == (0, 7)
    assert "OpenAccount    momentum requests an account" in lines[0]
    assert "MALFORMED, 2 bytes" in lines[6]
    assert settings.prefix in done.stderr


async def test_tail_filters_and_prints_json(bus: KafkaBus, settings: Settings) -> None:
    """The last records, of one agent, as JSON lines."""
    await fill(bus, 9)

    done = arena(
        settings, "tail", "account.commands", "--from", "4 ago", "--agent", "scalper", "--json"
    )

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(f["offset"], f["message"]["call_id"]) for f in found] == [(7, "call-7")]


async def test_tail_follows_until_its_limit(bus: KafkaBus, settings: Settings) -> None:
    """With --follow it waits for new records."""
    command = ["-m", "arena", "tail", "account.commands", "--follow", "--limit", "4"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environment(settings), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        await fill(bus, 3)
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()

    assert (process.returncode, len(output.splitlines())) == (0, 4)


async def test_closed_pipe_is_not_an_error(bus: KafkaBus, settings: Settings) -> None:
    """`arena tail ... | head -1` ends without an error message."""
    await fill(bus, 300)

    done = shell(settings, "$ARENA tail account.commands --json | head -1; exit $PIPESTATUS")

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


async def test_missing_topic_lists_the_existing_ones(bus: KafkaBus, settings: Settings) -> None:
    """A valid name without a topic on the broker is refused."""
    done = arena(settings, "tail", "agent.inbox.nobody")

    assert done.returncode == 2
    assert "topic agent.inbox.nobody does not exist" in done.stderr
    assert "account.events" in done.stderr


def test_unknown_topic_lists_the_names(settings: Settings) -> None:
    """A misspelt topic is wrong usage."""
    done = arena(settings, "tail", "acount.events")

    assert done.returncode == 2
    assert "there is no topic 'acount.events'" in done.stderr
    assert "account.events" in done.stderr


def test_no_broker_is_a_missing_dependency(settings: Settings) -> None:
    """The error names the address and the remedy."""
    without_broker = settings.override(bootstrap_servers="127.0.0.1:1")

    done = arena(without_broker, "tail", "account.events")

    assert done.returncode == 3
    assert "no broker answers at 127.0.0.1:1" in done.stderr
    assert "arena broker start" in done.stderr


def test_topics_are_created_once_and_described(settings: Settings) -> None:
    """Creating again changes nothing; describe shows the same as a table and as JSON."""
    first = arena(settings, "topics", "create", "--agent", "momentum", "--chat-node", "gpt")
    again = arena(settings, "topics", "create", "--agent", "momentum", "--json")
    table = arena(settings, "topics", "describe")
    described = json.loads(arena(settings, "topics", "describe", "--json").stdout)

    assert "created " + settings.prefix + "ai_prompted.gpt" in first.stdout
    assert first.stdout.splitlines()[-1].endswith("created, 0 existed")
    assert json.loads(again.stdout)["created"] == []
    events = next(t for t in described["topics"] if t["topic"] == "account.events")
    assert (events["partitions"], events["retention_ms"]) == (1, -1)
    assert any(line.startswith("account.events ") for line in table.stdout.splitlines())


def test_describe_without_topics_exits_with_1(settings: Settings) -> None:
    """The error says why."""
    done = arena(settings, "topics", "describe")

    assert done.returncode == 1
    assert "create them with `arena topics create`" in done.stderr
