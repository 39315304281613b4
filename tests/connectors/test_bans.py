"""Bans: how long a venue is not asked, and what a restart knows of it."""

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from arena.clock import ManualClock
from connectors.market.bans import HOSTS_MAX, LONG_S, Ban, BanFile, BanTimer
from connectors.market.connection_errors import RETRYING
from connectors.market.http_client import HttpClient, RestFailed
from connectors.market.rate_limits import BAN_MAX_S, TokenBucket
from tests.connectors.builders import T0

REST, FEED = "https://api.venue.example", "wss://feed.venue.example"
OTHER = "https://api.other.example"


@pytest.fixture
def file(tmp_path: Path) -> BanFile:
    """The file of a venue."""
    return BanFile(tmp_path / "bans" / "venue.json")


def restarted(file: BanFile, clock: ManualClock, url: str = REST) -> BanTimer:
    """The timer of a new process."""
    timer = BanTimer(url, clock, file)
    timer.restore()
    return timer


def test_restart_continues_a_ban(file: BanFile) -> None:
    """It ends at the same time; the other hosts of the venue are not banned."""
    BanTimer(REST, ManualClock(T0), file).note(418, 3600.0)
    later = ManualClock(T0 + timedelta(minutes=50))
    timer = restarted(file, later)

    assert 600.0 == timer.left_s
    assert 418 == timer.status
    assert "api.venue.example answered 418: it asks for no requests before " in timer.text
    assert "2026-09-10 01:00:00 UTC; trying again then" in timer.text
    assert 0.0 == restarted(file, later, FEED).left_s
    later.advance(600.0)
    assert (0.0, 0, "", "") == (timer.left_s, timer.status, timer.text, timer.long_text)
    assert 0.0 == restarted(file, later).left_s


def test_later_end_counts(file: BanFile) -> None:
    """Responses that were under way may ask for less; processes share the file."""
    clock = ManualClock(T0)
    first, second = BanTimer(REST, clock, file), BanTimer(REST, clock, file)
    first.note(418, 3600.0)
    first.note(429, 5.0)
    second.note(429, 120.0)
    BanTimer(FEED, clock, file).note(429, 10.0)

    assert 3600.0 == first.left_s
    assert 3600.0 == restarted(file, clock).left_s
    assert 10.0 == restarted(file, clock, FEED).left_s


@pytest.mark.parametrize(
    ("asked_s", "until_s"),
    [
        (3600.0, 7200.0),  # noted in the future
        (-10.0, BAN_MAX_S + 60.0),  # longer than any ban
        (-7200.0, -1.0),  # ended
    ],
)
def test_impossible_or_ended_ban_is_ignored(file: BanFile, asked_s: float, until_s: float) -> None:
    """A wrong clock must not keep a connector from its venue."""
    ban = Ban(418, T0 + timedelta(seconds=asked_s), T0 + timedelta(seconds=until_s))
    file.keep(REST, ban)

    assert 0.0 == restarted(file, ManualClock(T0)).left_s


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"{",
        b'{"https://api.venue.example": 3}',
        b'{"https://api.venue.example": {"status": "x"}}',
        b'{"https://api.venue.example": {"status": 418, "asked_at": "2026-09-10T00:00:00",'
        b' "until": "2026-09-10T09:00:00"}}',
        b"\xff" * 100_000,
    ],
)
def test_damaged_file_is_no_ban_and_is_replaced(file: BanFile, content: bytes) -> None:
    """It can at most cost one request."""
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    timer = restarted(file, ManualClock(T0))

    assert 0.0 == timer.left_s
    timer.note(418, 600.0)
    assert 600.0 == restarted(file, ManualClock(T0)).left_s


def test_file_is_bounded_and_may_be_unwritable(file: BanFile, tmp_path: Path) -> None:
    """The bans that end last are kept; a failed write does not stop the connector."""
    clock = ManualClock(T0)
    for number in range(HOSTS_MAX + 5):
        BanTimer(f"https://h{number}.example", clock, file).note(418, 600.0 + number)
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    timer = BanTimer(REST, clock, BanFile(blocked / "venue.json"))
    timer.note(418, 600.0)

    assert HOSTS_MAX == len(orjson.loads(file.path.read_bytes()))
    assert 600.0 == timer.left_s


def test_text_of_a_short_wait_does_not_change() -> None:
    """Rate limits of a few seconds would otherwise be a new message each time."""
    clock = ManualClock(T0)
    timer = BanTimer(REST, clock)
    timer.note(429, LONG_S)

    assert timer.text.endswith(f"; {RETRYING}")
    assert ("", False) == (timer.long_text, timer.is_long)


def client_of(timer: BanTimer, clock: ManualClock, answers: list[httpx.Response]) -> HttpClient:
    """A client whose requests get these responses."""
    http = HttpClient(
        REST,
        TokenBucket(rate_per_s=10.0, burst=10),
        clock=clock,
        rng=random.Random(1),
        counters=Counter(),
        ban=timer,
    )
    left = iter(answers)
    http._client._transport = httpx.MockTransport(lambda request: next(left))
    return http


async def test_no_request_is_made_in_a_long_ban(file: BanFile) -> None:
    """Requests fail at once, also in a restarted process; after the end they are made again."""
    clock = ManualClock(T0)
    http = client_of(
        BanTimer(REST, clock, file),
        clock,
        [httpx.Response(418, headers={"Retry-After": "7200"})],
    )
    with pytest.raises(RestFailed, match="418") as refused:
        await http.get("/x")
    assert refused.value.made
    for _ in range(3):
        with pytest.raises(RestFailed, match="not asked during a ban") as waiting:
            await http.get("/x")
        assert not waiting.value.made
    assert 0.0 == clock.monotonic()

    later = ManualClock(T0 + timedelta(seconds=3600))
    again = client_of(restarted(file, later), later, [httpx.Response(200, content=b"{}")])
    with pytest.raises(RestFailed, match="not asked during a ban"):
        await again.get("/x")
    later.advance(3540.0)  # A minute is left, which a request waits for.
    assert b"{}" == await again.get("/x")
    assert later.monotonic() >= 3600.0
