"""What alerts are made from: the read model and the drifts, read from the topics.

Reads what `dashboard.model.topic_follower` reads, and the newest records of `ledger.drift`.
"""

import math
from datetime import datetime

from arena import topics
from arena.bus.base import Bus, LogReader, Start
from arena.clock import Clock
from arena.fold_checkpoint import CheckpointFile
from arena.tasks import run_until_all_end
from dashboard.alerts.conditions import RECENT_S, Limits, Situation
from dashboard.alerts.drawdowns import DrawdownFold
from dashboard.alerts.drifts import DriftFold
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView

READ_TIMEOUT_S = 0.5


class Watch:
    """The read model and the drifts of one arena.

    Attributes:
        follower: Reads the topics of the read model.
        drawdowns: The drawdowns, with remembered peaks.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        *,
        file: CheckpointFile | None = None,
        drawdowns: DrawdownFold | None = None,
    ) -> None:
        """Create the watch; call `open`, then `follow`.

        Args:
            bus: The bus; it must be connected before `open`.
            clock: Wall and monotonic time.
            limits: When a condition is an alert.
            file: Checkpoint of the read model; None to read everything and write no checkpoint.
            drawdowns: Remembered peaks; None to start without.
        """
        self.follower = TopicFollower(bus, clock, ArenaView(), file)
        self.drawdowns = drawdowns or DrawdownFold()
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._drifts = DriftFold()
        self._drift_reader: LogReader | None = None
        self._began_s = clock.monotonic()

    async def open(self) -> None:
        """Seek to the start of each topic's window."""
        await self.follower.open()
        since_ms = int((self._clock.now().timestamp() - RECENT_S) * 1_000)
        start = Start.since(since_ms)
        self._drift_reader = await self._bus.log_reader(topics.DRIFTS.name, start=start)

    async def close(self) -> None:
        """Stop reading."""
        await self.follower.close()
        if self._drift_reader is not None:
            await self._drift_reader.close()

    async def follow(self) -> None:
        """Read until cancelled."""
        await run_until_all_end(self.follower.follow(), self._follow_drifts())

    async def read_to_end(self) -> None:
        """Wait until every record that exists now was read; `follow` must be running."""
        assert self._drift_reader is not None, "the watch is not open"
        await self.follower.read_to_end()
        while await self._drift_reader.lag():
            await self._clock.sleep(READ_TIMEOUT_S / 10)

    @property
    def is_current(self) -> bool:
        """True if the view is read to the ends, and the broker answers."""
        return self.follower.caught_up and self.follower.silent_since is None

    @property
    def broker_silent_s(self) -> float | None:
        """Seconds for which the broker has not answered; None while it answers."""
        since = self.follower.silent_since
        return None if since is None else self._clock.monotonic() - since

    def situation(self, *, stopping: bool = False, once: bool = False) -> Situation:
        """What is known now.

        Args:
            stopping: True in the last pass of a process that is being stopped.
            once: True to judge by the topics alone, however short they were followed.
        """
        return Situation(
            view=self.follower.view,
            drifts=self._drifts,
            drawdowns=self.drawdowns,
            now=self.now(),
            limits=self._limits,
            stopping=stopping,
            watched_s=math.inf if once else self._clock.monotonic() - self._began_s,
        )

    def now(self) -> datetime:
        """Wall time by the broker's clock."""
        return self.follower.now()

    async def _follow_drifts(self) -> None:
        assert self._drift_reader is not None, "the watch is not open"
        while True:
            for record in await self._drift_reader.read(timeout_s=READ_TIMEOUT_S):
                self._drifts.apply(record)
