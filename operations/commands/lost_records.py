"""What is said of records that were lost, as executors tell it in heartbeats. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from arena import topics
from arena.kill_switch import CONTROL_LOST, ActiveHalt, KillSwitch, lost_records_halt
from arena.liveness import LOST_RECORDS, RECORDS_LOST, UNPROVEN_RECORDS
from arena.messages import Heartbeat
from arena.visible_text import one_line

CHARS_MAX = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Lost:
    """What one shard lost of a topic, or what is not proven of it.

    Attributes:
        shard: As the heartbeat names it. topic: of the records.
        why: What is lost and what became of it, or what is not known. node: The process that says
            so.
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
    beats = list(beats)
    found = [*_said_in(beats, LOST_RECORDS), *_records_lost_in(beats)]
    return tuple(sorted(found))


def unproven_in(beats: Iterable[Heartbeat]) -> tuple[Lost, ...]:
    """Likewise what may be lost, or could not be checked."""
    return _said_in(beats, UNPROVEN_RECORDS)


def lost_halt(beats: Iterable[Heartbeat], switch: KillSwitch) -> ActiveHalt | None:
    """What halts everybody because `arena.control` lost records, or None: executors tell it.

    Args:
        beats: The newest of each process, with the broker's times.
        switch: What is in the topic; a resume of everybody ends what was told before it.
    """
    offsets = []
    for beat in beats:
        match beat.kind, beat.details.get(CONTROL_LOST):
            case "tools", {"0": [int(offset), int(at_ms)]}:
                at_ms = min(at_ms, round(beat.at.timestamp() * 1_000))
                if at_ms >= switch.resumed_ms:
                    offsets.append(offset)
    if not offsets:
        return None
    first = min(switch.read_to, max(offsets) - 1)
    return lost_records_halt(f"{topics.CONTROL.name}[0]@{first}", max(offsets))


def _records_lost_in(beats: Iterable[Heartbeat]) -> Iterable[Lost]:
    """What any other reader says, by topic, and by partition and reader."""
    found: dict[tuple[str, str], Lost] = {}
    for beat in sorted(beats, key=lambda beat: beat.at):
        lost = beat.details.get(RECORDS_LOST)
        for topic, said in lost.items() if isinstance(lost, dict) else ():
            for place, why in said.items() if isinstance(said, dict) else ():
                found[topic, place] = Lost(place, topic, str(why), beat.node)
    return found.values()


def _said_in(beats: Iterable[Heartbeat], details: Mapping[str, str]) -> tuple[Lost, ...]:
    found: dict[tuple[str, str], Lost] = {}
    for beat in sorted(beats, key=lambda beat: beat.at):
        for detail, topic in details.items():
            said = beat.details.get(detail)
            if not isinstance(said, dict):
                continue
            for shard, why in said.items():
                found[shard, topic] = Lost(shard, topic, str(why), beat.node)
    return tuple(sorted(found.values()))


def lost_line(lost: Lost) -> str:
    """A loss on one line."""
    return _line("lost", lost)


def unproven_line(lost: Lost) -> str:
    """What is not proven, on one line."""
    return _line("not proven", lost)


def _line(what: str, lost: Lost) -> str:
    return one_line(f"{what}: {lost.topic}[{lost.shard}]: {lost.why}", CHARS_MAX)
