"""Selects an agent's authentic records of `agent.turns`, among others under its name. Pure.

A router reads the partition of its agent, and of each turn the first record that ends it. Records
that no router writes are skipped: ids that do not follow from the snapshot, turns on snapshots that
do not exist, and prompts that were never sent to a model.
"""

from collections.abc import Callable, Iterable, Iterator

from arena import ids
from arena.bus.base import Record
from arena.messages import SkippedSnapshots, Turn, TurnStarted


def authentic_turns(
    agent: str, records: Iterable[Record], end: int, is_forged: Callable[[Turn], bool]
) -> Iterator[tuple[Record, TurnStarted | Turn | SkippedSnapshots]]:
    """The records that count, oldest first.

    Args:
        agent: The agent.
        records: The records of its partition.
        end: The offset after the last snapshot.
        is_forged: True for a turn with a prompt that was never sent to a model.
    """
    ended_ids: set[str] = set()
    for record in records:
        message = record.message_or_none() if record.key_text == agent else None
        if isinstance(message, SkippedSnapshots):
            if message.agent == agent and message.snapshot_offset < end:
                yield record, message
            continue
        if not isinstance(message, TurnStarted | Turn) or message.turn_id in ended_ids:
            continue
        is_own = message.agent == agent and message.snapshot_offset < end
        if not is_own or message.turn_id != ids.turn_id(agent, message.snapshot_id):
            continue
        if isinstance(message, Turn):
            if is_forged(message):
                continue
            ended_ids.add(message.turn_id)
        yield record, message
