"""Refuse to start a chat node while another one of its name serves a different model.

Processes of one name share its requests, so each request would be answered by either model. Reads
`arena.heartbeats`, writes nothing.
"""

from collections.abc import Iterable
from datetime import datetime

import psutil

from arena import topics
from arena.bus.base import Start
from arena.clock_skew import by_broker_clock
from arena.errors import Malformed, UsageError
from arena.liveness import CHAT_NODE, LOOK_BACK_S, alive_processes
from arena.messages import Heartbeat
from arena.node import Node

READ_TIMEOUT_S = 1.0


async def refuse_other_model(node: Node, model_id: str) -> None:
    """Check that no other live process serves another model under this node's name.

    Raises:
        UsageError: Another process does.
    """
    now = await node.broker_now()
    start = Start.since(int((now.timestamp() - LOOK_BACK_S) * 1000))
    reader = await node.bus.log_reader(topics.HEARTBEATS.name, start=start)
    beats: list[Heartbeat] = []
    try:
        while await reader.lag():
            for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                if (
                    not record.key_text.startswith(f"{CHAT_NODE}/{node.name}/")
                    or record.value is None
                ):
                    continue
                try:
                    message = record.message()
                except Malformed:
                    continue
                if isinstance(message, Heartbeat):
                    beats.append(by_broker_clock(message, record.timestamp_ms))
    finally:
        await reader.close()
    other = other_model(beats, node.id, model_id, await node.broker_now())
    # A process of this machine that does not exist was killed before its last heartbeat.
    if other is not None and (other.host != node.host or psutil.pid_exists(other.pid)):
        raise UsageError(
            f"chat node {node.name} serves {other.details['model']} already (pid {other.pid} on "
            f"{other.host}), not {model_id}: each request would be answered by either",
            remedy="choose another --name, or stop that process first",
        )


def other_model(
    beats: Iterable[Heartbeat], own_id: str, model_id: str, now: datetime
) -> Heartbeat | None:
    """The heartbeat of a live process that serves another model; None if there is none. Pure.

    Args:
        beats: Heartbeats of chat nodes of one name.
        own_id: Node id of this process.
        model_id: The model that this process serves.
        now: Wall time by the same clock as the heartbeats' times.
    """
    for beat in alive_processes(beats, CHAT_NODE, now):
        if beat.node != own_id and beat.details.get("model", model_id) != model_id:
            return beat
    return None
