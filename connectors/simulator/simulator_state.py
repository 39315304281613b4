"""The file in which a simulated market keeps its venue time between runs.

Venue time stops while no process runs the market. The file is written a little ahead of venue time,
so a market that was killed continues no earlier than any time that a client has seen.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from arena import logs
from arena.bounded_files import NotReadable, read_regular
from arena.products import DEFAULT_VENUE

AHEAD_S: Final = 1.0
"""Wall seconds by which the file is ahead of venue time."""
KEEP_EVERY_S: Final = 0.4
FILE_BYTES_MAX: Final = 64 << 10
VENUE_S_MAX: Final = 7_258_118_400
"""The year 2200 in Unix seconds; a later time comes from a damaged file."""


@dataclass(frozen=True, slots=True)
class SimulatorState:
    """The state of a market that a restart continues from.

    Attributes:
        price_source: The seed, or the names of the price files; "tape" in the file.
        began_s: Venue time at which its prices began, Unix seconds.
        venue_s: Venue time that no client has seen more than, Unix seconds.
    """

    price_source: str
    began_s: int
    venue_s: float


def state_of_venue(path: Path, venue: str) -> Path:
    """The file in which the market of one of several venues keeps its time."""
    return path if venue == DEFAULT_VENUE else path.with_name(f"{path.stem}-{venue}{path.suffix}")


def source_on_venue(source: str, venue: str) -> str:
    """A price source with its venue, if it is not the first."""
    return source if venue == DEFAULT_VENUE else f"{source} on {venue}"


def read_state(path: Path) -> SimulatorState | None:
    """Read the file; return None if it does not exist or is invalid."""
    try:
        return decode_state(read_regular(path, FILE_BYTES_MAX))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, NotReadable) as error:
        log = logs.get("exchange")
        log.warning("the market starts again", file=str(path), why=repr(error))
        return None


def decode_state(content: bytes) -> SimulatorState:
    """The state in the content of a file.

    Raises:
        ValueError: It is not a state, or has a time that no market has.
    """
    try:
        body = orjson.loads(content)
        state = SimulatorState(str(body["tape"]), int(body["began_s"]), float(body["venue_s"]))
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not the state of a market: {error!r}") from None
    if not 0 <= state.began_s <= state.venue_s < VENUE_S_MAX:
        raise ValueError(f"not times of a market: from {state.began_s} to {state.venue_s}")
    return state


class StateFile:
    """Writes the file; a failed write is logged once and does not stop the market.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        """Create the writer for a path; the first `write` creates the file."""
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}")
        self._failed = False

    def write(self, state: SimulatorState) -> None:
        """Replace the file, atomically."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._draft.write_bytes(_encode(state))
            self._draft.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                why = "the venue time of a restarted market may go back"
                logs.get("exchange").warning("venue time not saved", error=str(error), why=why)
            self._failed = True


def _encode(state: SimulatorState) -> bytes:
    body = {"tape": state.price_source, "began_s": state.began_s, "venue_s": state.venue_s}
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
