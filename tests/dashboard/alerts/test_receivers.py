"""Addresses of receivers are read from variables and private files, and never shown."""

from pathlib import Path

import pytest

from arena.alert_settings import RECEIVERS_VARIABLE, ReceiverPlace
from arena.errors import UsageError
from dashboard.alerts.receivers import Receiver, read_receivers

SECRET = "topsecret4711"
PLACE = ReceiverPlace("env", "A")


def names(receivers: tuple[Receiver, ...]) -> list[str]:
    """The names of receivers."""
    return [one.name for one in receivers]


def test_addresses_of_a_variable_are_separated_by_blanks() -> None:
    """A name has place, number and scheme; without a place it is that of `ARENA_ALERTS`."""
    text = f" json://{SECRET}/ \n MAILTOS://u:{SECRET}@host?to=a@b.c "

    found = read_receivers((), {RECEIVERS_VARIABLE: text})

    assert ["env:ARENA_ALERTS 1 (json)", "env:ARENA_ALERTS 2 (mailtos)"] == names(found)
    assert SECRET not in repr(found)
    assert found[0].url.get_secret_value() == f"json://{SECRET}/"


def test_no_place_and_no_variable_are_no_receivers() -> None:
    """Alerts are then printed only."""
    assert () == read_receivers((), {})


def test_addresses_of_a_private_file_are_read(tmp_path: Path) -> None:
    """Lines that start with # are comments."""
    path = tmp_path / "receivers"
    path.write_text(f"# mine\njson://{SECRET}/\n\n  # more\nslack://a/b/c ntfy://x\n")
    path.chmod(0o600)

    found = read_receivers([ReceiverPlace("file", str(path))], {})

    assert [1, 2, 3] == [int(name.split()[-2]) for name in names(found)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_file_of_others_is_refused(tmp_path: Path, mode: int) -> None:
    """The remedy is the command that makes it private."""
    path = tmp_path / "receivers"
    path.write_text(f"json://{SECRET}/")
    path.chmod(mode)

    with pytest.raises(UsageError, match=f"chmod 600 {path}"):
        read_receivers([ReceiverPlace("file", str(path))], {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "env:A has no address"),
        (SECRET, "entry 1 does not begin with a scheme"),
        (f"json://x {SECRET}", "entry 2 does not begin with a scheme"),
        (f"json://{SECRET * 400}", "entry 1 is too long"),
        (f"json://{SECRET} " * 51, "there are 51 receivers"),
    ],
)
def test_refusal_does_not_show_the_address(text: str, words: str) -> None:
    """It names place and number."""
    with pytest.raises(UsageError, match=words) as caught:
        read_receivers([PLACE], {"A": text})

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", b"#\n"])
def test_file_without_addresses_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """It does not exist, is not text, or has comments only."""
    path = tmp_path / "receivers"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)

    with pytest.raises(UsageError, match="receivers"):
        read_receivers([ReceiverPlace("file", str(path))], {})
