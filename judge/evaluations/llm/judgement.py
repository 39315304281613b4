"""Makes a judgement from a turn and a reply, or from the lack of one. Pure."""

from dataclasses import dataclass
from datetime import datetime

from arena.messages import ChatReply, Turn, TurnJudgement
from arena.visible_text import one_line
from judge.evaluations.llm.judged import credit_of
from judge.evaluations.llm.reply import parse_reply
from judge.evaluations.llm.request import call_id_of, judgement_id
from judge.evaluations.llm.rubric import Rubric

FAILURE_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class AskedTurn:
    """One question to a model: which turn, and what it was shown.

    Attributes:
        text: The text that the model was shown about the turn.
        planted: Name of the planted fault; "twin" for an unchanged twin; "" otherwise.
        repeat: 0, or 1 for the second judgement of a turn.
    """

    agent: str
    turn_id: str
    snapshot_id: str
    as_of: datetime
    text: str
    rubric: str
    node: str
    planted: str = ""
    repeat: int = 0

    @classmethod
    def of(
        cls, turn: Turn, text: str, rubric: Rubric, node: str, *, planted: str = "", repeat: int = 0
    ) -> "AskedTurn":
        """The question about a turn, of which `text` is the blind form."""
        return cls(
            agent=turn.agent,
            turn_id=turn.turn_id,
            snapshot_id=turn.snapshot_id,
            as_of=turn.as_of,
            text=text,
            rubric=rubric.version,
            node=node,
            planted=planted,
            repeat=repeat,
        )

    @property
    def judgement_id(self) -> str:
        """The id of the judgement."""
        return judgement_id(
            self.turn_id, self.rubric, self.node, planted=self.planted, repeat=self.repeat
        )

    @property
    def call_id(self) -> str:
        """The id of the call."""
        return call_id_of(self.judgement_id)


def judgement_of(asked: AskedTurn, reply: ChatReply, rubric: Rubric, at: datetime) -> TurnJudgement:
    """The judgement that a reply gives."""
    answered = _unjudged(asked, at).model_copy(
        update={
            "model": reply.model,
            "scripted": reply.scripted,
            "cost_usd": reply.usage.cost_usd,
        }
    )
    if reply.outcome != "ok":
        why = f"the model call {reply.outcome}: {reply.error or reply.cause or 'no reason given'}"
        return answered.model_copy(update={"failure": one_line(why, FAILURE_CHARS_MAX)})
    parsed = parse_reply(reply.text, rubric, asked.text)
    if parsed.failure:
        why = one_line(parsed.failure, FAILURE_CHARS_MAX)
        return answered.model_copy(update={"failure": why})
    answered = answered.model_copy(update={"answers": parsed.answers})
    return answered.model_copy(update={"credit": credit_of(answered, rubric)})


def unanswered(asked: AskedTurn, waited_s: float, at: datetime) -> TurnJudgement:
    """The judgement of a turn for which no reply came."""
    why = f"chat node {asked.node} gave no reply within {waited_s:.0f} s"
    return _unjudged(asked, at).model_copy(update={"failure": why})


def _unjudged(asked: AskedTurn, at: datetime) -> TurnJudgement:
    return TurnJudgement(
        judgement_id=asked.judgement_id,
        agent=asked.agent,
        turn_id=asked.turn_id,
        snapshot_id=asked.snapshot_id,
        as_of=asked.as_of,
        rubric=asked.rubric,
        node=asked.node,
        planted=asked.planted,
        repeat=asked.repeat,
        call_id=asked.call_id,
        at=at,
    )
