"""Waits until the judge has coached after a snapshot, so that the next one shows the consequences.

Reads `arena.heartbeats`: the judge names the snapshot in its heartbeat (`arena.liveness.COACHED`).
"""

from typing import Final

from arena import topics
from arena.bus.base import LogReader, Record, Start
from arena.liveness import COACHED, LOOK_BACK_S
from arena.messages import Heartbeat
from arena.node import Node

READ_S: Final = 0.5
JUDGE_KEYS: Final = "judge/"


class JudgeWait:
    """Follows the heartbeats of the judge.

    Args:
        node: The process; its counter `judge_missed` counts snapshots without the judge.
        deadline_s: Longest wait after a snapshot, in wall seconds.
    """

    def __init__(self, node: Node, deadline_s: float) -> None:
        """Start without a heartbeat; the first wait opens the reader."""
        self._node = node
        self._deadline_s = deadline_s
        self._coached = ""
        self._reader: LogReader | None = None

    async def wait(self, snapshot_id: str) -> None:
        """Wait until the judge has coached after a snapshot, at most for the deadline."""
        clock = self._node.clock
        until_s = clock.monotonic() + self._deadline_s
        reader = await self._open()
        while self._coached != snapshot_id:
            left_s = until_s - clock.monotonic()
            if left_s <= 0:
                self._node.counters["judge_missed"] += 1
                self._node.log.warning(
                    "the judge has not coached in time, the next snapshot does not wait for it",
                    snapshot_id=snapshot_id,
                    waited_s=round(self._deadline_s),
                )
                return
            for record in await reader.read(timeout_s=min(READ_S, left_s)):
                self._take(record)

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def _open(self) -> LogReader:
        if self._reader is None:
            since_s = (await self._node.broker_now()).timestamp() - LOOK_BACK_S
            start = Start.since(int(since_s * 1000))
            self._reader = await self._node.bus.log_reader(topics.HEARTBEATS.name, start=start)
        return self._reader

    def _take(self, record: Record) -> None:
        if not record.key_text.startswith(JUDGE_KEYS):
            return
        beat = record.message_or_none()
        if isinstance(beat, Heartbeat) and (coached := beat.details.get(COACHED)):
            self._coached = str(coached)
