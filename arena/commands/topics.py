"""`arena topics create|describe`: the topics of an arena on its brokers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arena import topics
from arena.bus.kafka_admin import TopicState, describe_topics, list_topics
from arena.commands.where import AsJson, Prefix, Run, Servers, find_arena, say
from arena.errors import EXIT_NO
from arena.ids import check_name
from arena.node import run_async
from arena.settings import Settings
from arena.spec import load_spec
from arena.topics import DAY_MS, FOREVER_MS, TopicSpec

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

KILOBYTE = 1_000

SpecPath = Annotated[
    Path | None,
    typer.Option("--spec", help="Also the topics of this ARENA.toml's chat nodes and agents."),
]


@app.command(epilog="Example: arena topics create --spec examples/demo.toml")
def create(
    spec: SpecPath = None,
    agent: Annotated[
        list[str] | None, typer.Option(help="Also the inbox of this agent; may be repeated.")
    ] = None,
    chat_node: Annotated[
        list[str] | None, typer.Option(help="Also the topic of this chat node; may be repeated.")
    ] = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Create the topics that do not exist; an existing one is left as it is."""
    wanted = list(topics.fixed_topics())
    wanted += [topics.INBOX.member(check_name("agent", name)) for name in agent or []]
    wanted += [topics.PROMPTED.member(check_name("chat node", n)) for n in chat_node or []]
    if spec is not None:
        found = load_spec(spec)
        wanted += found.topics()
        prefix = found.arena.prefix if prefix is None else prefix
    with find_arena(servers, prefix, start_broker=False) as where:
        run_async(lambda: _create(where.settings, wanted, as_json=as_json))


async def _create(settings: Settings, wanted: list[TopicSpec], *, as_json: bool) -> None:
    from arena.bus.kafka import KafkaBus

    before = set(await list_topics(settings))
    bus = KafkaBus(settings, client_id="arena-topics")
    await bus.start()
    try:
        await bus.ensure_topics(wanted)
    finally:
        await bus.close()
    names = sorted({spec.name for spec in wanted})
    created = [name for name in names if name not in before]
    if as_json:
        there = [name for name in names if name in before]
        print(json.dumps({"prefix": settings.prefix, "created": created, "existing": there}))
        return
    for name in created:
        print(f"created {settings.prefix}{name}")
    print(f"{len(created)} created, {len(names) - len(created)} were there")


@app.command(epilog="Example: arena topics describe")
def describe(
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show each topic: partitions, replicas, retention, records, ends and size."""
    with find_arena(servers, prefix, run) as where:
        run_async(lambda: _describe(where.settings, as_json=as_json))


async def _describe(settings: Settings, *, as_json: bool) -> None:
    states = await describe_topics(settings)
    if as_json:
        rows = [asdict(state) | {"records": state.records} for state in states]
        print(json.dumps({"prefix": settings.prefix, "topics": rows}, indent=2))
    elif states:
        print("\n".join(table(states)))
    if not states:
        say(
            f"no topic on {settings.bootstrap_servers} under the prefix {settings.prefix!r}; "
            "`arena topics create` makes them"
        )
        raise SystemExit(EXIT_NO)


def table(states: list[TopicState]) -> list[str]:
    """The lines of the table; figures line up right."""
    head = ("topic", "partitions", "replicas", "kept", "records", "size kB", "end offsets")
    rows = [head, *(_row(state) for state in states)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for row in rows:
        figures = (cell.rjust(width) for cell, width in zip(row[1:6], widths[1:6], strict=True))
        lines.append("  ".join([row[0].ljust(widths[0]), *figures, row[6]]))
    return lines


def _row(state: TopicState) -> tuple[str, ...]:
    if state.retention_ms is None:
        kept = "newest per key"
    elif state.retention_ms == FOREVER_MS:
        kept = "for ever"
    else:
        kept = f"{state.retention_ms / DAY_MS:g} d"
    return (
        state.topic,
        str(state.partitions),
        str(state.replicas),
        kept,
        f"{state.records:,}",
        f"{state.size_bytes / KILOBYTE:,.0f}",
        " ".join(map(str, state.end_offsets)),
    )
