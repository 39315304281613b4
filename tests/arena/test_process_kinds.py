"""The table of process kinds agrees with commands, specifications, topics and access rules."""

from arena import topics
from arena.acls import rules_for
from arena.process_kinds import (
    COMMANDS,
    EVERY_PROCESS,
    KINDS,
    account_kinds,
    account_of_command,
    readers_of,
    writers_of,
)
from operations import main
from operations.specs.arena_spec import ArenaSpec


def test_every_topic_has_a_writer_and_a_reader() -> None:
    """No topic is without a kind that writes it and one that reads it."""
    for spec in topics.TOPICS:
        assert writers_of(spec), spec.name
        assert readers_of(spec), spec.name


def test_member_of_a_family_has_the_kinds_of_the_family() -> None:
    """The inbox of an agent is written and read by the kinds of all inboxes."""
    member = topics.INBOX.member("momentum")

    assert writers_of(topics.INBOX) == writers_of(member)
    assert readers_of(topics.INBOX) == readers_of(member)


def test_kinds_and_commands_are_named_once() -> None:
    """Kinds have different names, and so have commands."""
    assert len(KINDS) == len({kind.name for kind in KINDS})
    assert len(COMMANDS) == sum(len(kind.commands) for kind in KINDS)


def test_commands_of_kinds_are_commands_of_arena() -> None:
    """`arena` runs each of them, with the entry and the help of the table."""
    for name, command in COMMANDS.items():
        assert (command.entry, command.help) == main.COMMANDS[name]


def test_spec_tables_exist() -> None:
    """The table that asks for a kind of process is a table of ARENA.toml."""
    tables = {kind.spec_table for kind in KINDS if kind.spec_table}

    assert tables <= set(ArenaSpec.model_fields)


def test_every_account_may_do_exactly_what_its_kinds_do() -> None:
    """The access rules allow the reads and writes of the table and no others."""
    for account, kinds in account_kinds().items():
        written = {spec.name for kind in kinds for spec in kind.writes}
        read = {spec.name for kind in kinds for spec in kind.reads}
        if not any(kind.writes_nothing for kind in kinds):
            written |= {spec.name for spec in EVERY_PROCESS}
        if any(kind.reads_everything for kind in kinds):
            read |= {spec.name for spec in topics.TOPICS}
        for operation, names in (("write", written), ("read", read)):
            allowed = {
                rule.name
                for rule in rules_for("p.")
                if (rule.principal, rule.resource, rule.operation) == (account, "topic", operation)
            }
            assert {f"p.{name}" for name in names} == allowed, (account, operation)


def test_simulated_venue_needs_no_account() -> None:
    """The exchange is a venue: it connects to no broker."""
    assert None is account_of_command("exchange")
    assert "executor" == account_of_command("tools")
    assert "router" == account_of_command("routers")
