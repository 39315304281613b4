"""The dashboard's process: topics in one task, drawing in another, keys in a third.

Reads what `dashboard.feeds` reads, writes to the terminal or standard output only.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arena.bus.base import Bus
from arena.clock import Clock
from arena.errors import BrokerUnavailable
from dashboard.feeds import Feeds
from dashboard.frame import build_frame
from dashboard.standings import progress_line, render_standings, standings
from dashboard.view import ArenaView

CATCH_UP_TIMEOUT_S = 60.0
POLL_S = 0.05
LINE_EVERY_S = 2.0
LINE_AT_LEAST_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for.

    Attributes:
        once: Read to the ends, show once and leave. as_json: show the standings document.
        seconds: Leave by itself after so many; None stays.
        width, height: Of the screen that is printed once or exported; None asks the terminal.
        svg: Where to write the last screen as a picture.
        title: Shown at the top left.
        broker: Bootstrap servers, shown and told back.
    """

    once: bool = False
    as_json: bool = False
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    svg: Path | None = None
    title: str = "arena"
    broker: str = ""


async def catch_up(feeds: Feeds, clock: Clock) -> None:
    """Wait until everything is read that was there at the start.

    Raises:
        BrokerUnavailable: It took longer than `CATCH_UP_TIMEOUT_S`.
    """
    deadline = clock.monotonic() + CATCH_UP_TIMEOUT_S
    while not feeds.caught_up:
        if clock.monotonic() > deadline:
            raise BrokerUnavailable(
                f"{feeds.behind:,} records were not read within {CATCH_UP_TIMEOUT_S:.0f} s",
                remedy="does the broker answer? `arena topics describe` shows what it holds",
            )
        await clock.sleep(POLL_S)


def local_now() -> datetime:
    """Wall time in the zone of this machine."""
    return datetime.now().astimezone()


async def show_once(feeds: Feeds, clock: Clock, options: Options) -> None:
    """Print the arena as it is now."""
    await catch_up(feeds, clock)
    if options.as_json:
        document = standings(feeds.view, local_now(), broker=options.broker)
        print(json.dumps(document, indent=2))
        return
    print(render_standings(build_frame(feeds.view, local_now())))


async def print_lines(feeds: Feeds, clock: Clock) -> None:
    """Print a line for each new snapshot, at most one every two seconds, until cancelled."""
    shown, last = -1, clock.monotonic()
    while True:
        elapsed = clock.monotonic() - last
        fresh = feeds.view.market.newest_offset != shown and elapsed >= LINE_EVERY_S
        if fresh or elapsed >= LINE_AT_LEAST_EVERY_S:
            shown, last = feeds.view.market.newest_offset, clock.monotonic()
            print(progress_line(build_frame(feeds.view, local_now())), flush=True)
        await clock.sleep(POLL_S)


async def run(bus: Bus, clock: Clock, options: Options) -> None:
    """Show the arena until the person or the clock says stop."""
    await bus.start()
    feeds = Feeds(bus, clock, ArenaView())
    try:
        await feeds.open()
        reading = asyncio.create_task(feeds.follow())
        showing = asyncio.create_task(_show(feeds, clock, options))
        try:
            done, _ = await asyncio.wait(
                {reading, showing}, timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            for task in (showing, reading):
                task.cancel()
            await asyncio.gather(showing, reading, return_exceptions=True)
    finally:
        await feeds.close()
        await bus.close()


async def _show(feeds: Feeds, clock: Clock, options: Options) -> None:
    if options.once:
        await show_once(feeds, clock, options)
    else:
        await print_lines(feeds, clock)
    sys.stdout.flush()
