"""Bans: until when a venue asked for no requests (`Retry-After`), also after a restart.

A venue bans an address for longer if it asks again before the end, so a connector that is restarted
must still know the end. A file per venue in the arena's home has it, for each host on its own:
a ban of the REST API does not stop the feed. The file is for this machine's address; remove it if
the machine has another address now. An end that a wrong clock wrote is ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson

from arena import logs
from arena.atomic_files import write_atomic
from arena.bounded_files import NotReadable, read_regular
from arena.clock import Clock
from connectors.market.connection_errors import host_of, unexpected_status
from connectors.market.rate_limits import BAN_MAX_S

FOLDER: Final = "bans"
"""Folder of the files in the arena's home."""
LONG_S: Final = 60.0
"""A longer wait is reported as a ban, and requests fail until its end instead of waiting."""
CLOCK_BACK_MAX_S: Final = 60.0
"""A ban that was noted later than this from now is of a wrong clock."""
FILE_BYTES_MAX: Final = 64 << 10
HOSTS_MAX: Final = 16
"""Most hosts in a file; those whose ban ends last are kept."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A venue's request to wait.

    Attributes:
        status: HTTP status of the response, such as 418.
        asked_at: Wall time of the response.
        until: Wall time before which the venue must not be asked.
    """

    status: int
    asked_at: datetime
    until: datetime

    def holds(self, now: datetime) -> bool:
        """True if it has not ended at a wall time, and a venue can have asked for it."""
        return (
            now < self.until <= self.asked_at + timedelta(seconds=BAN_MAX_S)
            and (self.asked_at - now).total_seconds() <= CLOCK_BACK_MAX_S
        )


class BanFile:
    """The bans of one venue; a failed write is logged and does not stop the connector.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        """Take the path; the first `keep` creates the file."""
        self.path = path

    def read(self, now: datetime) -> dict[str, Ban]:
        """Scheme and host -> its ban, of those that have not ended at a wall time."""
        try:
            body = orjson.loads(read_regular(self.path, FILE_BYTES_MAX))
            bans = {str(host): _ban_of(entry) for host, entry in body.items()}
            return {host: ban for host, ban in bans.items() if ban.holds(now)}
        except FileNotFoundError:
            return {}
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            NotReadable,
        ) as error:
            logs.get("bans").warning("bans not read", file=str(self.path), why=repr(error))
            return {}

    def keep(self, host: str, ban: Ban) -> None:
        """Add a ban, and leave out those that have ended."""
        found = self.read(ban.asked_at)
        found[host] = max(ban, found.get(host, ban), key=lambda one: one.until)
        newest = sorted(found.items(), key=lambda pair: pair[1].until)[-HOSTS_MAX:]
        body = {
            host: {
                "status": one.status,
                "asked_at": one.asked_at.isoformat(),
                "until": one.until.isoformat(),
            }
            for host, one in newest
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE).decode())
        except OSError as error:
            why = "a restarted connector asks the venue before the end"
            logs.get("bans").warning("ban not saved", error=str(error), why=why)


class BanTimer:
    """Knows until when one host of a venue must not be asked.

    Args:
        url: URL of the host.
        clock: Wall and monotonic time.
        file: Keeps the bans; None to forget them with the process.
    """

    def __init__(self, url: str, clock: Clock, file: BanFile | None = None) -> None:
        """Take the host; call `restore` to continue the ban of an earlier process."""
        self._url = url
        self._host = f"{urlsplit(url).scheme}://{host_of(url)}"
        self._clock = clock
        self._file = file
        self._ban: Ban | None = None
        self._ends_s = 0.0

    @property
    def left_s(self) -> float:
        """Seconds until the host may be asked; 0 without a ban."""
        return max(0.0, self._ends_s - self._clock.monotonic()) if self._ban else 0.0

    def held_after(self, at_s: float) -> bool:
        """True if the host was banned later than a moment of the monotonic clock."""
        return self._ban is not None and self._ends_s > at_s

    @property
    def is_long(self) -> bool:
        """True if the rest of the ban is too long to wait for within a request."""
        return self.left_s > LONG_S

    @property
    def status(self) -> int:
        """HTTP status with which the venue banned this address; 0 without a ban."""
        return self._ban.status if self._ban is not None and self.left_s > 0 else 0

    @property
    def text(self) -> str:
        """The status, and until when the venue asked for no requests; "" without a ban."""
        if self._ban is None or self.left_s <= 0:
            return ""
        return unexpected_status(self._url, self._ban.status, self._until(self._ban))

    @property
    def long_text(self) -> str:
        """`text`, if the venue asked for more than a short wait; else ""."""
        return self.text if self._ban is not None and self._until(self._ban) else ""

    def restore(self) -> None:
        """Continue a ban that an earlier process noted."""
        if self._file is None or self.left_s > 0:
            return
        now = self._clock.now()
        ban = self._file.read(now).get(self._host)
        if ban is None:
            return
        self._begin(ban, (ban.until - now).total_seconds())
        logs.get("bans").warning(
            "the venue is not asked before the end of a ban",
            host=self._host,
            status=ban.status,
            until=ban.until.isoformat(),
            remedy=f"if this machine has another address now, remove {self._file.path}",
        )

    def note(self, status: int, wait_s: float | None) -> None:
        """Note what the venue asked for.

        Args:
            status: HTTP status of the response.
            wait_s: Seconds of its `Retry-After` header; None without one.
        """
        if wait_s is None or wait_s <= self.left_s:
            return
        now = self._clock.now()
        ban = Ban(status, now, now + timedelta(seconds=wait_s))
        self._begin(ban, wait_s)
        if self._file is not None:
            self._file.keep(self._host, ban)

    def _begin(self, ban: Ban, wait_s: float) -> None:
        self._ban, self._ends_s = ban, self._clock.monotonic() + wait_s

    def _until(self, ban: Ban) -> datetime | None:
        """The end to show; None for a short wait, so that texts do not change every few seconds."""
        return ban.until if (ban.until - ban.asked_at).total_seconds() > LONG_S else None


def _ban_of(entry: Mapping[str, object]) -> Ban:
    times = [datetime.fromisoformat(str(entry[name])) for name in ("asked_at", "until")]
    if any(one.tzinfo is None for one in times):
        raise ValueError("a time without a zone")
    return Ban(int(str(entry["status"])), *times)
