"""Asks a chat node the questions of a calibration, and publishes the rates.

Reads `agent.turns`, `arena.roster`, `judge.evaluations` and `judge.inbox`; writes
`ai_prompted.<node>` and `judge.evaluations`. The chat node must be running.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from arena import topics
from arena.bus.base import Bus, Record
from arena.errors import UsageError
from arena.messages import ChatReply, JudgeCalibration, Turn, TurnJudgement
from arena.read_topic import for_each_record
from arena.roster import read_agents
from judge.evaluations.llm.asking import Progress, ask_all, only_node, require_node
from judge.evaluations.llm.calibration import TurnChoice, calibration_of, questions_about
from judge.evaluations.llm.judgement import AskedTurn, judgement_of, unanswered
from judge.evaluations.llm.request import chat_request, turn_messages
from judge.evaluations.llm.rubric import Rubric, shipped_rubric
from judge.evaluations.llm.service import WAIT_S


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
    node = node or only_node([one.node for one in earlier], [one.node for one in agents.values()])
    others = {name for name, spec in agents.items() if spec.kind != "agent"}
    turns = await _chosen_turns(bus, count, others)
    asked = questions_about(turns, rubric, node)
    await require_node(bus, node, agents)
    judgements = await _judged(bus, node, asked, rubric, progress, wait_s)
    live = [one for one in earlier if not one.planted]
    found = calibration_of(judgements, live, rubric, bus.clock.now())
    await bus.append(topics.EVALUATIONS.name, found, key=node)
    return CalibrationRun(found, tuple(judgements))


async def _judged(
    bus: Bus,
    node: str,
    asked: Sequence[AskedTurn],
    rubric: Rubric,
    progress: Progress,
    wait_s: float,
) -> list[TurnJudgement]:
    """Ask about all turns, and publish the judgements; in the order of the answers."""
    by_call = {one.call_id: one for one in asked}
    found: list[TurnJudgement] = []

    async def take(call_id: str, reply: ChatReply | None) -> None:
        one, now = by_call[call_id], bus.clock.now()
        judgement = (
            unanswered(one, wait_s, now) if reply is None else judgement_of(one, reply, rubric, now)
        )
        await bus.append(topics.EVALUATIONS.name, judgement, key=judgement.agent)
        found.append(judgement)

    at = bus.clock.now()
    requests = [
        chat_request(call_id, turn_messages(one.text, rubric), at)
        for call_id, one in by_call.items()
    ]
    await ask_all(bus, node, requests, take, progress, wait_s=wait_s)
    return found


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


async def _chosen_turns(bus: Bus, count: int, others: set[str]) -> list[Turn]:
    choice = TurnChoice(count)

    def take(record: Record) -> None:
        if record.kind != "Turn" or record.key_text in others:
            return
        message = record.message_or_none()
        if isinstance(message, Turn) and message.agent not in others:
            choice.add(message)

    await for_each_record(bus, topics.TURNS, take)
    turns = choice.turns()
    if not turns:
        raise UsageError(
            "no agent has decided anything yet, so there is no turn to plant a fault in",
            remedy="let the arena run for some snapshots, then try again",
        )
    return turns
