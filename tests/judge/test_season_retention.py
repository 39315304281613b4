"""A season whose first snapshots were deleted by the topic's retention."""

import numpy as np
import pytest

from arena import topics
from arena.bus.base import Record
from judge.season import SeasonBuilder
from tests.dashboard.scenario import Scenario

SNAPSHOTS = 60


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """An arena of sixty snapshots."""
    return Scenario().run(SNAPSHOTS).records


def built(records: list[Record], kept_from: int) -> SeasonBuilder:
    """The season of what is left when snapshots before an offset are gone."""
    builder = SeasonBuilder()
    for record in records:
        if record.topic != topics.SNAPSHOTS.name or record.offset >= kept_from:
            builder.apply(record)
    return builder


@pytest.mark.parametrize("deleted", [0, 1, 20, 59])
def test_what_is_left_has_the_figures_of_the_whole(records: list[Record], deleted: int) -> None:
    """It begins with the accounts as they were; nobody earns in one step what took weeks."""
    whole = built(records, 0).season()
    left = built(records, deleted).season()

    assert whole.names == left.names
    assert np.allclose(whole.cash[deleted:], left.cash)
    assert np.allclose(whole.equity[deleted:], left.equity)
    assert whole.account_digest == left.account_digest
    said = [note for note in left.assumptions.notes if "no longer kept" in note]
    assert [f"{deleted} earlier snapshots are no longer kept"] * bool(deleted) == [
        note.partition(":")[0] for note in said
    ]


@pytest.mark.parametrize("deleted", [0, 20])
def test_a_record_that_cannot_be_read_was_not_deleted(records: list[Record], deleted: int) -> None:
    """A foreign record before the first snapshot deletes nothing, and moves no figure."""
    moved: list[Record] = []
    for record in records:
        if record.topic == topics.SNAPSHOTS.name and record.offset >= deleted:
            if record.offset == deleted:
                moved.append(record._replace(value=b"not a message"))
            record = record._replace(offset=record.offset + 1)
        moved.append(record)
    whole, poisoned = built(records, deleted).season(), built(moved, deleted).season()

    said = [note for note in poisoned.assumptions.notes if "no longer kept" in note]
    assert bool(deleted) == bool(said)
    assert not deleted or said[0].startswith("20 earlier snapshots")
    assert np.allclose(whole.equity, poisoned.equity)
