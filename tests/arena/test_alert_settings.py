"""Kinds of alerts, and the places of receivers' addresses."""

import pytest

from arena.alert_settings import (
    ALERT_KINDS,
    ReceiverPlace,
    check_places,
    chosen_kinds,
    parse_place,
    variables_of,
)
from arena.errors import UsageError

SECRET = "xoxb-secret-4711"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("env:ARENA_ALERTS", ReceiverPlace("env", "ARENA_ALERTS")),
        ("env: MY_HOOK ", ReceiverPlace("env", "MY_HOOK")),
        ("file:receivers.txt", ReceiverPlace("file", "receivers.txt")),
        ("file:/etc/arena/receivers", ReceiverPlace("file", "/etc/arena/receivers")),
    ],
)
def test_place_is_variable_or_file(text: str, place: ReceiverPlace) -> None:
    """A place names a variable or a file."""
    assert place == parse_place(text)


@pytest.mark.parametrize(
    "text",
    [
        f"slack://{SECRET}",
        f"json://user:{SECRET}@host/",
        f"file://{SECRET}",
        f"env:{SECRET}",
        SECRET,
        "",
        "file:",
        "env:",
    ],
)
def test_refused_place_is_not_repeated(text: str) -> None:
    """An address, or anything else that is not a place, is refused without its text."""
    with pytest.raises(UsageError) as caught:
        check_places(["env:A", text], "--to")

    assert "--to, entry 2: " in str(caught.value)
    assert SECRET not in str(caught.value)


def test_address_is_refused_with_its_scheme() -> None:
    """The refusal of an address names its scheme."""
    with pytest.raises(ValueError, match="a slack receiver"):
        parse_place(f"slack://{SECRET}")


def test_only_variables_are_secret() -> None:
    """The variables of places are those to hide from other processes."""
    assert {"A"} == variables_of([ReceiverPlace("env", "A"), ReceiverPlace("file", "b")])


@pytest.mark.parametrize(
    ("only", "without", "kinds"),
    [
        ((), (), set(ALERT_KINDS)),
        (("halt", "dead"), (), {"halt", "dead"}),
        ((), ("drift",), set(ALERT_KINDS) - {"drift"}),
        (("halt", "dead"), ("dead",), {"halt"}),
    ],
)
def test_kinds_are_chosen(only: tuple[str, ...], without: tuple[str, ...], kinds: set[str]) -> None:
    """All kinds, some of them, or all but some."""
    assert kinds == chosen_kinds(only, without)


@pytest.mark.parametrize(
    ("only", "without"), [(("nope",), ()), ((), ("x",)), (("halt",), ("halt",))]
)
def test_unknown_or_no_kind_is_refused(only: tuple[str, ...], without: tuple[str, ...]) -> None:
    """A kind that does not exist is refused, and so is a choice of none."""
    with pytest.raises(ValueError, match="kind"):
        chosen_kinds(only, without)
