"""What brokers refuse and permit: every principal on every topic of the table."""

import json

import pytest
from aiokafka.errors import KafkaConnectionError

from arena import topics
from arena.acls import PRINCIPALS, rules_for
from arena.bus.base import GroupReader, LogReader
from arena.bus.kafka import KafkaBus
from arena.credentials import ADMIN
from arena.errors import AppendFailed, ArenaError, BrokerUnavailable, UsageError
from arena.process_kinds import readers_of, writers_of
from arena.settings import KafkaAccess
from arena.topics import TopicSpec
from operations.kafka_acls import apply_rules
from tests.operations.commands.cli import arena
from tests.security.secure import (
    MEMBER,
    PREFIX,
    Secure,
    all_topics,
    create_topics_and_rules,
    try_group,
    try_read,
    try_write,
)

STANDS_FOR = {"executor": {"executor", "tools"}, "cli": {"cli", "operator"}}
"""Words in the table's columns that a principal covers, if there are several."""


def is_in_column(principal: str, column: tuple[str, ...]) -> bool:
    """True if a column of the topic table has a principal; parsed independently of the arena."""
    names = STANDS_FOR.get(principal, {principal})
    if principal != "dashboard":
        names = names | {"every process"}
    return not names.isdisjoint(column)


def outcome_of(*, allowed: bool) -> str:
    """The outcome of an attempt."""
    return "ok" if allowed else "topic refused"


@pytest.mark.parametrize("spec", all_topics(), ids=lambda spec: spec.name)
@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_broker_enforces_the_topic_table(
    secure: Secure, principal: str, spec: TopicSpec
) -> None:
    """A topic is written and read by the principals in its columns, and read by the CLI."""
    settings = secure.settings(principal)

    wrote = await try_write(settings, spec.name)
    read = await try_read(settings, spec.name)

    assert outcome_of(allowed=is_in_column(principal, writers_of(spec))) == wrote
    assert (
        outcome_of(allowed=principal == "cli" or is_in_column(principal, readers_of(spec))) == read
    )


async def test_only_the_executor_writes_the_accounts(secure: Secure) -> None:
    """Of all principals only the executor may write `account.events`."""
    name = topics.EVENTS.name

    wrote = {p: await try_write(secure.settings(p), name) for p in PRINCIPALS}

    assert ["executor"] == [p for p, outcome in wrote.items() if outcome == "ok"]


async def test_dashboard_writes_nothing(secure: Secure) -> None:
    """No topic accepts a record of the dashboard, not even heartbeats and dead letters."""
    settings = secure.settings("dashboard")

    assert {"topic refused"} == {await try_write(settings, spec.name) for spec in all_topics()}


async def test_other_arenas_are_inaccessible(secure: Secure) -> None:
    """The access rules of one prefix do not cover another on the same brokers."""
    await create_topics_and_rules(secure.settings(ADMIN, prefix="other."))
    await apply_rules(secure.settings(ADMIN, prefix="other."), rules_for("other."))
    unruled = secure.settings(ADMIN, prefix="third.")
    bus = KafkaBus(unruled)
    await bus.start()
    await bus.ensure_topics([topics.EVENTS])
    await bus.close()

    assert "ok" == await try_write(secure.settings("executor", "other."), topics.EVENTS.name)
    assert "topic refused" == await try_write(
        secure.settings("executor", "third."), topics.EVENTS.name
    )


@pytest.mark.parametrize(
    ("principal", "group", "topic", "outcome"),
    [
        ("executor", "node:executor", topics.COMMANDS.name, "ok"),
        ("executor", "node:tools", topics.TOOL_CALLS.name, "ok"),
        ("tools", "node:executor", topics.TOOL_CALLS.name, "group refused"),
        ("router", MEMBER, topics.SNAPSHOTS.name, "ok"),
        ("router", "executor", topics.SNAPSHOTS.name, "ok"),
        ("router", "node:executor", topics.SNAPSHOTS.name, "group refused"),
        ("router", "chat-node.rules", topics.SNAPSHOTS.name, "group refused"),
        ("chat-node", "chat-node.rules", topics.prompted(MEMBER), "ok"),
        ("chat-node", "node:executor", topics.prompted(MEMBER), "group refused"),
        ("connector", "connector.coinbase", topics.SNAPSHOTS.name, "ok"),
        ("dashboard", "dashboard", topics.SNAPSHOTS.name, "group refused"),
    ],
)
async def test_groups_are_restricted_to_their_nodes(
    secure: Secure, principal: str, group: str, topic: str, outcome: str
) -> None:
    """No process can take work from another node by joining its consumer group."""
    assert outcome == await try_group(secure.settings(principal), group, topic)


async def test_refused_append_ends_the_bus(secure: Secure) -> None:
    """The append of a node that may not write raises, and its bus cannot be used any more."""
    bus = KafkaBus(secure.settings("router"))
    await bus.start()
    try:
        future = await bus.send_bytes(topics.EVENTS.name, b"{}", key=b"k", partition=0, headers=())
        with pytest.raises(Exception, match="29"):
            await future
        with pytest.raises(AppendFailed, match="an earlier append failed"):
            await bus.send_bytes(topics.TURNS.name, b"{}", key=b"k", partition=0, headers=())
    finally:
        await bus.close()


async def test_refused_reader_names_the_topic_or_group(secure: Secure) -> None:
    """Its reading ends with the name of the topic or group, and a remedy."""
    bus = KafkaBus(secure.settings("dashboard"))
    await bus.start()
    try:
        reader = await bus.log_reader(topics.COMMANDS.name)
        with pytest.raises(UsageError, match=rf"let this login read {PREFIX}account.commands"):
            await read_once(reader)
        await reader.close()
        with pytest.raises(UsageError, match=rf"let this login join the group {PREFIX}node:tools"):
            await read_once(await bus.group_reader("node:tools", topics.SNAPSHOTS.name))
    finally:
        await bus.close()


async def read_once(reader: LogReader | GroupReader) -> None:
    """Read until a record arrives, or the test's time is up."""
    while not await reader.read():
        pass


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_only_the_administrator_makes_topics_and_rules(
    secure: Secure, principal: str
) -> None:
    """Other principals get an error."""
    settings = secure.settings(principal)
    bus = KafkaBus(settings)
    await bus.start()
    try:
        with pytest.raises(BrokerUnavailable, match=rf"'{principal}' may not create it"):
            await bus.ensure_topics([topics.INBOX.member("nobody")])
    finally:
        await bus.close()

    with pytest.raises(ArenaError, match="refused to change their access rules: error 31"):
        await apply_rules(settings, rules_for("mine."))


@pytest.mark.parametrize(
    "changes",
    [
        {"KAFKA_SASL_PASSWORD": "wrong"},
        {"KAFKA_SASL_USERNAME": "mallory"},
        {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_invalid_logins_are_refused(secure: Secure, changes: dict[str, str]) -> None:
    """A wrong password, an unknown name and no login: reported in one line, with a remedy."""
    own = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_USERNAME": "router",
        "KAFKA_SASL_PASSWORD": secure.passwords()["router"],
    }
    stranger = secure.settings("router").override(access=KafkaAccess.of(own | changes))

    with pytest.raises((BrokerUnavailable, KafkaConnectionError), match="did not answer") as raised:
        await KafkaBus(stranger).start()

    assert "KAFKA_SASL_USERNAME" in str(raised.value) or "know this login" in str(raised.value)
    assert secure.passwords()["router"] not in str(raised.value)


async def test_surplus_rules_are_removed(secure: Secure) -> None:
    """After `--apply` the access rules are exactly those of the table."""
    admin = secure.settings(ADMIN, prefix="shrinking.")
    with_turns = rules_for(admin.prefix)
    without = tuple(
        rule
        for rule in with_turns
        if not (rule.principal == "judge" and rule.name.endswith(topics.TURNS.name))
    )

    first = await apply_rules(admin, with_turns)
    second = await apply_rules(admin, without)
    third = await apply_rules(admin, without)

    # Rules about the cluster are shared by all arenas.
    assert (len(with_turns) - 1, 0, 1) == (len(first.created), first.removed, first.existing)
    assert (0, 1) == (len(second.created), second.removed)
    assert (0, 0, len(without)) == (len(third.created), third.removed, third.existing)


def test_command_shows_and_applies_rules(secure: Secure) -> None:
    """The printed rules are in force: a second `--apply` changes nothing."""
    settings = secure.settings(ADMIN)

    printed = arena(settings, "topics", "acl")
    listed = json.loads(arena(settings, "topics", "acl", "--json").stdout)
    applied = json.loads(arena(settings, "topics", "acl", "--apply", "--json").stdout)

    assert 0 == printed.returncode, printed.stderr
    lines = [" ".join(line.split()) for line in printed.stdout.splitlines()]
    assert f"executor write topic {PREFIX}account.events" in lines
    assert f"router NOT read group {PREFIX}node:executor" in lines
    assert len(rules_for(PREFIX)) == len(listed["rules"])
    assert ([], 0, len(rules_for(PREFIX))) == (
        applied["created"],
        applied["removed"],
        applied["kept"],
    )
