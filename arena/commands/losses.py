"""What `arena status` says of records that were lost, as executors tell it in heartbeats. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from arena.living import LOST_RECORDS
from arena.messages import Heartbeat
from arena.visible import one_line

CHARS_MAX = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Lost:
    """What one shard lost of a topic.

    Attributes:
        shard: As the heartbeat names it. topic: of the records.
        why: What is lost and what became of it. node: The process that says so.
    """

    shard: str
    topic: str
    why: str
    node: str

    def document(self) -> dict[str, JsonValue]:
        """The JSON fields."""
        return {"shard": self.shard, "topic": self.topic, "why": self.why, "node": self.node}


def lost_in(beats: Iterable[Heartbeat]) -> tuple[Lost, ...]:
    """What the newest heartbeats say to be lost, each loss once: in the newest words."""
    found: dict[tuple[str, str], Lost] = {}
    for beat in sorted(beats, key=lambda beat: beat.at):
        for detail, topic in LOST_RECORDS.items():
            said = beat.details.get(detail)
            if not isinstance(said, dict):
                continue
            for shard, why in said.items():
                found[shard, topic] = Lost(shard, topic, str(why), beat.node)
    return tuple(sorted(found.values()))


def lost_line(lost: Lost) -> str:
    """A loss on one line."""
    return one_line(f"lost: {lost.topic}[{lost.shard}]: {lost.why}", CHARS_MAX)
