"""An agent's own records of `agent.turns`, among what others wrote under its name. Pure.

A router reads the partition of its agent, and of a turn the first record that ends it. What no
router writes is passed over: ids that do not follow from the snapshot, turns beyond the snapshots
that there are, and prompts that no model was asked.
"""

from collections.abc import Callable, Iterable, Iterator

from arena import ids
from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Message, Turn, TurnStarted


def own_turns(
    agent: str, records: Iterable[Record], end: int, is_forged: Callable[[Turn], bool]
) -> Iterator[tuple[Record, TurnStarted | Turn]]:
    """The records that count, oldest first.

    Args:
        agent: Whose.
        records: Of the agent's partition.
        end: Offset behind the last snapshot.
        is_forged: True of a turn with a prompt that no model was asked.
    """
    told: set[str] = set()
    for record in records:
        message = _message(record) if record.key_text == agent else None
        if not isinstance(message, TurnStarted | Turn) or message.turn_id in told:
            continue
        own = message.agent == agent and message.snapshot_offset < end
        if not own or message.turn_id != ids.turn_id(agent, message.snapshot_id):
            continue
        if isinstance(message, Turn):
            if is_forged(message):
                continue
            told.add(message.turn_id)
        yield record, message


def _message(record: Record) -> Message | None:
    if record.value is None:
        return None
    try:
        return record.message()
    except Malformed:
        return None
