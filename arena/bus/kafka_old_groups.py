"""Groups that an older version named otherwise: their offsets are taken over, once.

Until 0.2.0 the groups of the tool servers and of the executors were called `tools` and `executor`,
like the group of an agent of that name. A member of the new group first waits until no process of
the older version is left in the old one, then commits in the new group what the old one had
committed and the new one has not, with its marks (`commit_marks.py`). So nothing is handled twice
or passed over, and a partition that the new group has committed is never set back.

An agent may be in the old group now: members that do not read these topics are not waited for.
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
"""From one look at the members of the old group to the next."""
WARN_AGAIN_S = 30.0
"""From one warning that they are waited for to the next."""
ANSWER_S = 60.0
"""How long the brokers may fail to answer: on a busy machine the first coordinator of a new cluster
takes that long, as other waits at a start allow."""
IDLE = ("Empty", "Dead")
STABLE = "Stable"
NO_GENERATION = -1
"""Of a commit by a process that is not a member: accepted while the group has no members."""
NO_RETENTION = -1
HAS_MEMBERS = (22, 25, 27)
"""Errors of a commit by a process that is not a member: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID,
REBALANCE_IN_PROGRESS."""

NOT_ALLOWED = (
    "this login may not read group %s of an older version, so group %s does not continue where that"
    " one was; if an older version ran here, `arena topics acl --apply` lets it, and start again"
)

Committed = dict[TopicPartition, tuple[int, str]]
"""Partition -> the committed offset and its metadata."""


async def adopt_offsets(
    settings: Settings, old: str, new: str, partitions: Mapping[str, int]
) -> Committed:
    """Commit in a group what an older group had committed; returns that.

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
                    remedy="`arena broker status` asks the brokers; start again when it is sound",
                ) from error
        else:
            if now - said_at >= WARN_AGAIN_S:
                said_at = now
                log.warning("waiting until the older version's processes have left group %s", old)
        await asyncio.sleep(LOOK_AGAIN_S)


async def _is_served(admin: AIOKafkaAdminClient, group: str, topics: set[str]) -> bool:
    """True while a member of the group reads one of the topics, or that is not known yet."""
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
        except ValueError:  # Not a consumer of ours.
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
            log.info("group %s has members: the first of them took over from %s", new, old)
            return {}
        _check(code, new)
    log.warning("group %s continues where group %s of an older version was", new, old)
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
