"""`arena topics create|describe|acl`: an arena's topics on its brokers, and their access rules."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arena import topics
from arena.acls import Rule, rules_for
from arena.bus.kafka_admin import TopicState, describe_topics, list_topics, other_arenas
from arena.credentials import ADMIN
from arena.errors import ArenaError
from arena.ids import check_name
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.run_lookup import find_arena
from arena.settings import Settings
from arena.topics import DAY_MS, FOREVER_MS, TopicSpec
from operations.commands.aligned_lines import aligned_lines
from operations.specs.arena_spec import load_spec

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

KILOBYTE = 1_000

SpecPath = Annotated[
    Path | None,
    typer.Option("--spec", help="ARENA.toml whose chat nodes and agents get topics, too."),
]


@app.command(epilog="Example: arena topics create --spec examples/demo.toml")
def create(
    spec: SpecPath = None,
    agent: Annotated[
        list[str] | None, typer.Option(help="Agent that gets an inbox; repeatable.")
    ] = None,
    chat_node: Annotated[
        list[str] | None, typer.Option(help="Chat node that gets a topic; repeatable.")
    ] = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Create the topics that do not exist; existing ones are not changed."""
    wanted = list(topics.fixed_topics())
    wanted += [topics.INBOX.member(check_name("agent", name)) for name in agent or []]
    wanted += [topics.PROMPTED.member(check_name("chat node", n)) for n in chat_node or []]
    if spec is not None:
        found = load_spec(spec)
        wanted += found.topics()
        prefix = found.arena.prefix if prefix is None else prefix
    with find_arena(servers, prefix, start_broker=False, principal=ADMIN) as location:
        run_async(lambda: _create(location.settings, wanted, as_json=as_json))


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
        existing = [name for name in names if name in before]
        print(json.dumps({"prefix": settings.prefix, "created": created, "existing": existing}))
        return
    for name in created:
        print(f"created {settings.prefix}{name}")
    print(f"{len(created)} created, {len(names) - len(created)} existed")


@app.command(epilog="Example: arena topics describe")
def describe(
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show each topic: partitions, replicas, retention, records, ends and size."""
    with find_arena(servers, prefix, run) as location:
        run_async(lambda: _describe(location.settings, as_json=as_json))


async def _describe(settings: Settings, *, as_json: bool) -> None:
    states = await describe_topics(settings)
    if as_json:
        rows = [asdict(state) | {"records": state.records} for state in states]
        print(json.dumps({"prefix": settings.prefix, "topics": rows}, indent=2))
    elif states:
        print("\n".join(topic_table(states)))
    if not states:
        others = await other_arenas(settings)
        raise ArenaError(
            f"no topics on {settings.bootstrap_servers} under the prefix {settings.prefix!r}",
            remedy="; ".join(
                text for text in ("create them with `arena topics create`", others) if text
            ),
        )


@app.command(epilog="Example: arena topics acl --json")
def acl(
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="Put the rules in force on the brokers; needs the administrator."
        ),
    ] = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Show which principal may read and write which topic; --apply puts the rules in force."""
    with find_arena(servers, prefix, start_broker=False, principal=ADMIN) as location:
        rules = rules_for(location.settings.prefix)
        if apply:
            run_async(lambda: _apply(location.settings, rules, as_json=as_json))
    if as_json:
        rows = [asdict(rule) for rule in rules]
        print(json.dumps({"prefix": location.settings.prefix, "rules": rows}, indent=2))
    else:
        print("\n".join(rule_table(rules)))


async def _apply(settings: Settings, rules: tuple[Rule, ...], *, as_json: bool) -> None:
    from operations.kafka_acls import apply_rules

    changes = await apply_rules(settings, rules)
    if as_json:
        created = [asdict(rule) for rule in changes.created]
        counts = {"kept": changes.existing, "removed": changes.removed}
        print(json.dumps({"prefix": settings.prefix, "created": created, **counts}, indent=2))
        return
    print(
        f"{len(changes.created)} rules put in force, {changes.removed} removed, "
        f"{changes.existing} existed"
    )


def rule_table(rules: tuple[Rule, ...]) -> list[str]:
    """The lines of the access rules; a name that ends in `*` is a prefix."""
    head = ("principal", "may", "what", "name")
    rows = [head]
    for rule in rules:
        verb = rule.operation if rule.allow else f"NOT {rule.operation}"
        name = f"{rule.name}*" if rule.prefixed else rule.name
        rows.append((rule.principal, verb, rule.resource, name))
    return aligned_lines(rows)


def topic_table(states: list[TopicState]) -> list[str]:
    """The lines of the table; figures are right-aligned."""
    head = ("topic", "partitions", "replicas", "kept", "records", "size kB", "end offsets")
    return aligned_lines([head, *(_row(state) for state in states)], right=range(1, 6))


def _row(state: TopicState) -> tuple[str, ...]:
    if state.retention_ms is None:
        retention = "newest per key"
    elif state.retention_ms == FOREVER_MS:
        retention = "forever"
    else:
        retention = f"{state.retention_ms / DAY_MS:g} d"
    return (
        state.topic,
        str(state.partitions),
        str(state.replicas),
        retention,
        f"{state.records:,}",
        f"{state.size_bytes / KILOBYTE:,.0f}",
        " ".join(map(str, state.end_offsets)),
    )
