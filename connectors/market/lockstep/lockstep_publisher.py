"""Publishes the snapshots of a replay, each when all agents that are due have answered the last.

Writes `market.tickers` (with each snapshot the rules and the last ticker of every product, so that
an executor that starts late finds both), `market.candles` and `market.snapshots`. Killed at any
instant and started again, it resumes after the newest snapshot in the log: it plays the same market
up to there, checks that the snapshot is identical, and waits for the turns that are missing. What
is already in the log is not published again, including the part of the next batch that was appended
before the kill. If two run at once, each finds the other's record at an offset it expected for
itself, and exits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from arena import topics
from arena.bus.partitions import require_partitions
from arena.context.visible import VisibleContext
from arena.errors import DependencyMissing, UsageError
from arena.messages import MarketSnapshot, Message
from arena.node import Node
from arena.unknown_names import closest_first, listed
from connectors.market.context.publisher import Market
from connectors.market.context.snapshot_context import SnapshotContext
from connectors.market.lockstep.agent_tracker import AgentTracker
from connectors.market.lockstep.batch_publisher import BatchPublisher, BatchWriter
from connectors.market.lockstep.batch_tail import batch_tail
from connectors.market.lockstep.judge_wait import JudgeWait
from connectors.market.lockstep.pacing import MissingAgents, Pacer, WaitState
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from connectors.market.recent_snapshots import newest_snapshots, starts_at_offset_zero

WARN_AFTER_S: Final = 3.0
WARN_EVERY_S: Final = 5.0
WARN_EVERY_S_MAX: Final = 60.0
LISTEN_S: Final = 0.5
REPEAT_EVERY_S: Final = 240.0
"""How often a batch is repeated while a snapshot waits: executors look back ten minutes for it."""
REPEATS_MAX: Final = 10_000
"""Most batches that are appended to replace lost tickers."""
STEPS_AT_ONCE: Final = 20
"""Snapshots that are played before other tasks, such as heartbeats, may run."""
NAMES_SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class LockstepTimeouts:
    """How long to wait, in wall seconds.

    Attributes:
        deadline_s: Time for the turns on a snapshot.
        agents_s: Time for all agents to be on the roster and have an account.
        judge_s: Time for the judge to coach after a snapshot; None does not wait for it.
    """

    deadline_s: float
    agents_s: float
    judge_s: float | None = None


class LockstepPublisher:
    """Publishes a replay in lock-step with its agents.

    Args:
        node: The process; its counters, gauges and details show the progress.
        replay: The snapshots; it must be at its first one.
        agents: Names of the agents that must answer.
        timeouts: How long to wait for them.
        context_files: Files of dated context that are published before the first snapshot.
    """

    def __init__(
        self,
        node: Node,
        replay: SnapshotReplay,
        agents: tuple[str, ...],
        timeouts: LockstepTimeouts,
        context_files: tuple[Path, ...] = (),
    ) -> None:
        """Create the publisher; call `serve` to start reading and publishing."""
        self.node = node
        self.replay = replay
        self.pacer = Pacer(agents, deadline_s=timeouts.deadline_s)
        self._timeouts = timeouts
        self._tracker = AgentTracker(node, self.pacer, replay)
        self._publisher = BatchPublisher(node.bus, node.counters)
        self._context = SnapshotContext(node, context_files)
        self._missed: dict[str, int] = {}
        self._snapshots_end = 0
        judge_s = timeouts.judge_s
        self._judge = None if judge_s is None else JudgeWait(node, judge_s)
        self._newest_id = ""

    async def serve(self) -> None:
        """Publish every snapshot and wait for the last one's turns.

        Raises:
            DependencyMissing: Agents were missing after `agents_s`.
            UsageError: `market.snapshots` holds snapshots of another market.
            Fenced: Another process publishes snapshots.
        """
        bus = self.node.bus
        specs = (topics.TICKERS, topics.CANDLES, topics.SNAPSHOTS, topics.TURNS, topics.EVENTS)
        await bus.ensure_topics([*specs, topics.ROSTER, topics.DEAD_LETTERS])
        await require_partitions(bus, topics.SNAPSHOTS)
        self.node.gauges["snapshots_total"] = self.replay.total
        try:
            await self._context.publish_files(Market(True, self.replay.as_of(0)))
            await self._tracker.open()
            if not await self._resume():
                await self._begin()
            while True:
                await self._wait_for_turns()
                if self.replay.index + 1 == self.replay.total:
                    break
                self.replay.step()
                await self._append_batch()
                await self._append_candles()
                await self._publish_snapshot()
        finally:
            await self._tracker.close()
            await self._context.close()
            if self._judge is not None:
                await self._judge.close()
        self.node.log.info("every snapshot is answered", snapshots=self.replay.total)

    async def _begin(self) -> None:
        """Publish products and tickers, then the first snapshot once all agents are present."""
        for writer, topic in self._writers():
            tails, _ = await batch_tail(self.node, topic, {})
            writer.resume({}, tails)
        self._publisher.resume(self._snapshots_end)
        await self._append_batch()
        await self._append_candles()
        await self._wait_for_agents()
        await self._tracker.follow_turns(0)
        self._report_lost_snapshots(-1)
        await self._publish_snapshot()

    async def _resume(self) -> bool:
        """Continue after the newest snapshot in the log; return False if there is none."""
        cadence = max(self.pacer.cadences.values(), default=1)
        snapshots, end = await newest_snapshots(self.node, self.replay.venue, cadence)
        self._snapshots_end = end
        if not end:
            return False
        newest = snapshots[-1] if snapshots else None
        index = self.replay.index_of(newest.as_of, newest.snapshot_id) if newest else None
        if newest is None and await starts_at_offset_zero(self.node, self.replay.venue):
            return False  # The log is complete and holds no snapshot of this venue.
        if newest is None:
            raise UsageError(
                f"market.snapshots ends at {end} and holds no snapshot: its retention has deleted"
                " those of this replay",
                remedy="start a new contest, or the replay again under another ARENA_PREFIX",
            )
        if index is None:
            raise _foreign("a snapshot that is not in this replay")
        await self._play_to(index)
        made = self.replay.snapshot(
            newest.ticker_offsets,
            newest.published_at,
            newest.candle_offsets,
            VisibleContext(newest.context, newest.context_offsets),
        )
        if not newest.source:  # Older versions did not record where prices come from.
            made = made.model_copy(update={"source": ""})
        if made != newest:
            raise _foreign(f"snapshot {index} made with other flags")
        tails, offsets = await batch_tail(self.node, topics.TICKERS.name, newest.ticker_offsets)
        self._publisher.tickers.resume(offsets, tails)
        self._publisher.resume(end)
        since = min(snapshot.published_at for snapshot in snapshots)
        await self._tracker.follow_turns(int(since.timestamp() * 1000))
        self.node.log.info(
            "resumed", index=index, snapshots=self.replay.total, id=newest.snapshot_id
        )
        self._note_published(newest)
        self._report_lost_snapshots(index)
        await self._restore_tickers(newest.ticker_offsets, offsets)
        await self._resume_candles(newest.candle_offsets)
        if unlisted := self.pacer.missing.unlisted:
            self._warn_missing(MissingAgents(unlisted, ()), 0)
        return True

    def _report_lost_snapshots(self, newest: int) -> None:
        """Report how many snapshots the agents have answered that are missing from the log."""
        if (lost := self.pacer.newest_answered - newest) > 0:
            words = (
                f"{lost} snapshots that agents have answered are gone: the log was cut, or created"
                " again; they are published again, and the turns on them count"
            )
            self.node.report_lost(topics.SNAPSHOTS.name, 0, self.node.name, words)

    async def _restore_tickers(self, named: dict[int, int], ends: dict[int, int]) -> None:
        """Report which tickers of the newest snapshot are gone, and append its batch again.

        An executor that decides an order on this snapshot waits until the log reaches the offsets
        that the snapshot names.

        Args:
            named: Partition of `market.tickers` -> the offset that the snapshot names.
            ends: Partition -> the end of the log, if that is before the named offset.

        Raises:
            UsageError: Too many tickers are gone.
        """
        gap = 0
        for partition, offset in named.items():
            if (end := ends.get(partition, 0)) < offset:
                words = (
                    f"the log ends at {end}, the newest snapshot names {offset}: it was cut, or"
                    " created again; the prices of that snapshot are published again"
                )
                self.node.report_lost(topics.TICKERS.name, partition, self.node.name, words)
                gap = max(gap, offset - end)
        most = REPEATS_MAX * len(self._batch())
        repeats = REPEATS_MAX if gap <= most else 0
        while self.pacer.waiting and any(
            self._publisher.tickers.offsets.get(p, 0) < at for p, at in named.items()
        ):
            if not repeats:
                raise UsageError(
                    f"the newest snapshot names {max(named.values()):,} tickers, and {gap:,} of"
                    f" them are gone: more than the {most:,} that can be published again",
                    remedy="start the replay again, under another ARENA_PREFIX",
                )
            repeats -= 1
            await self._append_batch()

    async def _play_to(self, index: int) -> None:
        for number in range(index):
            self.replay.step()
            if number % STEPS_AT_ONCE == 0:
                await self.node.clock.sleep(0)

    async def _wait_for_agents(self) -> None:
        """Wait until all agents are on the roster and have an account."""
        clock = self.node.clock
        await self._tracker.follow_accounts()
        started_s = repeated_s = clock.monotonic()
        warn_at_s, pause_s = started_s + WARN_AFTER_S, WARN_EVERY_S
        while missing := self.pacer.missing:
            absent = {*missing.unlisted, *missing.without_account}
            self._report_waiting([agent for agent in self.pacer.agents if agent in absent])
            await self._tracker.listen(LISTEN_S)
            now_s = clock.monotonic()
            if now_s - started_s > self._timeouts.agents_s:
                raise DependencyMissing(
                    f"after {self._timeouts.agents_s:.0f} s there is no router for "
                    f"{_names(missing.unlisted)}, no account for {_names(missing.without_account)}",
                    remedy="start `arena router` for each of --agents, and `arena tools`; "
                    f"{self._roster_text(missing)}",
                )
            if now_s >= warn_at_s:
                warn_at_s, pause_s = now_s + pause_s, min(2 * pause_s, WARN_EVERY_S_MAX)
                self._warn_missing(missing, round(now_s - started_s))
            if now_s - repeated_s >= REPEAT_EVERY_S:
                repeated_s = now_s
                await self._append_batch()

    def _warn_missing(self, missing: MissingAgents, waited_s: int) -> None:
        self.node.log.warning(
            f"waiting for agents; {self._roster_text(missing)}",
            no_router=_names(missing.unlisted),
            no_account=_names(missing.without_account),
            s=waited_s,
        )

    def _roster_text(self, missing: MissingAgents) -> str:
        """Agents that are missing from the roster, and others that are on it (in case of typos)."""
        others = sorted(self.pacer.others)
        if not missing.unlisted:
            return "all are on the roster"
        if not others:
            return f"not on the roster yet: {_names(missing.unlisted)}"
        closest = closest_first(missing.unlisted[0], others)
        return (
            f"not on the roster: {_names(missing.unlisted)}; on it, but not in --agents: "
            f"{listed(closest)}"
        )

    async def _wait_for_turns(self) -> None:
        """Wait until all agents that are due have answered, or the deadline has passed."""
        clock, pacer = self.node.clock, self.pacer
        began_s = repeated_s = clock.monotonic()
        while (state := pacer.wait_state(clock.monotonic())) is WaitState.WAIT:
            self._report_waiting(pacer.waiting)
            await self._tracker.listen(min(LISTEN_S, pacer.left_s(clock.monotonic())))
            if clock.monotonic() - repeated_s >= REPEAT_EVERY_S:
                repeated_s = clock.monotonic()
                await self._append_batch()
        waited_ms = round((clock.monotonic() - began_s) * 1000, 1)
        late = pacer.waiting
        for agent in late:
            self._missed[agent] = self._missed.get(agent, 0) + 1
        self._report_waiting(())
        if state is WaitState.LATE:
            self.node.counters["deadlines_missed"] += len(late)
            self.node.details["deadlines_missed"] = dict(self._missed)
            self.node.log.warning(
                "deadline passed", index=self.replay.index, agents=list(late), waited_ms=waited_ms
            )
        else:
            self.node.log.debug("answered", index=self.replay.index, waited_ms=waited_ms)
            if self._judge is not None:
                await self._judge.wait(self._newest_id)

    async def _append_batch(self) -> None:
        """Append the trading rules and the last ticker of every product."""
        await self._publisher.tickers.append(self._batch())

    async def _append_candles(self) -> None:
        """Append the minutes that closed since the last snapshot."""
        candles = self.replay.take_candles()
        await self._publisher.candles.append((c.product_id, c) for c in candles)

    async def _resume_candles(self, named: dict[int, int]) -> None:
        """Continue after the candles of the newest snapshot; append lost ones again.

        Args:
            named: Partition of `market.candles` -> the offset that the snapshot names.
        """
        writer, topic = self._publisher.candles, topics.CANDLES.name
        tails, offsets = await batch_tail(self.node, topic, named)
        writer.resume(offsets, tails)
        lost = [p for p, offset in named.items() if offsets.get(p, 0) < offset]
        for partition in lost:
            words = (
                f"the log ends at {offsets.get(partition, 0)}, the newest snapshot names"
                f" {named[partition]}: it was cut, or created again; the newest candles are"
                " published again"
            )
            self.node.report_lost(topic, partition, self.node.name, words)
        if lost:
            await self._append_candles()
        else:
            self.replay.take_candles()

    def _writers(self) -> tuple[tuple[BatchWriter, str], ...]:
        publisher = self._publisher
        return (publisher.tickers, topics.TICKERS.name), (publisher.candles, topics.CANDLES.name)

    def _batch(self) -> list[tuple[str, Message]]:
        rules = [(product.product_id, product) for product in self.replay.products]
        return [*rules, *self.replay.tickers().items()]

    async def _publish_snapshot(self) -> None:
        """Append the current snapshot and start to wait for its turns."""
        as_of = self.replay.as_of(self.replay.index)
        snapshot = self.replay.snapshot(
            self._publisher.tickers.offsets,
            self.node.clock.now(),
            self._publisher.candles.offsets,
            await self._context.at(as_of, self.replay.product_ids, simulated=True),
        )
        await self._publisher.append_snapshot(snapshot)
        self._note_published(snapshot)

    def _note_published(self, snapshot: MarketSnapshot) -> None:
        self.pacer.start_wait(self.replay.index, self.node.clock.monotonic())
        self._newest_id = snapshot.snapshot_id
        self.node.status = "running"
        self.node.counters["snapshots"] = self.replay.index + 1
        self.node.details["as_of"] = snapshot.as_of.isoformat()
        self._report_waiting(self.pacer.waiting)
        self.node.log.info(
            "snapshot",
            id=snapshot.snapshot_id,
            number=f"{self.replay.index + 1}/{self.replay.total}",
            as_of=snapshot.as_of.isoformat(),
            waiting_for=len(self.pacer.waiting),
        )

    def _report_waiting(self, agents: list[str] | tuple[str, ...]) -> None:
        self.node.gauges["waiting_for"] = len(agents)
        self.node.details["waiting_for"] = _names(agents)


def _names(agents: list[str] | tuple[str, ...]) -> str:
    """Names in one line, bounded; "none" if there are none."""
    shown = ", ".join(agents[:NAMES_SHOWN_MAX])
    more = len(agents) - NAMES_SHOWN_MAX
    return (f"{shown} and {more} more" if more > 0 else shown) or "none"


def _foreign(what: str) -> UsageError:
    return UsageError(
        f"market.snapshots ends with {what}",
        remedy="replay with the flags it was started with, or under another ARENA_PREFIX",
    )
