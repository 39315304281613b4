"""Which versions wrote the records of a source is said if it matters, and only then."""

import pytest

from arena import __version__
from arena.bus.base import Record
from arena.wire import VERSION_HEADER
from ledger.audit.recorded_versions import VersionCounts

OF_TODAY = {VERSION_HEADER: __version__.encode()}


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([OF_TODAY, OF_TODAY], ""),
        ([{VERSION_HEADER: b"9.9.9"}], f"recorded by 9.9.9 (1 record); this is {__version__}"),
        (
            [{VERSION_HEADER: b"0.0.1"}, {VERSION_HEADER: b"9.9.9"}, {VERSION_HEADER: b"9.9.9"}],
            f"recorded by 0.0.1 (1 record), 9.9.9 (2 records); this is {__version__}",
        ),
        ([{}], f"recorded by 0.2.0 or older (1 record); this is {__version__}"),
    ],
)
def test_other_versions_are_named(headers: list[dict[str, bytes]], words: str) -> None:
    """Nothing is said of records that all name this version; any other one is counted."""
    found = VersionCounts()
    for offset, one in enumerate(headers):
        found.take(Record("agent.turns", 0, offset, 0, None, b"{}", one))

    assert words == found.describe()
