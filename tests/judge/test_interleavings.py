"""Equal ids have equal bytes: records of later snapshots change no evaluation."""

from collections.abc import Callable, Sequence
from random import Random

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.messages import MarketSnapshot, ProductView
from judge.schedule import newest_due
from judge.season import SEASON_TOPICS, SeasonBuilder
from judge.service import JudgeOptions, judge_once
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario

JUDGE_OPTIONS = JudgeOptions(resamples=199)
AHEAD = (0, 0, 1, 3, 10, 30, 60)
"""How many more records one partition was read than another."""

Part = tuple[str, int]


def part_of(record: Record) -> Part:
    """The partition of a record."""
    return record.topic, record.partition


def evaluated(records: Sequence[Record], random: Random) -> tuple[int, bytes] | None:
    """Evaluate with unevenly read partitions; returns the snapshot's index and the bytes.

    Like `Judge` it waits until a snapshot is due and then reads to the current end offsets.
    """
    parts = sorted({part_of(record) for record in records})
    builder = SeasonBuilder()
    begin = random.randrange(20, len(records))
    due_at = {part: begin + random.choice(AHEAD) for part in parts}
    for position, record in enumerate(records):
        if position <= due_at[part_of(record)]:
            builder.apply(record)
    index = newest_due(builder)
    if index is None:
        return None
    end = max(due_at.values())
    random.shuffle(parts)
    for part in parts:
        last = end + random.choice(AHEAD)
        for position, record in enumerate(records):
            if part_of(record) == part and due_at[part] < position <= last:
                builder.apply(record)
    return index, JUDGE_OPTIONS.evaluate(builder, index).model_dump_json().encode()


def as_it_is(scenario: Scenario) -> None:
    """Change nothing."""


def restrict(scenario: Scenario) -> None:
    """Restrict a product from the middle on."""
    found: list[Record] = []
    seen = 0
    for record in scenario.records:
        message = record.message() if record.topic == topics.SNAPSHOTS.name else None
        if isinstance(message, MarketSnapshot):
            seen += 1
            views = tuple(_limit_only(view) if seen > 5 else view for view in message.products)
            value = message.model_copy(update={"products": views}).model_dump_json().encode()
            record = record._replace(value=value)
        found.append(record)
    scenario.records[:] = found


def _limit_only(view: ProductView) -> ProductView:
    return view.model_copy(update={"modes": ("limit_only",)})


@pytest.mark.parametrize("change", [as_it_is, restrict])
def test_later_records_change_no_evaluation(
    change: Callable[[Scenario], None],
) -> None:
    """An order may be read before its snapshot, and a product may be restricted later."""
    scenario = Scenario().run(10)
    change(scenario)
    records = [record for record in scenario.records if record.topic in SEASON_TOPICS]
    random = Random(5)
    found: dict[int, set[bytes]] = {}
    for _ in range(40):
        if (result := evaluated(records, random)) is not None:
            found.setdefault(result[0], set()).add(result[1])

    assert len(found) > 5
    assert {1} == {len(values) for values in found.values()}


async def test_the_order_in_which_topics_are_published_changes_no_evaluation() -> None:
    """All interleavings of the same partitions give the same evaluation."""
    found = set()
    for seed in range(3):
        scenario = Scenario().run(6)
        queues: dict[Part, list[Record]] = {}
        for record in scenario.records:
            queues.setdefault(part_of(record), []).append(record)
        turns = [part for part, own in queues.items() for _ in own]
        Random(seed).shuffle(turns)
        scenario.records[:] = [queues[part].pop(0) for part in turns]
        bus = MemoryBus()
        await bus.ensure_topics([topics.spec_of(topic) for topic, _ in queues])
        await publish(bus, scenario)
        found.add((await judge_once(bus, JUDGE_OPTIONS)).model_dump_json())

    assert 1 == len(found)
