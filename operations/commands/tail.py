"""`arena tail TOPIC`: the messages of a topic, decoded. Reads one topic, writes nothing.

The topics of a run that has ended are read from its exported records, if there are any.
"""

import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from arena import topics
from arena.bus.base import Bus, LogReader, Record
from arena.bus.kafka_admin import other_arenas
from arena.errors import BrokerUnavailable, UsageError
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import discard_output, print_note
from arena.run_lookup import ArenaLocation, find_arena
from operations.commands.tail_filter import RecordFilter, StartPosition, parse_start, record_line
from operations.commands.topic_options import Follow, From, Limit

READ_TIMEOUT_S = 0.5
STALL_DEADLINE_S = 15.0
TOPICS_NAMED_MAX = 30

LineOf = Callable[[Record], str | None]
"""Returns the line of a record; None leaves it out."""


def tail(
    topic: Annotated[
        str, typer.Argument(help="Topic, such as account.events or agent.inbox.momentum.")
    ],
    agent: Annotated[str | None, typer.Option(help="Show only messages about this agent.")] = None,
    type_name: Annotated[
        str | None, typer.Option("--type", help="Show only this message type, such as Turn.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Show only records with this key.")] = None,
    grep: Annotated[
        str | None, typer.Option(help="Show only bodies that match this regular expression.")
    ] = None,
    from_: From = "earliest",
    limit: Limit = None,
    follow: Follow = None,
    as_json: AsJson = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Print a topic's messages, decoded, one line each; malformed ones are marked.

    Example: arena tail account.events --from '20 ago'
    """
    topics.spec_of(topic)
    start = parse_start(from_)
    record_filter = RecordFilter(agent=agent, type_name=type_name, key=key, pattern=_compile(grep))
    follows = start.at == "latest" if follow is None else follow
    with find_arena(servers, prefix, run, offline=True) as location:
        line_of = partial(record_line, record_filter=record_filter, as_json=as_json)
        run_async(lambda: print_topic(location, topic, start, line_of, limit=limit, follow=follows))


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--grep {pattern!r} is not a regular expression: {error}") from None


def _announce(location: ArenaLocation) -> None:
    offset = datetime.now().astimezone().strftime("%z")
    if location.records is not None:
        print_note(f"reading {location.name}; times are UTC{offset}")
        return
    source = f"run {location.directory.name}, " if location.directory else ""
    prefix = f", prefix {location.settings.prefix!r}" if location.settings.prefix else ""
    print_note(
        f"reading {source}{location.settings.bootstrap_servers}{prefix}; times are UTC{offset}"
    )


async def print_topic(
    location: ArenaLocation,
    topic: str,
    start: StartPosition,
    line_of: LineOf,
    *,
    limit: int | None,
    follow: bool,
) -> None:
    """Print a line for each record of a topic.

    Args:
        location: The arena.
        topic: The topic.
        start: Where to start.
        line_of: Returns the line of a record; None leaves it out.
        limit: Stop after so many lines; None for no limit.
        follow: Wait for new records at the end.

    Raises:
        UsageError: The topic does not exist.
        BrokerUnavailable: The records did not come in time.
    """
    await _require_topic(location, topic)
    bus = location.bus("arena-tail")
    await bus.start()
    try:
        reader = await _open(bus, topic, start)
        _announce(location)
        try:
            await _print_all(reader, line_of, limit=limit, follow=follow)
        finally:
            await reader.close()
    except BrokenPipeError:
        discard_output(sys.stdout)
    finally:
        await bus.close()


async def _require_topic(location: ArenaLocation, topic: str) -> None:
    existing = await location.topics()
    if topic in existing:
        return
    names = ", ".join(existing[:TOPICS_NAMED_MAX])
    if location.records is not None:
        raise UsageError(f"{location.name} have no topic {topic}", remedy=f"choose from {names}")
    settings = location.settings
    arena = f"on {settings.bootstrap_servers} under the prefix {settings.prefix!r}"
    others = await other_arenas(settings)
    create = "; ".join(
        text for text in ("create the topics with `arena topics create`", others) if text
    )
    remedy = f"choose from {names}" if existing else create
    raise UsageError(f"topic {topic} does not exist {arena}", remedy=remedy)


async def _open(bus: Bus, topic: str, start: StartPosition) -> LogReader:
    ends: dict[tuple[str, int], int] = {}
    if start.at in ("offset", "records"):
        probe = await bus.log_reader(topic)
        begins = {pair: probe.position(*pair) for pair in await probe.end_offsets()}
        ends = await probe.end_offsets()
        await probe.close()
        wanted = start.for_bus(ends, 0)
        first = {pair: max(begins[pair], offset) for pair, offset in wanted.offsets.items()}
        return await bus.log_reader(topic, start=type(wanted)(offsets=first))
    return await bus.log_reader(topic, start=start.for_bus({}, int(time.time() * 1000)))


async def _print_all(
    reader: LogReader, line_of: LineOf, *, limit: int | None, follow: bool
) -> None:
    """Print to the end that the log had when reading began, or forever with `follow`."""
    ends = await reader.end_offsets()
    printed = 0
    progress_at_s = time.monotonic()
    while follow or any(reader.position(*pair) < end for pair, end in ends.items()):
        records = await reader.read(timeout_s=READ_TIMEOUT_S)
        if records:
            progress_at_s = time.monotonic()
        elif not follow and time.monotonic() - progress_at_s > STALL_DEADLINE_S:
            raise BrokerUnavailable(
                f"no records for {STALL_DEADLINE_S:.0f} s, although the log has more",
                remedy="check the broker with `arena broker status`",
            )
        records.sort(key=lambda r: (r.timestamp_ms, r.partition, r.offset))
        for record in records:
            line = line_of(record)
            if line is None:
                continue
            sys.stdout.write(line + "\n")
            printed += 1
            if printed == limit:
                sys.stdout.flush()
                return
        sys.stdout.flush()
