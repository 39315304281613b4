"""One reader of an arena for the skins that many viewers use: page, REST and others.

Follows the topics into a view, and answers every viewer from the same moment of it, so that a
viewer more costs nothing but the bytes.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from arena import topics
from arena.bus.base import Bus
from arena.clock import Clock
from dashboard.model.frame import Frame, build_frame
from dashboard.model.history import History
from dashboard.model.rows import ReadStatus
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView

MOMENT_S = 0.1
"""The least time between two moments: answers are at most so old while records come."""
IDLE_MOMENT_S = 1.0
"""Age at which a moment of a running arena is replaced without new records: ages change."""
READY_POLL_S = 0.02
ANSWERS_MAX = 256
"""Answers that a moment keeps; the moment of a run that has ended lasts forever."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """The run that is read.

    Attributes:
        name: Name of the run; "" if it is unknown.
        directory: Its folder; None if it is unknown.
        home: The home with this and other runs.
        ended: "ended 22:39" if it has ended; "" while it runs.
    """

    name: str = ""
    directory: Path | None = None
    home: Path | None = None
    ended: str = ""


@dataclass(slots=True)
class Moment:
    """The view at one moment, and what was computed from it.

    Attributes:
        number: Grows with every moment of this process, from 1.
        version: Version of the view.
        frame: The frame of the view.
        at_s: Monotonic seconds of the moment.
    """

    number: int
    version: int
    frame: Frame
    at_s: float
    _answers: dict[str, object] = field(default_factory=dict)

    def once(self, name: str, compute: Callable[[], Answer]) -> Answer:
        """Compute an answer, or return that of an earlier call with this name.

        Args:
            name: Name of the answer; it has always the same type.
            compute: Computes it.
        """
        if name not in self._answers:
            answer = compute()
            while len(self._answers) >= ANSWERS_MAX:
                del self._answers[next(iter(self._answers))]
            self._answers[name] = answer
        found: Answer = self._answers[name]  # type: ignore[assignment]  # the type of the name
        return found

    def known(self, name: str) -> object:
        """The answer of an earlier call of `once` with this name; None if there is none."""
        return self._answers.get(name)


class ArenaReader:
    """Reads an arena for many viewers.

    Attributes:
        run: The run that is read.
        boot: Random name of this process; numbers of moments are only comparable within it.
        clock: Wall and monotonic time.
        history: Reads older turns and trades.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        follower: TopicFollower,
        *,
        run: RunIdentity | None = None,
        boot: str = "",
    ) -> None:
        """Take what it reads with; the caller opens and runs the follower.

        Args:
            bus: The connected bus.
            clock: Wall and monotonic time.
            follower: Folds the topics.
            run: The run that is read.
            boot: Random name of this process.
        """
        self.run = run or RunIdentity()
        self.boot = boot
        self.clock = clock
        self.history = History(bus)
        self._bus = bus
        self._follower = follower
        self._moment: Moment | None = None

    @property
    def bus(self) -> Bus:
        """The connected bus."""
        return self._bus

    @property
    def view(self) -> ArenaView:
        """The view."""
        return self._follower.view

    @property
    def caught_up(self) -> bool:
        """True when every record that existed when reading began was read."""
        return self._follower.caught_up

    def read_status(self) -> ReadStatus:
        """Progress of reading."""
        return self._follower.read_status()

    async def ready(self, timeout_s: float) -> bool:
        """Wait until the records that existed at the start are read; False if it takes longer.

        Args:
            timeout_s: Longest wait in seconds.
        """
        if self.caught_up:
            return True
        with contextlib.suppress(TimeoutError):
            async with self.clock.timeout(timeout_s):
                while not self.caught_up:
                    await self.clock.sleep(READY_POLL_S)
        return self.caught_up

    def now(self) -> datetime:
        """The broker's time in the zone of this machine."""
        return self._follower.now()

    async def turn_partitions(self) -> int:
        """Number of partitions of `agent.turns`."""
        return await self._bus.partitions(topics.TURNS.name)

    async def next_change(self) -> None:
        """Return when records were read since the last call; for one caller."""
        await self._follower.changed.wait()
        self._follower.changed.clear()

    def moment(self, *, max_age_s: float = MOMENT_S) -> Moment:
        """The newest moment; a new one if the last is too old.

        Args:
            max_age_s: Seconds for which records that came after the moment may be missing in it.
        """
        now_s, version = self.clock.monotonic(), self.view.version
        last = self._moment
        if last is not None:
            age_s = now_s - last.at_s
            if age_s < max_age_s or (
                last.version == version and (self.run.ended or age_s < IDLE_MOMENT_S)
            ):
                return last
        # Trades are read from the history, with all digits.
        frame = build_frame(self.view, self._follower.now(), trades=0)
        number = 1 if last is None else last.number + 1
        self._moment = Moment(number, version, frame, now_s)
        return self._moment
