"""Access rules of a secure broker, derived from the topic table: who reads and writes what. Pure.

A principal is a user of the brokers; it represents the kinds of processes in the table's writer and
reader columns. Everything that no rule allows is forbidden: if the table names one writer of
`account.events`, the brokers refuse all others.
"""

from dataclasses import dataclass
from typing import Literal

from arena.process_kinds import EVERY_PROCESS, account_kinds
from arena.topics import TOPICS, TopicSpec

PRINCIPALS = account_kinds()
"""Principal -> the kinds of processes it represents."""
GROUPS = {
    name: tuple(group for kind in kinds for group in kind.groups)
    for name, kinds in PRINCIPALS.items()
}
"""Principal -> its consumer groups; a group that ends in a dot is a prefix of node names."""

Resource = Literal["topic", "group", "cluster"]
Operation = Literal["read", "write", "describe", "describe configs"]
CLUSTER = "kafka-cluster"
EVERYTHING = "*"


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One entry of a broker's access list.

    Attributes:
        principal: User of the brokers.
        resource: Kind of resource.
        name: Name of the resource, with the arena's prefix.
        prefixed: True if the rule covers every name that starts with `name`.
        operation: The operation.
        allow: False forbids the operation, even if another rule allows it.
    """

    principal: str
    resource: Resource
    name: str
    prefixed: bool
    operation: Operation
    allow: bool = True


def rules_for(prefix: str, specs: tuple[TopicSpec, ...] = TOPICS) -> tuple[Rule, ...]:
    """Every rule of one arena, sorted.

    All principals may list topics and their end offsets: a process checks that its topics exist,
    and is refused if it reads or writes a topic that is not its own.
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
        found += [_group(principal, prefix, group) for group in GROUPS[principal]]
        old = [group for kind in PRINCIPALS[principal] for group in kind.old_groups]
        found += [_group(principal, prefix, group, operation="describe") for group in old]
        if any(kind.group_per_agent for kind in PRINCIPALS[principal]):
            found += _agents_groups(principal, prefix)
    found.append(_under("cli", "topic", prefix, "describe configs"))
    found.append(Rule("cli", "cluster", CLUSTER, False, "describe"))
    return tuple(sorted(found))


def may_write(principal: str, spec: TopicSpec) -> bool:
    """True if a principal's kinds write a topic."""
    kinds = PRINCIPALS[principal]
    everyone = spec in EVERY_PROCESS and not any(kind.writes_nothing for kind in kinds)
    return everyone or any(spec in kind.writes for kind in kinds)


def may_read(principal: str, spec: TopicSpec) -> bool:
    """True if a principal's kinds read a topic."""
    return any(kind.reads_everything or spec in kind.reads for kind in PRINCIPALS[principal])


def _agents_groups(principal: str, prefix: str) -> list[Rule]:
    """The groups that are named like agents: all of the arena's, but those of other kinds."""
    found = [_under(principal, "group", prefix, "read")]
    others = sorted({group for groups in GROUPS.values() for group in groups})
    return found + [_group(principal, prefix, group, allow=False) for group in others]


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
    """A rule for all resources of this arena; without a prefix, for all resources."""
    return Rule(principal, resource, prefix or EVERYTHING, bool(prefix), operation)
