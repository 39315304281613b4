"""Who may write and read which topic: access rules of a secure broker, made from the topic table.

Pure. A principal is an account of the brokers; it stands for the kinds of processes that the
table's columns name. What no rule allows is forbidden, so a table that names one writer of
`account.events` is a broker that refuses all others.
"""

from dataclasses import dataclass
from typing import Literal

from arena.topics import TOPICS, TopicSpec
from arena.unknown_names import NODE_GROUP

PRINCIPALS: dict[str, frozenset[str]] = {
    "connector": frozenset({"connector"}),
    "chat-node": frozenset({"chat-node"}),
    "router": frozenset({"router"}),
    "tools": frozenset({"tools"}),
    "executor": frozenset({"tools", "executor"}),
    "judge": frozenset({"judge"}),
    "ledger": frozenset({"ledger"}),
    "dashboard": frozenset({"dashboard"}),
    "cli": frozenset({"cli", "operator"}),
}
"""Principal -> the kinds of processes it stands for. `arena tools` runs tools and executor as one
process, so its principal is both; `--only tools` is better served by an account of its own."""

EVERY_KIND = frozenset({"every process", "any process"})
READ_ONLY = frozenset({"dashboard"})
"""Principals that write nothing: no heartbeat, no dead letter, though every process may."""
READS_ALL = frozenset({"cli"})
"""The person at the command line: `arena tail` and an export may show every topic."""

GROUPS: dict[str, tuple[str, ...]] = {
    "connector": ("connector.",),
    "chat-node": ("chat-node.",),
    "tools": (f"{NODE_GROUP}tools",),
    "executor": (f"{NODE_GROUP}executor", f"{NODE_GROUP}tools"),
}
"""Principal -> its consumer groups; one that ends in a dot is put before a node's name. The
router is not here: each agent's group has the agent's name."""
OLD_GROUPS: dict[str, tuple[str, ...]] = {
    "tools": ("tools",),
    "executor": ("executor", "tools"),
}
"""Principal -> the groups of older versions, of which it takes over the offsets. They are agents'
groups now, if agents have these names."""
NAMED_BY_AGENTS = "router"

Resource = Literal["topic", "group", "cluster"]
Operation = Literal["read", "write", "describe", "describe configs"]
CLUSTER = "kafka-cluster"
EVERYTHING = "*"


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One entry of a broker's access list.

    Attributes:
        principal: Whom it is about.
        resource: Kind of thing.
        name: Of the thing, with the arena's prefix.
        prefixed: True where every thing whose name begins so is meant.
        operation: What may be done.
        allow: False forbids it whatever else is allowed.
    """

    principal: str
    resource: Resource
    name: str
    prefixed: bool
    operation: Operation
    allow: bool = True


def rules_for(prefix: str, specs: tuple[TopicSpec, ...] = TOPICS) -> tuple[Rule, ...]:
    """Every rule of one arena, sorted.

    Everybody may see which topics there are and where they end: a process looks whether what it
    needs exists, and is refused when it reads or writes what is not its own.
    """
    found: list[Rule] = []
    for principal in PRINCIPALS:
        found.append(_under(principal, "topic", prefix, "describe"))
        for spec in specs:
            name, family = prefix + spec.name, spec.is_family
            if may_write(principal, spec):
                found.append(Rule(principal, "topic", name, family, "write"))
            if may_read(principal, spec):
                found.append(Rule(principal, "topic", name, family, "read"))
        found += [_group(principal, prefix, group) for group in GROUPS.get(principal, ())]
        old = OLD_GROUPS.get(principal, ())
        found += [_group(principal, prefix, group, operation="describe") for group in old]
    found += _agents_groups(prefix)
    found.append(_under("cli", "topic", prefix, "describe configs"))
    found.append(Rule("cli", "cluster", CLUSTER, False, "describe"))
    return tuple(sorted(found))


def may_write(principal: str, spec: TopicSpec) -> bool:
    """True where the topic table lets a principal write a topic."""
    if principal in READ_ONLY:
        return False
    return bool((PRINCIPALS[principal] | EVERY_KIND) & set(spec.writers))


def may_read(principal: str, spec: TopicSpec) -> bool:
    """True where the topic table lets a principal read a topic."""
    return principal in READS_ALL or bool(PRINCIPALS[principal] & set(spec.readers))


def _agents_groups(prefix: str) -> list[Rule]:
    """A router may join the group of any agent, but none of the groups of the other nodes."""
    found = [_under(NAMED_BY_AGENTS, "group", prefix, "read")]
    others = sorted({group for groups in GROUPS.values() for group in groups})
    return found + [_group(NAMED_BY_AGENTS, prefix, group, allow=False) for group in others]


def _group(
    principal: str,
    prefix: str,
    group: str,
    *,
    operation: Operation = "read",
    allow: bool = True,
) -> Rule:
    return Rule(principal, "group", prefix + group, group.endswith("."), operation, allow)


def _under(principal: str, resource: Resource, prefix: str, operation: Operation) -> Rule:
    """A rule for everything of this arena; without a prefix that is everything there is."""
    return Rule(principal, resource, prefix or EVERYTHING, bool(prefix), operation)
