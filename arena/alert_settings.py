"""The kinds of alerts, and how receivers of alerts are named. Pure.

The address of a receiver contains its secret. So command lines and ARENA.toml files name the place
of addresses, an environment variable or a file, and never an address itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from arena.errors import UsageError

ALERT_KINDS = (
    "halt",
    "dead",
    "feed-silent",
    "broker-silent",
    "drawdown",
    "loss-limit",
    "drift",
    "proposal",
    "budget",
    "contest-ended",
)
RECEIVERS_VARIABLE = "ARENA_ALERTS"
"""The variable with addresses if no other place is named."""
ENV = "env:"
FILE = "file:"
PLACES_MAX = 20
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}(?=://)")
REMEDY = f"export {RECEIVERS_VARIABLE}=..., or write env:VARIABLE or file:PATH"


@dataclass(frozen=True, slots=True)
class ReceiverPlace:
    """A place with the addresses of receivers.

    Attributes:
        kind: "env" for an environment variable, "file" for a file.
        name: Name of the variable, or path of the file.
    """

    kind: Literal["env", "file"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def parse_place(text: str) -> ReceiverPlace:
    """Parse a place such as "env:ARENA_ALERTS" or "file:receivers.txt".

    Raises:
        ValueError: It is not a place; the message does not repeat an address.
    """
    if text.startswith(ENV):
        name = text.removeprefix(ENV).strip()
        if not _VARIABLE.fullmatch(name):
            raise ValueError("env: is not followed by the name of a variable")
        return ReceiverPlace("env", name)
    if text.startswith(FILE) and not text.startswith(f"{FILE}//"):
        path = text.removeprefix(FILE).strip()
        if not path or "\0" in path:
            raise ValueError("file: is not followed by the path of a file")
        return ReceiverPlace("file", path)
    if scheme := _SCHEME.match(text.strip()):
        raise ValueError(
            f"this is the address of a {scheme[0].lower()} receiver, which contains its secret; "
            "write it to a variable or a file, and name that"
        )
    raise ValueError("this is neither env:VARIABLE nor file:PATH")


def check_places(texts: Iterable[str], flag: str) -> tuple[ReceiverPlace, ...]:
    """Parse the places that a flag or a key of an ARENA.toml names.

    Raises:
        UsageError: One is not a place, or there are too many.
    """
    places = []
    for number, text in enumerate(texts, 1):
        try:
            places.append(parse_place(text))
        except ValueError as error:
            raise UsageError(f"{flag}, entry {number}: {error}", remedy=REMEDY) from None
    if len(places) > PLACES_MAX:
        raise UsageError(f"{flag} names {len(places)} places", remedy=f"name at most {PLACES_MAX}")
    return tuple(places)


def variables_of(places: Iterable[ReceiverPlace]) -> frozenset[str]:
    """The environment variables with addresses."""
    return frozenset(place.name for place in places if place.kind == "env")


def chosen_kinds(only: Iterable[str], without: Iterable[str]) -> frozenset[str]:
    """The kinds of alerts to send.

    Args:
        only: The kinds to send; empty for all.
        without: Kinds to leave out.

    Raises:
        ValueError: A kind is unknown, or none is left.
    """
    for kind in (*only, *without):
        if kind not in ALERT_KINDS:
            raise ValueError(f"{kind[:40]!r} is not a kind; there are {', '.join(ALERT_KINDS)}")
    found = frozenset(only or ALERT_KINDS) - frozenset(without)
    if not found:
        raise ValueError("no kind of alert is left")
    return found
