"""The table of process kinds holds together with commands, specs and topics."""

from arena import topics
from arena.acls import rules_for
from arena.process_kinds import (
    COMMANDS,
    EVERY_PROCESS,
    KINDS,
    account_of_command,
    readers_of,
    writers_of,
)
from operations import main
from operations.specs.arena_spec import ArenaSpec


def test_every_topic_has_a_writer_and_a_reader() -> None:
    """A topic that no kind writes or reads would be dead."""
    for spec in topics.TOPICS:
        assert writers_of(spec), spec.name
        assert readers_of(spec), spec.name


def test_member_of_a_family_has_the_kinds_of_the_family() -> None:
    """The inbox of an agent is written and read by the kinds of all inboxes."""
    member = topics.INBOX.member("momentum")

    assert writers_of(topics.INBOX) == writers_of(member)
    assert readers_of(topics.INBOX) == readers_of(member)


def test_kinds_and_commands_are_named_once() -> None:
    """No two kinds, and no two commands, have one name."""
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


def test_every_account_may_do_what_its_kinds_do() -> None:
    """The access rules allow every read and write of the table, and no others but those of all."""
    for kind in KINDS:
        if not kind.uses_kafka:
            continue
        account = kind.account or kind.name
        rules = {(r.name, r.operation) for r in rules_for("p.") if r.principal == account}
        written = {s.name for s in kind.writes}
        written |= {s.name for s in EVERY_PROCESS} if not kind.writes_nothing else set()
        assert {(f"p.{name}", "write") for name in written} <= rules
        assert {(f"p.{s.name}", "read") for s in kind.reads} <= rules


def test_simulated_venue_needs_no_account() -> None:
    """The exchange is a venue: it connects to no broker."""
    assert None is account_of_command("exchange")
    assert "executor" == account_of_command("tools")
    assert "router" == account_of_command("routers")
