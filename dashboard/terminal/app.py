"""The dashboard's process: one task reads topics, one draws, one watches the readers.

Reads what `dashboard.model.topic_follower` reads; writes to the terminal, standard output or a
picture, and a checkpoint of its view to `<home>/checkpoints`, but to no topic.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from arena.clock import Clock
from arena.errors import BrokerUnavailable
from arena.fold_checkpoint import CheckpointFile
from arena.node import Node
from arena.tasks import run_until_first_ends
from dashboard.model.frame import build_frame
from dashboard.model.rows import ReadStatus
from dashboard.model.standings import standings
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.terminal.picture import print_screen, save_picture
from dashboard.terminal.screen import Screen, render
from dashboard.terminal.standings_text import progress_line, render_standings
from dashboard.terminal.terminal import Painter, Terminal, can_show_screens
from dashboard.terminal.ui import KeyLimits, Ui, press

CATCH_UP_TIMEOUT_S = 60.0
POLL_S = 0.05
LINE_EVERY_S = 2.0
LINE_AT_LEAST_EVERY_S = 10.0
REDRAW_EVERY_S = 0.25
IDLE_REDRAW_S = 1.0
"""Seconds between two screens without new records: the clock and ages still change."""
PRINTED_SIZE = (100, 36)
LOG_LINES_KEPT = 8
KEYS_MAX = 64


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """Options of `arena dashboard`.

    Attributes:
        once: Read to the ends of the topics, show once and exit.
        as_json: With `once`, print the standings document.
        seconds: Exit after this number of seconds; None for no limit.
        width: Columns of a printed or exported screen; None for the default.
        height: Lines of a printed or exported screen; None for the default.
        svg: File for the last screen as a picture.
        picture_only: Read to the ends of the topics, write the picture and exit.
        title: Title at the top left.
        ended: "ended 22:39" if the run that is shown has ended; "" while it runs.
        broker: Bootstrap servers, for the document.
    """

    once: bool = False
    as_json: bool = False
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    svg: Path | None = None
    picture_only: bool = False
    title: str = "arena"
    ended: str = ""
    broker: str = ""


async def run(node: Node, options: DashboardOptions) -> None:
    """Show the arena until the user quits or `options.seconds` have passed.

    Raises:
        ArenaError: The broker does not answer; the terminal is restored.
    """
    clock = node.clock
    # The records of an ended run may be in a folder that is read-only on purpose.
    file = CheckpointFile(
        node.settings,
        "dashboard",
        node.log,
        threads=node.threads,
        logs_failures=not options.ended,
    )
    follower = TopicFollower(node.bus, clock, ArenaView(), file)
    try:
        await follower.open()
        await run_until_first_ends(
            follower.follow(),
            _show(follower, clock, options),
            timeout_s=options.seconds,
            clock=clock,
        )
        if options.svg is not None:
            save_picture(_printed(follower, options), options.svg, options.title)
    finally:
        await follower.close()


async def _show(follower: TopicFollower, clock: Clock, options: DashboardOptions) -> None:
    if options.picture_only:
        await catch_up(follower, clock)
    elif options.once:
        await show_once(follower, clock, options)
    elif can_show_screens():
        await show_screens(follower, clock, options)
    else:
        await print_lines(follower, clock, options.ended)


async def catch_up(follower: TopicFollower, clock: Clock) -> None:
    """Wait until every record that existed at the start is read.

    Raises:
        BrokerUnavailable: No record was read for `CATCH_UP_TIMEOUT_S`.
    """
    least, progress_s = follower.records_left, clock.monotonic()
    while not follower.caught_up:
        if follower.records_left < least:
            least, progress_s = follower.records_left, clock.monotonic()
        elif clock.monotonic() - progress_s > CATCH_UP_TIMEOUT_S:
            raise BrokerUnavailable(
                f"{follower.records_left:,} records are unread, and none was read for"
                f" {CATCH_UP_TIMEOUT_S:.0f} s",
                remedy="check the broker with `arena topics describe`",
            )
        await clock.sleep(POLL_S)


async def show_once(follower: TopicFollower, clock: Clock, options: DashboardOptions) -> None:
    """Print the screen or the standings document once."""
    await catch_up(follower, clock)
    if options.as_json:
        document = standings(follower.view, follower.now(), broker=options.broker)
        print(json.dumps(document, indent=2), flush=True)
    else:
        print_screen(_printed(follower, options))


def _printed(follower: TopicFollower, options: DashboardOptions) -> Screen:
    width = options.width or PRINTED_SIZE[0]
    height = options.height or PRINTED_SIZE[1]
    frame = build_frame(follower.view, follower.now())
    return render(
        frame, Ui(), width, height, title=options.title, read_status=_read_status(follower, options)
    )


def _read_status(follower: TopicFollower, options: DashboardOptions) -> ReadStatus:
    return replace(follower.read_status(), ended=options.ended)


async def print_lines(follower: TopicFollower, clock: Clock, ended: str = "") -> None:
    """Print a line for each new snapshot, at most one every two seconds, until cancelled."""
    shown, last = -1, clock.monotonic()
    try:
        while True:
            elapsed = clock.monotonic() - last
            fresh = follower.view.market.newest_offset != shown and elapsed >= LINE_EVERY_S
            if fresh or elapsed >= LINE_AT_LEAST_EVERY_S:
                shown, last = follower.view.market.newest_offset, clock.monotonic()
                frame = build_frame(follower.view, follower.now())
                print(progress_line(frame, ended, follower.read_status().silent_s), flush=True)
            await clock.sleep(POLL_S)
    finally:
        print(render_standings(build_frame(follower.view, follower.now())), flush=True)


class ScreenSession:
    """The interactive screen of one user.

    Attributes:
        ui: The current screen, pane and selection.
        quit: True after the key that quits.
        pressed: Set after each key.
    """

    def __init__(self, follower: TopicFollower, options: DashboardOptions) -> None:
        """Start on the main screen."""
        self.ui = Ui()
        self.quit = False
        self._follower = follower
        self._options = options
        self._limits = KeyLimits()
        self._size = PRINTED_SIZE
        self._keys: deque[str] = deque(maxlen=KEYS_MAX)
        self._loop = asyncio.get_running_loop()
        self.pressed = asyncio.Event()

    def key(self, name: str) -> None:
        """Queue a key; may be called from any thread."""
        self._keys.append(name)
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self.pressed.set()
        self._follower.changed.set()

    def follow_keys(self) -> None:
        """Apply the keys pressed since the last screen."""
        self.pressed.clear()
        while self._keys:
            after = press(self.ui, self._keys.popleft(), self._limits)
            if after is None:
                self.quit = True
                return
            self.ui = after
            if self._keys:
                # The next key needs the limits of the screen that this key leads to.
                self.draw(*self._size)

    def draw(self, width: int, height: int) -> Screen:
        """Draw the current screen and remember the limits of its keys."""
        self._size = (width, height)
        agent = "" if self.ui.screen == "main" else self.ui.agent
        trades = height + (self.ui.scroll if self.ui.pane == "trades" else 0)
        view, now = self._follower.view, self._follower.now()
        market = self.ui.screen == "market"
        frame = build_frame(view, now, agent=agent, trades=trades, points=width, market=market)
        read_status = _read_status(self._follower, self._options)
        screen = render(
            frame, self.ui, width, height, title=self._options.title, read_status=read_status
        )
        self._limits = screen.limits
        return screen


async def show_screens(follower: TopicFollower, clock: Clock, options: DashboardOptions) -> None:
    """Draw full screens until q is pressed or the task is cancelled."""
    session = ScreenSession(follower, options)
    with buffered_log(), Terminal(session.key) as terminal:
        painter = Painter(terminal)
        try:
            while not session.quit:
                began = clock.monotonic()
                painter.show(session.draw(*terminal.size()))
                await _wait(clock, follower.changed, IDLE_REDRAW_S)
                left_s = began + REDRAW_EVERY_S - clock.monotonic()
                await _wait(clock, session.pressed, left_s)
                follower.changed.clear()
                session.follow_keys()
                if painter.error is not None:
                    raise painter.error
        finally:
            painter.stop()


async def _wait(clock: Clock, event: asyncio.Event, timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with clock.timeout(max(0.0, timeout_s)):
            await event.wait()


@contextlib.contextmanager
def buffered_log() -> Iterator[None]:
    """Keep log lines off the screen; print the newest different ones at the end."""
    kept: OrderedDict[str, int] = OrderedDict()
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = [_BufferingHandler(kept)]
    try:
        yield
    finally:
        root.handlers[:] = before
        for line, times in kept.items():
            print(f"{line} ({times} times)" if times > 1 else line, file=sys.stderr)


class _BufferingHandler(logging.Handler):
    def __init__(self, kept: OrderedDict[str, int]) -> None:
        super().__init__()
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{record.levelname} {record.name} {record.getMessage()}"
        self._kept[line] = self._kept.pop(line, 0) + 1
        if len(self._kept) > LOG_LINES_KEPT:
            self._kept.popitem(last=False)
