"""The versions that wrote the records are named only if they differ from this version."""

import pytest

from arena import __version__
from arena.bus.base import Record
from arena.wire import VERSION_HEADER
from ledger.audit.recorded_versions import VersionCounts

THIS_VERSION = {VERSION_HEADER: __version__.encode()}


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([THIS_VERSION, THIS_VERSION], ""),
        ([{VERSION_HEADER: b"9.9.9"}], f"recorded by 9.9.9 (1 record); this is {__version__}"),
        (
            [{VERSION_HEADER: b"0.0.1"}, {VERSION_HEADER: b"9.9.9"}, {VERSION_HEADER: b"9.9.9"}],
            f"recorded by 0.0.1 (1 record), 9.9.9 (2 records); this is {__version__}",
        ),
        ([{}], f"recorded by 0.2.0 or older (1 record); this is {__version__}"),
    ],
)
def test_other_versions_are_described(headers: list[dict[str, bytes]], words: str) -> None:
    """No text if all records are of this version; other versions are counted."""
    found = VersionCounts()
    for offset, one in enumerate(headers):
        found.take(Record("agent.turns", 0, offset, 0, None, b"{}", one))

    assert words == found.describe()
