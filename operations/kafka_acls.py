"""Writes access rules to the brokers.

aiokafka's admin client has no method for this, but its protocol module knows the requests
(https://kafka.apache.org/protocol: DescribeAcls 29, CreateAcls 30, DeleteAcls 31, version 1). Only
this module sends them, by a private method of that client.
"""

from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
    DescribeAclsRequest_v1,
)
from aiokafka.protocol.api import Request

from arena.acls import Operation, Resource, Rule
from arena.bus.kafka_admin import admin_client
from arena.errors import ArenaError
from arena.settings import Settings

RESOURCES: dict[Resource, int] = {"topic": 2, "group": 3, "cluster": 4}
OPERATIONS: dict[Operation, int] = {"read": 3, "write": 4, "describe": 8, "describe configs": 10}
LITERAL, PREFIXED = 3, 4
DENY, ALLOW = 2, 3
ANY = 1
EVERY_HOST = "*"
SECURITY_DISABLED = 54

AclRow = tuple[int, str, int, str, str, int, int]
"""Resource type, name, pattern, principal, host, operation, permission, as in the protocol."""


@dataclass(frozen=True, slots=True)
class AclChanges:
    """The changes of the brokers' access rules.

    Attributes:
        created: The rules that were missing. removed: Number of rules of the same principals and
            names that are not wanted any more. existing: Number of wanted rules that existed.
    """

    created: tuple[Rule, ...]
    removed: int
    existing: int


class _Create(Request[CreateAclsRequest_v1]):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 30

    def __init__(self, rows: list[AclRow]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rows)


class _Delete(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 31

    def __init__(self, rows: list[AclRow]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(self._rows)


class _Describe(Request[DescribeAclsRequest_v1]):  # type: ignore[misc]  # aiokafka is not typed
    API_KEY = 29

    def build(self, request_struct_class: type[DescribeAclsRequest_v1]) -> DescribeAclsRequest_v1:
        return request_struct_class(ANY, None, ANY, None, None, ANY, ANY)


async def apply_rules(settings: Settings, rules: tuple[Rule, ...]) -> AclChanges:
    """Replace the brokers' rules about these principals and names with the given ones.

    Rules about other principals, or about names of other arenas, are not changed.

    Raises:
        BrokerUnavailable: No broker answers, or the login is not accepted.
        ArenaError: The brokers have no authorizer, or this login may not change its rules.
    """
    wanted = {to_row(rule): rule for rule in rules}
    principals = {row[3] for row in wanted}
    resources = {row[:2] for row in wanted}
    async with admin_client(settings) as admin:
        found = await _describe(admin)
        retired = [
            row
            for row in found
            if row[3] in principals and row[:2] in resources and row not in wanted
        ]
        missing = [row for row in wanted if row not in found]
        if missing:
            # aiokafka has no public method for these requests.
            answer = await admin._send_to_controller(_Create(missing))
            for code, text in answer.creation_responses:
                _check(code, text)
        if retired:
            answer = await admin._send_to_controller(_Delete(retired))
            for result in answer.filter_responses:
                _check(result[0], result[1])
    created = tuple(sorted(wanted[row] for row in missing))
    return AclChanges(created=created, removed=len(retired), existing=len(wanted) - len(missing))


async def _describe(admin: AIOKafkaAdminClient) -> set[AclRow]:
    answer = await admin._send_to_controller(_Describe())
    _check(answer.error_code, answer.error_message)
    return {
        (kind, name, pattern, principal, host, operation, permission)
        for kind, name, pattern, acls in answer.resources
        for principal, host, operation, permission in acls
    }


def to_row(rule: Rule) -> AclRow:
    """Return a rule as a row of the protocol."""
    return (
        RESOURCES[rule.resource],
        rule.name,
        PREFIXED if rule.prefixed else LITERAL,
        f"User:{rule.principal}",
        EVERY_HOST,
        OPERATIONS[rule.operation],
        ALLOW if rule.allow else DENY,
    )


# Any: aiokafka returns plain objects.
def _check(code: Any, text: Any) -> None:
    if code == SECURITY_DISABLED:
        raise ArenaError(
            "these brokers have no authorizer: every client may do everything",
            remedy="start a broker with one: `arena broker start --secure` in an empty ARENA_HOME",
        )
    if code:
        raise ArenaError(
            f"the brokers refused to change their access rules: error {code}, {text}",
            remedy="log in as the administrator: KAFKA_SASL_USERNAME=admin",
        )
