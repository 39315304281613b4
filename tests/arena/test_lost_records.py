"""What a process keeps of records that were lost."""

from arena.bus.losses import Losses


def test_ack_without_an_offset_changes_nothing() -> None:
    """A broker that no longer knows a duplicate's offset acks with -1: a loss is still seen."""
    losses = Losses()
    for offset in (7, -1, 3):
        losses.note_acked("t", 0, offset)

    assert "at offset 3, and one at offset 7 had been acked" in losses.lost["t", "0, its writer"]
