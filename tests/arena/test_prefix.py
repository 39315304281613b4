"""What a prefix of topics may be: it is also the name of a folder."""

import pytest
from pydantic import ValidationError

from arena.settings import Settings
from arena.spec_tables import ArenaTable


@pytest.mark.parametrize("prefix", [".", "..", "..x", ".hidden", "a/b", "a b", "a" * 65])
def test_a_prefix_names_no_other_folder(prefix: str) -> None:
    """Checkpoints of an arena stay in a folder of its own."""
    with pytest.raises(ValidationError, match="prefix"):
        Settings(prefix=prefix)
    with pytest.raises(ValidationError, match="prefix"):
        ArenaTable(name="x", prefix=prefix)


@pytest.mark.parametrize("prefix", ["", "a", "a.", "a.b.", "_", "a" * 64])
def test_other_prefixes_are_taken(prefix: str) -> None:
    """With and without a dot at the end."""
    assert prefix == Settings(prefix=prefix).prefix
