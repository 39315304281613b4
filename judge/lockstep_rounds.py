"""Evaluates and coaches between two snapshots of a contest in lock-step.

When every agent has answered the newest snapshot, the judge reads its topics to their ends, has the
sampled turns judged, publishes the evaluations that are due, and coaches if there is a coach. Then
its heartbeat names the snapshot, and the connector publishes the next one. So evaluations, the text
that an agent plays by, and limits that are scaled, follow from the records before their snapshot,
not from when a process ran.

Reads `arena.heartbeats` besides what judge, turn judge and coach read.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from arena import topics
from arena.bus.base import LogReader, Record, Start
from arena.kill_switch import CONTROL_READ
from arena.liveness import COACHED, LOOK_BACK_S, silent_after_s
from arena.messages import AgentSpec, Heartbeat, MarketChecked
from arena.node import Node
from judge.evaluations.llm.service import TurnJudge
from judge.evaluations.service import AgentEvaluator, CatchUp
from judge.prompts.service import Coach
from judge.season import SeasonBuilder

CHECK_WAIT_S: Final = 5.0
"""Longest wait until the executor has noted that it checked the newest snapshot."""
EXECUTOR_WAIT_S: Final = 10.0
"""Longest wait until executors have read adjusted limits; those that are silent do not count."""
READ_S: Final = 0.1
EXECUTOR_KEYS: Final = "tools/"


def all_answered(builder: SeasonBuilder) -> bool:
    """True if every agent that is due on the newest snapshot has answered it.

    As in `connectors.market.lockstep.pacing`; an agent with gates answers every snapshot.
    """
    folds = builder.folds
    last = builder.snapshots - 1
    return last >= 0 and not any(
        _is_due(spec, folds.market.index.get(folds.turns.answered.get(agent, "")), last)
        for agent, spec in folds.roster.items()
        if not spec.is_shadow
    )


def _is_due(spec: AgentSpec, answered: int | None, last: int) -> bool:
    cadence = spec.cadence if spec.gates is None else 1
    return answered is None or last - answered >= cadence


class _ExecutorBeat(NamedTuple):
    """The newest heartbeat of an executor.

    Attributes:
        read_to: Offset up to which it has read `arena.control`.
        until_s: Monotonic time from which it counts as silent.
    """

    read_to: int
    until_s: float


class LockstepRounds:
    """Rounds of judging, one per snapshot, in the judge's process.

    Args:
        node: The process; its heartbeat names the snapshot of the last round.
        evaluator: Evaluates agents.
        turns: Has turns judged by a model; None if none judges.
        coach: Proposes and decides about prompts; None without one.
    """

    def __init__(
        self,
        node: Node,
        evaluator: AgentEvaluator,
        turns: TurnJudge | None,
        coach: Coach | None,
    ) -> None:
        """Take the process and its parts; call `open` before `play`."""
        self._node = node
        self._evaluator = evaluator
        self._turns = turns
        self._coach = coach
        self._done = ""
        self._checked: dict[int, str] = {}
        self._waits_since_s: float | None = None
        self._heartbeats: LogReader | None = None
        self._adjusted_to = 0
        self._executors: dict[str, _ExecutorBeat] = {}

    async def open(self) -> None:
        """Open the readers of turn judge and coach, and the heartbeats."""
        if self._coach is not None:
            await self._coach.open()
        if self._turns is not None:
            await self._turns.open()
        since_s = (await self._node.broker_now()).timestamp() - LOOK_BACK_S
        start = Start.since(int(since_s * 1000))
        self._heartbeats = await self._node.bus.log_reader(topics.HEARTBEATS.name, start=start)

    async def close(self) -> None:
        """Close the readers."""
        if self._heartbeats is not None:
            await self._heartbeats.close()
        if self._turns is not None:
            await self._turns.close()
        if self._coach is not None:
            await self._coach.close()

    def note(self, record: Record) -> None:
        """Note a record of `account.events`: how far an executor has checked the market."""
        if record.kind == MarketChecked.type_name():
            message = record.message_or_none()
            if isinstance(message, MarketChecked):
                self._checked[record.partition] = message.snapshot_id

    async def play(self, catch_up: CatchUp) -> None:
        """Play the round of the newest snapshot, if it is complete and was not played.

        Args:
            catch_up: Reads the judge's topics to their ends.
        """
        builder = self._evaluator.checkpoint.builder
        if not all_answered(builder):
            return
        snapshot_id = builder.folds.market.snapshots[-1].snapshot_id
        if snapshot_id == self._done or not self._is_checked(builder):
            return
        if self._turns is not None:
            await self._turns.finish()
        await catch_up()
        await self._evaluator.publish_due(catch_up)
        if self._coach is not None:
            await self._coach.step()
            if self._coach.adjusted_to > self._adjusted_to:
                self._adjusted_to = self._coach.adjusted_to
                await self._wait_for_executors(self._adjusted_to)
        self._done, self._waits_since_s = snapshot_id, None
        self._node.details[COACHED] = snapshot_id
        await self._node.beat()

    def _is_checked(self, builder: SeasonBuilder) -> bool:
        """True if exits that fire on the newest snapshot have fired, or if that cannot be known."""
        index = builder.folds.market.index
        last = builder.snapshots - 1
        if not any(index.get(one) == last - 1 for one in self._checked.values()):
            return True  # Executors note nothing for a shard without open orders and limits.
        now_s = self._node.clock.monotonic()
        if self._waits_since_s is None:
            self._waits_since_s = now_s
        return now_s - self._waits_since_s >= CHECK_WAIT_S

    async def _wait_for_executors(self, offset: int) -> None:
        """Wait until every executor has read `arena.control` up to an offset."""
        assert self._heartbeats is not None, "it is open"
        clock = self._node.clock
        until_s = clock.monotonic() + EXECUTOR_WAIT_S
        while not self._have_read(offset):
            if clock.monotonic() >= until_s:
                self._node.log.warning("executors have not read adjusted limits", offset=offset)
                return
            for record in await self._heartbeats.read(timeout_s=READ_S):
                self._take_heartbeat(record)

    def _have_read(self, offset: int) -> bool:
        """True if every executor that is alive has read `arena.control` up to an offset."""
        now_s = self._node.clock.monotonic()
        alive = [one for one in self._executors.values() if now_s <= one.until_s]
        return bool(alive) and all(one.read_to >= offset for one in alive)

    def _take_heartbeat(self, record: Record) -> None:
        if not record.key_text.startswith(EXECUTOR_KEYS):
            return
        beat = record.message_or_none()
        if not isinstance(beat, Heartbeat):
            return
        read = beat.details.get(CONTROL_READ)
        place = read.get("0") if isinstance(read, Mapping) else None
        if beat.status == "stopping":
            self._executors.pop(beat.node, None)
        elif isinstance(place, list) and place and isinstance(place[0], int):
            until_s = self._node.clock.monotonic() + silent_after_s(beat)
            self._executors[beat.node] = _ExecutorBeat(place[0], until_s)
