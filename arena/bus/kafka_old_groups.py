"""Adopts the committed offsets of groups that had other names in older versions, once.

Until 0.2.0 the groups of the tool servers and of the executors were called `tools` and `executor`,
like the group of an agent with that name. A member of the new group first waits until no process of
an older version is in the old group. Then it commits in the new group the offsets of the old one
that the new group lacks, with their marks (`commit_marks.py`). So no record is handled twice or
skipped, and a partition with a commit of the new group is never set back.

An agent may be in the old group now: members that do not read these topics are ignored.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, for_code
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest

from arena.bus.kafka_admin import admin_client
from arena.error_causes import error_message
from arena.errors import BrokerUnavailable
from arena.settings import Settings

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.5
"""Interval of the checks of the old group's members."""
WARN_AGAIN_S = 30.0
"""Interval of the warnings while waiting."""
ANSWER_S = 60.0
"""How long the brokers may fail to answer: the first coordinator of a new cluster can take that
long on a busy machine, as other limits at a start allow."""
IDLE = ("Empty", "Dead")
STABLE = "Stable"
NO_GENERATION = -1
"""Generation in a commit by a non-member, which is accepted if the group has no members."""
NO_RETENTION = -1
HAS_MEMBERS = (22, 25, 27)
"""Errors of such a commit if the group has members: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID,
REBALANCE_IN_PROGRESS."""

NOT_ALLOWED = (
    "this login may not read group %s of an older version, so group %s does not continue at its"
    " offsets; if an older version ran here, allow it with `arena topics acl --apply` and restart"
)

Committed = dict[TopicPartition, tuple[int, str]]
"""Partition -> the committed offset and its metadata."""


async def adopt_offsets(
    settings: Settings, old: str, new: str, partitions: Mapping[str, int]
) -> Committed:
    """Commit an older group's offsets in its new group, and return them.

    Args:
        settings: Addresses and login of the brokers.
        old: Full name of the older version's group.
        new: Full name of the group that replaces it.
        partitions: Full names of the topics -> their partitions.

    Raises:
        BrokerUnavailable: No broker answers, or no coordinator is known, for `ANSWER_S`.
    """
    asked = [TopicPartition(topic, p) for topic, count in partitions.items() for p in range(count)]
    failing_since: float | None = None
    said_at = -WARN_AGAIN_S
    while True:
        now = time.monotonic()
        try:
            async with admin_client(settings) as admin:
                if not await _is_served(admin, old, set(partitions)):
                    return await _move(admin, old, new, asked)
            failing_since = None
        except GroupAuthorizationFailedError:
            log.warning(NOT_ALLOWED, old, new)
            return {}
        except BrokerUnavailable:
            failing_since = now if failing_since is None else failing_since
            if now - failing_since > ANSWER_S:
                raise
        except (KafkaError, TimeoutError, OSError) as error:
            failing_since = now if failing_since is None else failing_since
            if now - failing_since > ANSWER_S:
                raise BrokerUnavailable(
                    f"no answer about the group {old} for {ANSWER_S:g} s: {error_message(error)}",
                    remedy="check the brokers with `arena broker status`, then start again",
                ) from error
        else:
            if now - said_at >= WARN_AGAIN_S:
                said_at = now
                log.warning("waiting for processes of an older version to leave group %s", old)
        await asyncio.sleep(LOOK_AGAIN_S)


async def _is_served(admin: AIOKafkaAdminClient, group: str, topics: set[str]) -> bool:
    """True if a member of the group reads one of the topics, or if it is not known yet."""
    (answer,) = await admin.describe_consumer_groups([group])
    ((code, _, state, _, _, members, *_),) = answer.groups
    if code:
        raise for_code(code)(group)
    if state in IDLE:
        return False
    return state != STABLE or not topics.isdisjoint(_subscribed(member[3] for member in members))


def _subscribed(metadata: Iterable[bytes]) -> set[str]:
    found: set[str] = set()
    for data in metadata:
        try:
            found.update(ConsumerProtocolMemberMetadata.decode(data).subscription)
        except ValueError:  # Not one of our consumers.
            continue
    return found


async def _move(
    admin: AIOKafkaAdminClient, old: str, new: str, partitions: list[TopicPartition]
) -> Committed:
    known = await _committed(admin, new, partitions)
    if len(known) == len(partitions):
        return {}
    found = await _committed(admin, old, [tp for tp in partitions if tp not in known])
    if not found:
        return {}
    rows: dict[str, list[tuple[int, int, str]]] = {}
    for tp, at in found.items():
        rows.setdefault(tp.topic, []).append((tp.partition, *at))
    request = OffsetCommitRequest(new, NO_GENERATION, "", NO_RETENTION, list(rows.items()))
    answer = await admin._send_request(request, await admin.find_coordinator(new))
    for code in (code for _, parts in answer.topics for _, code in parts):
        if code in HAS_MEMBERS:
            log.info("group %s has members, which adopted the offsets of %s already", new, old)
            return {}
        _check(code, new)
    log.warning("group %s continues at the offsets of group %s of an older version", new, old)
    return found


async def _committed(
    admin: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]
) -> Committed:
    by_topic: dict[str, list[int]] = {}
    for tp in partitions:
        by_topic.setdefault(tp.topic, []).append(tp.partition)
    request = OffsetFetchRequest(group, list(by_topic.items()))
    answer = await admin._send_request(request, await admin.find_coordinator(group))
    _check(getattr(answer, "error_code", 0), group)
    found: Committed = {}
    for topic, parts in answer.topics:
        for number, offset, metadata, code in parts:
            _check(code, group)
            if offset >= 0:
                found[TopicPartition(topic, number)] = (offset, metadata or "")
    return found


# Any: what aiokafka decodes from an answer is untyped.
def _check(code: Any, group: str) -> None:
    if code:
        raise for_code(code)(group)
