"""Where a simulated market stood when its process ended.

A market stands still while nobody runs it. The file is written a little ahead of venue time, as a
counter is that hands out numbers: what was killed -9 goes on no earlier than anybody has seen.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from arena import logs
from arena.bounded_files import NotReadable, read_regular

AHEAD_S: Final = 1.0
"""Wall seconds by which the file is ahead of venue time."""
KEEP_EVERY_S: Final = 0.4
FILE_BYTES_MAX: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a market stood.

    Attributes:
        tape: Where its prices come from: the seed, or the names of the files.
        began_s: Venue time its prices are counted from, Unix seconds.
        venue_s: Venue time nobody has seen more than, Unix seconds.
    """

    tape: str
    began_s: int
    venue_s: float


def read_standing(path: Path) -> Standing | None:
    """What the file says; None where it does not exist, or cannot be understood."""
    try:
        body = orjson.loads(read_regular(path, FILE_BYTES_MAX))
        return Standing(str(body["tape"]), int(body["began_s"]), float(body["venue_s"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, NotReadable) as error:
        log = logs.get("exchange")
        log.warning("the market begins anew", file=str(path), why=repr(error))
        return None


class Keeper:
    """Writes the file; a disk that is full is told once, and ends nothing."""

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}")
        self._failed = False

    def keep(self, standing: Standing) -> None:
        """Replace the file, atomically."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._draft.write_bytes(orjson.dumps(standing, option=orjson.OPT_APPEND_NEWLINE))
            self._draft.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                why = "a market that is started again may go back"
                logs.get("exchange").warning("venue time is not kept", error=str(error), why=why)
            self._failed = True
