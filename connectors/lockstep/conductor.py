"""Publishes snapshot after snapshot, each when everybody who is due has answered the last.

Writes `market.tickers` (with each snapshot the rules and the last ticker of every product, so that
an executor that starts late finds both) and `market.snapshots`. Killed at any instant and started
again it goes on from the newest snapshot in the log: it plays the same market up to there, sees
that it is the same to the digit, and waits for the turns that are missing. What stands in the log
is not published again, and what of the next batch was appended before the kill is left as it is.
Two at once would each find the other's record where its own belongs, and end.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from arena import topics
from arena.bus.partitions import require_partitions
from arena.errors import DependencyMissing, UsageError
from arena.messages import MarketSnapshot, Message
from arena.names import closest_first, listed
from arena.node import Node
from connectors.coinbase.feed import VENUE
from connectors.lockstep.pacing import Missing, Pacer, Verdict
from connectors.lockstep.publisher import BatchPublisher
from connectors.lockstep.reel import Reel
from connectors.lockstep.topics import Hearing, tickers_behind
from connectors.tails import holds_from_the_first, snapshots_back

TELL_AFTER_S: Final = 3.0
TELL_EVERY_S: Final = 5.0
TELL_EVERY_S_MAX: Final = 60.0
LISTEN_S: Final = 0.5
REPEAT_EVERY_S: Final = 240.0
"""A batch is repeated so often while a snapshot waits: executors look back ten minutes for it."""
REPEATS_MAX: Final = 10_000
"""Batches that are appended at most in place of tickers that are gone."""
STEPS_AT_ONCE: Final = 20
"""Snapshots that are played without giving way to heartbeats."""
NAMES_SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Waits:
    """How long to wait.

    Attributes:
        deadline_s: For the turns on a snapshot. agents_s: for all agents to be there.
    """

    deadline_s: float
    agents_s: float


class Conductor:
    """Plays a reel to agents.

    Args:
        node: The process; its counters, gauges and details tell how far it is.
        reel: At its first snapshot.
        agents: Who must answer.
        waits: How long to wait for them.
    """

    def __init__(self, node: Node, reel: Reel, agents: tuple[str, ...], waits: Waits) -> None:
        """Nothing is read or published yet."""
        self.node = node
        self.reel = reel
        self.pacer = Pacer(agents, deadline_s=waits.deadline_s)
        self._waits = waits
        self._hearing = Hearing(node, self.pacer, reel)
        self._publisher = BatchPublisher(node.bus, node.counters)
        self._missed: dict[str, int] = {}
        self._snapshots_end = 0

    async def serve(self) -> None:
        """Publish every snapshot and wait for the last one's turns.

        Raises:
            DependencyMissing: Not all agents came.
            UsageError: `market.snapshots` holds those of another market.
            Fenced: Another process publishes, too.
        """
        bus = self.node.bus
        specs = (topics.TICKERS, topics.SNAPSHOTS, topics.TURNS, topics.EVENTS, topics.ROSTER)
        await bus.ensure_topics([*specs, topics.DEAD_LETTERS])
        await require_partitions(bus, topics.SNAPSHOTS)
        self.node.gauges["snapshots_total"] = self.reel.total
        try:
            await self._hearing.open()
            if not await self._resume():
                await self._begin()
            while True:
                await self._wait_for_turns()
                if self.reel.index + 1 == self.reel.total:
                    break
                self.reel.step()
                await self._append_batch()
                await self._publish_snapshot()
        finally:
            await self._hearing.close()
        self.node.log.info("every snapshot is answered", snapshots=self.reel.total)

    async def _begin(self) -> None:
        """Products and tickers, then the first snapshot as soon as everybody is there."""
        tails, _ = await tickers_behind(self.node, {})
        self._publisher.resume({}, tails, self._snapshots_end)
        await self._append_batch()
        await self._wait_for_agents()
        await self._hearing.follow_turns(0)
        self._tell_lost_snapshots(-1)
        await self._publish_snapshot()

    async def _resume(self) -> bool:
        """Go to the newest snapshot in the log; False where there is none."""
        cadence = max(self.pacer.cadences.values(), default=1)
        snapshots, end = await snapshots_back(self.node, VENUE, cadence)
        self._snapshots_end = end
        if not end:
            return False
        newest = snapshots[-1] if snapshots else None
        index = self.reel.index_of(newest.as_of, newest.snapshot_id) if newest else None
        if newest is None and await holds_from_the_first(self.node, VENUE):
            return False  # Nothing in it is a snapshot of this venue.
        if newest is None:
            raise UsageError(
                f"market.snapshots ends at {end} and holds no snapshot: its retention has deleted"
                " those of this replay",
                remedy="begin the replay again, under another ARENA_PREFIX",
            )
        if index is None:
            raise _foreign("a snapshot that is none of this replay")
        await self._play_to(index)
        made = self.reel.snapshot(newest.ticker_offsets, newest.published_at)
        if not newest.source:  # Versions before did not say where prices come from.
            made = made.model_copy(update={"source": ""})
        if made != newest:
            raise _foreign(f"snapshot {index} as other flags made it")
        tails, places = await tickers_behind(self.node, newest.ticker_offsets)
        self._publisher.resume(places, tails, end)
        since = min(snapshot.published_at for snapshot in snapshots)
        await self._hearing.follow_turns(int(since.timestamp() * 1000))
        self.node.log.info("resumed", index=index, snapshots=self.reel.total, id=newest.snapshot_id)
        self._note_published(newest)
        self._tell_lost_snapshots(index)
        await self._restore_tickers(newest.ticker_offsets, places)
        if unlisted := self.pacer.missing.unlisted:
            self._warn_waiting(Missing(unlisted, ()), 0)
        return True

    def _tell_lost_snapshots(self, newest: int) -> None:
        """Say how many snapshots agents have answered that the log does not hold."""
        if (lost := self.pacer.newest_answered - newest) > 0:
            words = (
                f"{lost} snapshots that agents have answered are gone: the log was cut, or created"
                " again; they are published again, and the turns on them count"
            )
            self.node.tell_lost(topics.SNAPSHOTS.name, 0, self.node.name, words)

    async def _restore_tickers(self, named: dict[int, int], places: dict[int, int]) -> None:
        """Say which tickers of the newest snapshot are gone, and append its batch again.

        An executor that decides an order on it waits for as many tickers as it names.

        Raises:
            UsageError: Too many are gone.
        """
        gap = 0
        for partition, offset in named.items():
            if (end := places.get(partition, 0)) < offset:
                words = (
                    f"the log ends at {end}, the newest snapshot names {offset}: it was cut, or"
                    " created again; the prices of that snapshot are published again"
                )
                self.node.tell_lost(topics.TICKERS.name, partition, self.node.name, words)
                gap = max(gap, offset - end)
        most = REPEATS_MAX * len(self._batch())
        repeats = REPEATS_MAX if gap <= most else 0
        while self.pacer.waiting and any(
            self._publisher.offsets.get(p, 0) < at for p, at in named.items()
        ):
            if not repeats:
                raise UsageError(
                    f"the newest snapshot names {max(named.values()):,} tickers, and {gap:,} of"
                    f" them are gone: more than the {most:,} that are published again",
                    remedy="begin the replay again, under another ARENA_PREFIX",
                )
            repeats -= 1
            await self._append_batch()

    async def _play_to(self, index: int) -> None:
        for number in range(index):
            self.reel.step()
            if number % STEPS_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _wait_for_agents(self) -> None:
        """Wait until everybody is on the roster and has an account."""
        clock = self.node.clock
        await self._hearing.follow_accounts()
        started_s = repeated_s = clock.monotonic()
        tell_at_s, pause_s = started_s + TELL_AFTER_S, TELL_EVERY_S
        while missing := self.pacer.missing:
            absent = {*missing.unlisted, *missing.penniless}
            self._tell_waiting([agent for agent in self.pacer.agents if agent in absent])
            await self._hearing.listen(LISTEN_S)
            now_s = clock.monotonic()
            if now_s - started_s > self._waits.agents_s:
                raise DependencyMissing(
                    f"after {self._waits.agents_s:.0f} s there is no router of "
                    f"{_names(missing.unlisted)}, no account of {_names(missing.penniless)}",
                    remedy="start `arena router` for each of --agents, and `arena tools`; "
                    f"{self._on_roster(missing)}",
                )
            if now_s >= tell_at_s:
                tell_at_s, pause_s = now_s + pause_s, min(2 * pause_s, TELL_EVERY_S_MAX)
                self._warn_waiting(missing, round(now_s - started_s))
            if now_s - repeated_s >= REPEAT_EVERY_S:
                repeated_s = now_s
                await self._append_batch()

    def _warn_waiting(self, missing: Missing, waited_s: int) -> None:
        self.node.log.warning(
            f"waiting for agents; {self._on_roster(missing)}",
            no_router=_names(missing.unlisted),
            no_account=_names(missing.penniless),
            s=waited_s,
        )

    def _on_roster(self, missing: Missing) -> str:
        """Who is on the roster beside those who are missing there: a name may be misspelt."""
        others = sorted(self.pacer.others)
        if not missing.unlisted:
            return "all are on the roster"
        if not others:
            return f"not on the roster yet: {_names(missing.unlisted)}"
        closest = closest_first(missing.unlisted[0], others)
        return (
            f"not on the roster: {_names(missing.unlisted)}; on it, and not in --agents: "
            f"{listed(closest)}"
        )

    async def _wait_for_turns(self) -> None:
        """Wait until everybody who is due has answered, or the deadline has passed."""
        clock, pacer = self.node.clock, self.pacer
        began_s = repeated_s = clock.monotonic()
        while (verdict := pacer.verdict(clock.monotonic())) is Verdict.WAIT:
            self._tell_waiting(pacer.waiting)
            await self._hearing.listen(min(LISTEN_S, pacer.left_s(clock.monotonic())))
            if clock.monotonic() - repeated_s >= REPEAT_EVERY_S:
                repeated_s = clock.monotonic()
                await self._append_batch()
        waited_ms = round((clock.monotonic() - began_s) * 1000, 1)
        late = pacer.waiting
        for agent in late:
            self._missed[agent] = self._missed.get(agent, 0) + 1
        self._tell_waiting(())
        if verdict is Verdict.LATE:
            self.node.counters["deadlines_missed"] += len(late)
            self.node.details["deadlines_missed"] = dict(self._missed)
            self.node.log.warning(
                "deadline passed", index=self.reel.index, agents=list(late), waited_ms=waited_ms
            )
        else:
            self.node.log.debug("answered", index=self.reel.index, waited_ms=waited_ms)

    async def _append_batch(self) -> None:
        """Append every product's rules and last ticker."""
        await self._publisher.append_batch(self._batch())

    def _batch(self) -> list[tuple[str, Message]]:
        rules = [(product.product_id, product) for product in self.reel.products]
        return [*rules, *self.reel.tickers().items()]

    async def _publish_snapshot(self) -> None:
        """Append the present snapshot and note it."""
        snapshot = self.reel.snapshot(self._publisher.offsets, self.node.clock.now())
        await self._publisher.append_snapshot(snapshot)
        self._note_published(snapshot)

    def _note_published(self, snapshot: MarketSnapshot) -> None:
        self.pacer.published(self.reel.index, self.node.clock.monotonic())
        self.node.status = "running"
        self.node.counters["snapshots"] = self.reel.index + 1
        self.node.details["as_of"] = snapshot.as_of.isoformat()
        self._tell_waiting(self.pacer.waiting)
        self.node.log.info(
            "snapshot",
            id=snapshot.snapshot_id,
            number=f"{self.reel.index + 1}/{self.reel.total}",
            as_of=snapshot.as_of.isoformat(),
            waiting_for=len(self.pacer.waiting),
        )

    def _tell_waiting(self, agents: list[str] | tuple[str, ...]) -> None:
        self.node.gauges["waiting_for"] = len(agents)
        self.node.details["waiting_for"] = _names(agents)


def _names(agents: list[str] | tuple[str, ...]) -> str:
    """Names in one line, bounded; "nobody" for none."""
    shown = ", ".join(agents[:NAMES_SHOWN_MAX])
    more = len(agents) - NAMES_SHOWN_MAX
    return (f"{shown} and {more} more" if more > 0 else shown) or "nobody"


def _foreign(what: str) -> UsageError:
    return UsageError(
        f"market.snapshots ends with {what}",
        remedy="replay with the flags it was begun with, or under another ARENA_PREFIX",
    )
