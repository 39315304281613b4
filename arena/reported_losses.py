"""The lost records that processes report in heartbeats. Pure."""

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
class LostRecords:
    """Records of a topic that a shard lost, or may have lost.

    Attributes:
        shard: The shard, as the heartbeat names it. topic: The topic of the records.
        why: What is lost and its effect, or what is not known. node: The process that reports it.
    """

    shard: str
    topic: str
    why: str
    node: str

    def document(self) -> dict[str, JsonValue]:
        """The JSON fields."""
        return {"shard": self.shard, "topic": self.topic, "why": self.why, "node": self.node}


def losses_in(beats: Iterable[Heartbeat]) -> tuple[LostRecords, ...]:
    """The losses in the newest heartbeats, each once, with the newest text."""
    beats = list(beats)
    found = [*_reported_in(beats, LOST_RECORDS), *_records_lost_in(beats)]
    return tuple(sorted(found))


def unproven_losses_in(beats: Iterable[Heartbeat]) -> tuple[LostRecords, ...]:
    """The possible losses in the newest heartbeats: what could not be checked."""
    return _reported_in(beats, UNPROVEN_RECORDS)


def halt_for_lost_records(beats: Iterable[Heartbeat], switch: KillSwitch) -> ActiveHalt | None:
    """The halt of all agents because `arena.control` lost records, or None; executors report it.

    Args:
        beats: The newest heartbeat of each process, with the broker's times.
        switch: The halts in the topic; a resume of all ends losses that were reported before it.
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


def _records_lost_in(beats: Iterable[Heartbeat]) -> Iterable[LostRecords]:
    """The losses of other readers, by topic, partition and reader."""
    found: dict[tuple[str, str], LostRecords] = {}
    for beat in sorted(beats, key=lambda beat: beat.at):
        lost = beat.details.get(RECORDS_LOST)
        for topic, reported in lost.items() if isinstance(lost, dict) else ():
            for partition, why in reported.items() if isinstance(reported, dict) else ():
                found[topic, partition] = LostRecords(partition, topic, str(why), beat.node)
    return found.values()


def _reported_in(beats: Iterable[Heartbeat], details: Mapping[str, str]) -> tuple[LostRecords, ...]:
    found: dict[tuple[str, str], LostRecords] = {}
    for beat in sorted(beats, key=lambda beat: beat.at):
        for detail, topic in details.items():
            reported = beat.details.get(detail)
            if not isinstance(reported, dict):
                continue
            for shard, why in reported.items():
                found[shard, topic] = LostRecords(shard, topic, str(why), beat.node)
    return tuple(sorted(found.values()))


def lost_line(lost: LostRecords) -> str:
    """The line of a loss."""
    return _line("lost", lost)


def unproven_line(lost: LostRecords) -> str:
    """The line of a possible loss."""
    return _line("not proven", lost)


def _line(what: str, lost: LostRecords) -> str:
    return one_line(f"{what}: {lost.topic}[{lost.shard}]: {lost.why}", CHARS_MAX)
