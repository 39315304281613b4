"""The access rules as values."""

from arena import topics
from arena.acls import GROUPS, PRINCIPALS, Rule, rules_for
from operations.kafka_acls import to_row


def test_one_principal_writes_the_accounts() -> None:
    """Only one rule allows writes to `account.events`."""
    name = "p." + topics.EVENTS.name

    writers = [r for r in rules_for("p.") if r.name == name and r.operation == "write"]

    assert [Rule("executor", "topic", name, False, "write")] == writers


def test_no_rule_lets_the_dashboard_write() -> None:
    """It may read and describe, and join no group."""
    operations = {(r.resource, r.operation) for r in rules_for("") if r.principal == "dashboard"}

    assert {("topic", "read"), ("topic", "describe")} == operations


def test_topic_families_are_prefix_rules() -> None:
    """A chat node may read the requests of every chat node of its arena, and of no other."""
    assert Rule("chat-node", "topic", "p.ai_prompted.", True, "read") in rules_for("p.")


def test_no_prefix_is_a_star() -> None:
    """Kafka has no empty prefix; it has a star."""
    rules = rules_for("")

    assert Rule("judge", "topic", "*", False, "describe") in rules
    assert not [rule for rule in rules if rule.prefixed and not rule.name]


def test_router_cannot_join_groups_of_nodes() -> None:
    """It joins groups named like agents; groups that share work are forbidden."""
    groups = [r for r in rules_for("p.") if r.principal == "router" and r.resource == "group"]

    denied = {rule.name for rule in groups if not rule.allow}

    assert {f"p.{name}" for names in GROUPS.values() for name in names} == denied
    assert ["p."] == [rule.name for rule in groups if rule.allow]


def test_rules_are_distinct_on_the_wire() -> None:
    """No two rules are equal for a broker, and each is about an existing account."""
    rules = rules_for("p.")

    assert len(rules) == len({to_row(rule) for rule in rules})
    assert set(PRINCIPALS) == {rule.principal for rule in rules}
