"""Which version wrote a record: by its header, or by the fields that 0.2.0 added."""

import pytest

from arena import __version__
from arena.bus.base import Record
from arena.versions import FIRST, SECOND, UNKNOWN, VersionsInOrder, recorded_by
from arena.wire import VERSION_HEADER

TODAY = __version__


def record(version: str = "", kind: str = "Turn", value: bytes = b"{}") -> Record:
    """A record that names a version, or none."""
    headers = {"type": kind.encode()}
    if version:
        headers[VERSION_HEADER] = version.encode()
    return Record("agent.turns", 0, 0, 0, None, value, headers)


@pytest.mark.parametrize(
    ("found", "version"),
    [
        (record("9.9.9"), "9.9.9"),
        (record(value=b'{"replayed":null}'), SECOND),
        (record(value=b'{"text":"\\"replayed\\":"}'), FIRST),
        (record(kind="Heartbeat"), UNKNOWN),
    ],
)
def test_version_of_record(found: Record, version: str) -> None:
    """The header goes first; a text that quotes a field is not that field."""
    assert version == recorded_by(found)


@pytest.mark.parametrize(
    ("named", "of_today"),
    [
        (["", "0.0.9", TODAY, TODAY], [False, False, True, True]),
        ([TODAY, "", "0.0.9"], [True, True, True]),
        (["0.0.9", "0.0.9"], [False, False]),
    ],
)
def test_older_version_after_this_version_counts_as_this_version(
    named: list[str], of_today: list[bool]
) -> None:
    """A log that this version has continued is answered for to its end."""
    versions = VersionsInOrder()

    assert of_today == [versions.is_current(record(name)) for name in named]
