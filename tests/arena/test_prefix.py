"""What a prefix may be, and that two arenas never share a topic, a group or a file."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from pydantic import ValidationError

from arena import topics
from arena.error_causes import settings_text
from arena.errors import UsageError
from arena.prefix import check_prefix, other_arenas_text, prefixes_in
from arena.settings import Settings
from ledger.location import books_location
from operations.commands.up import market_file
from operations.specs.tables import ArenaTable

POSTGRES = "postgresql://host/database"
LONG = "a" * 63
ALIKE = (
    "", "_", "a", "a.", "a..", "a.b", "a.b.", "a_b", "a_b.", "a-b.", "A.", "default", "default.",
    "_.", "-", LONG, f"{LONG}a", f"{LONG}.", "arena.", "arena", "new.", "a_new.",
)  # fmt: skip
"""Prefixes that could be mixed up."""

WHERE: dict[str, Callable[[Settings], str]] = {
    "checkpoints": lambda s: str(s.checkpoints),
    "market": lambda s: str(market_file(s)),
    "books": lambda s: str(books_location(s.home, s.prefix, None)),
    "schema": lambda s: books_location(s.home, s.prefix, POSTGRES).schema,
}


@pytest.mark.parametrize("prefix", [".", "..", "..x", ".hidden", "a/b", "a b", "a" * 65, "é", "="])
def test_invalid_prefix_is_refused(prefix: str) -> None:
    """Checkpoints of an arena stay in its own folder, even with the prefix of a flag."""
    with pytest.raises(ValidationError, match="prefix"):
        Settings(prefix=prefix)
    with pytest.raises(ValidationError, match="prefix"):
        ArenaTable(name="x", prefix=prefix)
    with pytest.raises(UsageError, match="cannot be part of a topic name; a prefix has up to 64"):
        Settings().override(prefix=prefix)


@pytest.mark.parametrize("prefix", ["", "a", "a.", "a.b.", "_", "a" * 64])
def test_other_prefixes_are_taken(prefix: str) -> None:
    """A prefix may end in a dot."""
    assert prefix == Settings(prefix=prefix).prefix == Settings().override(prefix=prefix).prefix


@pytest.mark.parametrize("word", ["agent.inbox.", "x.ai_prompted.", "chat-node.y", "connector."])
def test_prefix_with_reserved_name_is_refused(word: str) -> None:
    """Under "agent.inbox." the dead letters would be the inbox of an agent without a prefix."""
    with pytest.raises(UsageError, match="with which names of topics or groups start"):
        check_prefix(word)


@pytest.mark.parametrize("what", WHERE)
def test_local_names_of_prefixes_are_unique(what: str) -> None:
    """Files of a home and schemas of a database belong to one arena each."""
    names = {p: WHERE[what](Settings(prefix=p, home=Path("home"))) for p in ALIKE}

    assert [] == [(a, b) for a, b in combinations(ALIKE, 2) if names[a] == names[b]]
    assert all(len(f"{name}_new".encode()) < 64 for name in names.values() if what == "schema")


def test_local_name_of_usual_prefix_has_no_dot() -> None:
    """An arena that was there before finds its files."""
    settings = Settings(prefix="team.", home=Path("home"))

    assert "team.json" == market_file(settings).name
    assert "default.json" == market_file(Settings(home=Path("home"))).name
    assert "home/ledger-team.db" == str(books_location(settings.home, settings.prefix, None))
    assert "home/ledger.db" == str(books_location(settings.home, "", None))


def test_other_arenas_of_a_broker_are_named() -> None:
    """Prefixes are found in full topic names; unrelated topics are ignored."""
    fixed = [spec.name for spec in topics.fixed_topics()]
    names = [prefix + name for prefix in ("", "b.", "a-") for name in fixed] + ["_schemas"]

    assert ["", "a-", "b."] == prefixes_in(names)
    assert "this broker has other arenas: no prefix, prefix 'a-'" == other_arenas_text("b.", names)
    assert "" == other_arenas_text("b.", [f"b.{name}" for name in fixed])


def test_variable_is_named() -> None:
    """The error for an invalid prefix names its variable."""
    with pytest.raises(ValidationError) as refused:
        Settings(prefix="a b")

    words = settings_text(
        [dict(one) | {"loc": ("prefix",)} for one in refused.value.errors()], "ARENA_"
    )
    assert words.startswith("ARENA_PREFIX cannot be used: prefix 'a b' cannot be part of")
