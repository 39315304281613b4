"""Asks a chat node the questions of a calibration, and publishes the rates.

Reads `agent.turns`, `arena.roster`, `judge.evaluations` and `judge.inbox`; writes
`ai_prompted.<node>` and `judge.evaluations`. The chat node must be running.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arena import topics
from arena.bus.base import LATEST, Bus, LogReader, Record
from arena.errors import DependencyMissing, UsageError
from arena.messages import ChatReply, JudgeCalibration, Turn, TurnJudgement
from arena.read_topic import for_each_record, read_to_ends
from arena.roster import read_agents
from judge.evaluations.llm.calibration import TurnChoice, calibration_of, questions_about
from judge.evaluations.llm.judgement import AskedTurn, judgement_of, unanswered
from judge.evaluations.llm.request import chat_request, turn_messages
from judge.evaluations.llm.rubric import Rubric, shipped_rubric
from judge.evaluations.llm.service import WAIT_S

IN_FLIGHT_MAX = 8
READ_TIMEOUT_S = 0.5

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """What a calibration published.

    Attributes:
        calibration: The rates.
        judgements: The judgements that they were computed from.
    """

    calibration: JudgeCalibration
    judgements: tuple[TurnJudgement, ...]


async def calibrate(
    bus: Bus, node: str | None, count: int, progress: Progress, *, wait_s: float = WAIT_S
) -> CalibrationRun:
    """Measure the model of a chat node with recorded turns, and publish the calibration.

    Args:
        bus: A started bus.
        node: The chat node; None for the one that judged last, or the only one of the agents.
        count: Most turns to use.
        progress: Called with the number of answers so far and of questions.
        wait_s: Longest wait for a reply, in seconds.

    Raises:
        UsageError: No turn has a decision, or no chat node can be chosen.
        DependencyMissing: The chat node does not reply.
    """
    rubric = shipped_rubric()
    specs = [topics.TURNS, topics.EVALUATIONS, topics.JUDGE_INBOX, topics.ROSTER]
    await bus.ensure_topics(specs)
    agents = await read_agents(bus)
    earlier = await _earlier_judgements(bus, rubric)
    node = node or _only_node([one.node for one in earlier], [one.node for one in agents.values()])
    baselines = {name for name, spec in agents.items() if spec.kind == "baseline"}
    turns = await _chosen_turns(bus, count, baselines)
    asked = questions_about(turns, rubric, node)
    if not await bus.existing_topics([topics.prompted(node)]):
        names = sorted({one.node for one in agents.values()})
        raise UsageError(
            f"there is no chat node {node!r} in this arena",
            remedy=f"the agents' chat nodes are {', '.join(names)}; `arena status` lists all",
        )
    judgements = await _Asking(bus, rubric, node, progress, wait_s).run(asked)
    live = [one for one in earlier if not one.planted]
    found = calibration_of(judgements, live, rubric, bus.clock.now())
    await bus.append(topics.EVALUATIONS.name, found, key=node)
    return CalibrationRun(found, tuple(judgements))


def _only_node(judging: Sequence[str], of_agents: Sequence[str]) -> str:
    if judging:
        return judging[-1]
    names = sorted(set(of_agents))
    if len(names) == 1:
        return names[0]
    known = f"the agents' chat nodes are {', '.join(names)}" if names else "no agent has joined"
    raise UsageError(
        "which chat node should be measured? None has judged yet",
        remedy=f"name it: --node NAME; {known}",
    )


async def _earlier_judgements(bus: Bus, rubric: Rubric) -> list[TurnJudgement]:
    """The judgements with this rubric, oldest first."""
    found: list[TurnJudgement] = []

    def take(record: Record) -> None:
        if record.kind != "TurnJudgement":
            return
        message = record.message_or_none()
        if isinstance(message, TurnJudgement) and message.rubric == rubric.version:
            found.append(message)

    await for_each_record(bus, topics.EVALUATIONS, take)
    return sorted(found, key=lambda one: one.at)


async def _chosen_turns(bus: Bus, count: int, baselines: set[str]) -> list[Turn]:
    choice = TurnChoice(count)

    def take(record: Record) -> None:
        if record.kind != "Turn" or record.key_text in baselines:
            return
        message = record.message_or_none()
        if isinstance(message, Turn) and message.agent not in baselines:
            choice.add(message)

    await for_each_record(bus, topics.TURNS, take)
    turns = choice.turns()
    if not turns:
        raise UsageError(
            "no agent has decided anything yet, so there is no turn to plant a fault in",
            remedy="let the arena run for some snapshots, then try again",
        )
    return turns


class _Asking:
    """Asks questions, a few at once, and publishes each judgement."""

    def __init__(
        self, bus: Bus, rubric: Rubric, node: str, progress: Progress, wait_s: float
    ) -> None:
        self._bus = bus
        self._rubric = rubric
        self._node = node
        self._progress = progress
        self._wait_s = wait_s
        self._waiting: dict[str, tuple[AskedTurn, float]] = {}
        self._found: list[TurnJudgement] = []
        self._answered = False

    async def run(self, questions: Sequence[AskedTurn]) -> list[TurnJudgement]:
        """Ask all questions; the judgements in the order of the answers.

        Raises:
            DependencyMissing: The chat node does not reply.
        """
        left = list(reversed(questions))
        reader = await self._bus.log_reader(topics.JUDGE_INBOX.name, start=LATEST)
        try:
            await self._skip_to_end(reader)
            while left or self._waiting:
                while left and len(self._waiting) < IN_FLIGHT_MAX:
                    await self._ask(left.pop())
                for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                    await self._take(record)
                await self._give_up_late()
                self._progress(len(self._found), len(questions))
        finally:
            await reader.close()
        return self._found

    async def _skip_to_end(self, reader: LogReader) -> None:
        """Reach the end before the first question, so that no reply is missed."""
        async for _ in read_to_ends(reader):
            pass

    async def _ask(self, asked: AskedTurn) -> None:
        clock = self._bus.clock
        messages = turn_messages(asked.text, self._rubric)
        request = chat_request(asked.call_id, messages, clock.now())
        self._waiting[asked.call_id] = (asked, clock.monotonic())
        await self._bus.append(topics.prompted(self._node), request, key=request.asked_by)

    async def _take(self, record: Record) -> None:
        message = record.message_or_none()
        if not isinstance(message, ChatReply) or message.call_id not in self._waiting:
            return
        asked, _ = self._waiting.pop(message.call_id)
        self._answered = True
        await self._publish(judgement_of(asked, message, self._rubric, self._bus.clock.now()))

    async def _give_up_late(self) -> None:
        clock = self._bus.clock
        for call_id, (asked, since_s) in list(self._waiting.items()):
            if clock.monotonic() - since_s < self._wait_s:
                continue
            if not self._answered:
                raise DependencyMissing(
                    f"chat node {self._node} gave no reply within {self._wait_s:.0f} s",
                    remedy="is it running? (arena status lists the chat nodes)",
                )
            del self._waiting[call_id]
            await self._publish(unanswered(asked, self._wait_s, clock.now()))

    async def _publish(self, judgement: TurnJudgement) -> None:
        await self._bus.append(topics.EVALUATIONS.name, judgement, key=judgement.agent)
        self._found.append(judgement)
