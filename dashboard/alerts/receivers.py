"""Reads the addresses of receivers from variables and files; they are secrets.

An address is an Apprise URL, such as `discord://...` or `mailtos://...`. Errors name the place and
the scheme of an address, never the address. A file must be readable by its owner only.
"""

import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from arena.alert_settings import RECEIVERS_VARIABLE, REMEDY, ReceiverPlace
from arena.bounded_files import read_text_file
from arena.errors import UsageError

RECEIVERS_MAX = 50
ADDRESS_CHARS_MAX = 4_096
FILE_BYTES_MAX = 64 << 10
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")
DEFAULT_PLACES = (ReceiverPlace("env", RECEIVERS_VARIABLE),)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver of alerts.

    Attributes:
        name: Its place, its number there and its scheme, such as "env:ARENA_ALERTS 2 (discord)".
        url: Its address, which is a secret.
    """

    name: str
    url: SecretStr


def read_receivers(
    places: Sequence[ReceiverPlace], environ: Mapping[str, str]
) -> tuple[Receiver, ...]:
    """Read the receivers at these places; without a place, those of `ARENA_ALERTS` if it is set.

    Args:
        places: The places.
        environ: The environment variables.

    Raises:
        UsageError: A place has no addresses, a file is not private, or an entry is not an address.
    """
    found: list[Receiver] = []
    for place in places or DEFAULT_PLACES:
        if place.kind == "file":
            words = _words_of_file(Path(place.name))
        else:
            words = environ.get(place.name, "").split()
        if not words and not places:
            return ()
        if not words:
            raise UsageError(f"{place} has no address of a receiver", remedy=REMEDY)
        found += [_receiver(place, number, word) for number, word in enumerate(words, 1)]
    if len(found) > RECEIVERS_MAX:
        raise UsageError(
            f"there are {len(found)} receivers", remedy=f"give at most {RECEIVERS_MAX}"
        )
    return tuple(found)


def _receiver(place: ReceiverPlace, number: int, word: str) -> Receiver:
    scheme = SCHEME.match(word)
    if scheme is None or len(word) > ADDRESS_CHARS_MAX:
        what = "is too long" if scheme else "does not begin with a scheme such as json://"
        raise UsageError(
            f"{place}, entry {number} {what}",
            remedy="separate addresses by blanks or lines; percent-encode blanks in an address",
        )
    return Receiver(f"{place} {number} ({scheme[1].lower()})", SecretStr(word))


def _words_of_file(path: Path) -> list[str]:
    """The addresses in a file; lines that start with # are comments."""
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(
                f"other users may read or write {path} (mode {stat.S_IMODE(mode):04o})",
                remedy=f"chmod 600 {path}",
            )
        text = read_text_file(path, FILE_BYTES_MAX)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", remedy="write one address per line to it"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8", remedy="save it as UTF-8") from None
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [word for line in lines for word in line.split()]
