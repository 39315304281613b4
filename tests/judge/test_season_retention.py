"""A season whose first snapshots were deleted by the topic's retention."""

import numpy as np
import pytest

from arena import topics
from arena.bus.base import Record
from judge.season import SeasonBuilder
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records

SNAPSHOTS = 60


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """An arena of sixty snapshots."""
    return Scenario().run(SNAPSHOTS).records


def built(records: list[Record], first_offset: int) -> SeasonBuilder:
    """The season of the remaining records, without snapshots before an offset."""
    return fold_records(
        record
        for record in records
        if record.topic != topics.SNAPSHOTS.name or record.offset >= first_offset
    )


@pytest.mark.parametrize("deleted", [0, 1, 20, 59])
def test_a_shortened_season_starts_with_the_current_accounts(
    records: list[Record], deleted: int
) -> None:
    """The first step does not have the gain of all the deleted snapshots."""
    whole = built(records, 0).season()
    left = built(records, deleted).season()

    assert whole.names == left.names
    assert np.allclose(whole.cash[deleted:], left.cash)
    assert np.allclose(whole.equity[deleted:], left.equity)
    assert whole.account_digest == left.account_digest
    notes = [note for note in left.assumptions.notes if "no longer kept" in note]
    assert [f"{deleted} earlier snapshots are no longer kept"] * bool(deleted) == [
        note.partition(":")[0] for note in notes
    ]


@pytest.mark.parametrize("deleted", [0, 20])
def test_an_unreadable_record_is_not_a_deleted_one(records: list[Record], deleted: int) -> None:
    """A foreign record before the first snapshot does not change a figure."""
    moved: list[Record] = []
    for record in records:
        if record.topic == topics.SNAPSHOTS.name and record.offset >= deleted:
            if record.offset == deleted:
                moved.append(record._replace(value=b"not a message"))
            record = record._replace(offset=record.offset + 1)
        moved.append(record)
    whole, poisoned = built(records, deleted).season(), built(moved, deleted).season()

    notes = [note for note in poisoned.assumptions.notes if "no longer kept" in note]
    assert bool(deleted) == bool(notes)
    assert not deleted or notes[0].startswith("20 earlier snapshots")
    assert np.allclose(whole.equity, poisoned.equity)
