"""The access rules as values, and as `arena topics acl` shows them."""

import json

from arena import topics
from arena.acls import GROUPS, PRINCIPALS, Rule, rules_for
from arena.credentials import ADMIN
from operations.kafka_acls import to_row
from tests.operations.commands.cli import arena
from tests.security.secure import PREFIX, Secure


def test_one_principal_writes_the_accounts() -> None:
    """Of all rules one lets somebody write `account.events`."""
    name = "p." + topics.EVENTS.name

    writers = [r for r in rules_for("p.") if r.name == name and r.operation == "write"]

    assert [Rule("executor", "topic", name, False, "write")] == writers


def test_no_rule_lets_the_dashboard_write() -> None:
    """It may read and look, and join no group."""
    operations = {(r.resource, r.operation) for r in rules_for("") if r.principal == "dashboard"}

    assert {("topic", "read"), ("topic", "describe")} == operations


def test_families_are_rules_about_beginnings() -> None:
    """A chat node may read the requests of every chat node of its arena, and of no other."""
    assert Rule("chat-node", "topic", "p.ai_prompted.", True, "read") in rules_for("p.")


def test_without_a_prefix_everything_is_meant() -> None:
    """Kafka has no empty beginning of a name; it has a star."""
    rules = rules_for("")

    assert Rule("judge", "topic", "*", False, "describe") in rules
    assert not [rule for rule in rules if rule.prefixed and not rule.name]


def test_a_router_is_kept_out_of_the_groups_of_others() -> None:
    """It joins groups that are called like agents; those that share out work are forbidden."""
    groups = [r for r in rules_for("p.") if r.principal == "router" and r.resource == "group"]

    denied = {rule.name for rule in groups if not rule.allow}

    assert {f"p.{name}" for names in GROUPS.values() for name in names} == denied
    assert ["p."] == [rule.name for rule in groups if rule.allow]


def test_rules_are_distinct_on_the_wire() -> None:
    """No two rules are the same to a broker, and each speaks of an account that exists."""
    rules = rules_for("p.")

    assert len(rules) == len({to_row(rule) for rule in rules})
    assert set(PRINCIPALS) == {rule.principal for rule in rules}


def test_the_command_shows_and_applies(secure: Secure) -> None:
    """What is printed is what is in force: a second `--apply` changes nothing."""
    settings = secure.settings(ADMIN)

    shown = arena(settings, "topics", "acl")
    listed = json.loads(arena(settings, "topics", "acl", "--json").stdout)
    applied = json.loads(arena(settings, "topics", "acl", "--apply", "--json").stdout)

    assert 0 == shown.returncode, shown.stderr
    assert f"executor   write             topic    {PREFIX}account.events" in shown.stdout
    assert f"router     NOT read          group    {PREFIX}node:executor" in shown.stdout
    assert len(rules_for(PREFIX)) == len(listed["rules"])
    assert ([], 0, len(rules_for(PREFIX))) == (
        applied["created"],
        applied["removed"],
        applied["kept"],
    )
