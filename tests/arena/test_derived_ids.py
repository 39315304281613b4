"""Ids are those of the standard library's UUIDv5."""

import uuid

import pytest

from arena import ids


@pytest.mark.parametrize("parts", [("turn", "momentum-1", "snap"), ("a",), ("é", 3), tuple("xyz")])
def test_an_id_is_the_uuid5_of_its_parts(parts: tuple[object, ...]) -> None:
    """The faster computation gives the same text."""
    name = "\x1f".join(map(str, parts))
    assert ids.derive(*parts) == str(uuid.uuid5(ids.NAMESPACE, name))


def test_many_ids_are_uuids_of_version_five() -> None:
    """Every variant digit appears and is right."""
    found = [ids.derive("n", index) for index in range(64)]
    assert found == [str(uuid.uuid5(ids.NAMESPACE, f"n\x1f{index}")) for index in range(64)]
