"""Finds the venue of a recording by its first frames. Pure, except that it reads the file."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from arena.errors import UsageError
from connectors.market.events import FrameIgnored, FrameMalformed
from connectors.market.recording import read_frames
from connectors.venues import load_venue, venue_names

if TYPE_CHECKING:
    from connectors.market.venue import Venue

FRAMES_MAX: Final = 500
"""Most frames that are decoded to find the venue."""


def venue_of_recording(path: Path) -> "Venue":
    """The venue whose decoder knows most of the first frames.

    Raises:
        UsageError: The file cannot be read or has no frames, or no venue's decoder knows any.
    """
    first = list(islice(read_frames(path), FRAMES_MAX))
    frames = [frame.raw for frame in first if frame.at is not None]
    if not frames:
        what = "has no recorded frame among its first lines" if first else "is empty"
        raise UsageError(f"{path} {what}", remedy="`arena connector VENUE --record FILE` makes one")
    venues = [load_venue(name) for name in venue_names()]
    counts = [_known(venue, frames) for venue in venues]
    if not any(counts):
        names = ", ".join(venue.name for venue in venues)
        raise UsageError(
            f"{path} has no frame of a known venue among its first {len(frames)}",
            remedy=f"name the venue with --venue: {names}",
        )
    return venues[counts.index(max(counts))]


def _known(venue: "Venue", frames: Iterable[bytes]) -> int:
    decode = venue.decoder()
    return sum(not isinstance(decode(raw), FrameIgnored | FrameMalformed) for raw in frames)
