"""Which turns are to be judged next, folded from the topics. Pure.

The state follows from `agent.turns`, `judge.evaluations` and `judge.inbox` alone, so a judge that
was killed continues where it was: what is judged is not asked again, and a reply that came
meanwhile is used.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from arena.bus.base import Record
from arena.messages import ChatReply, Turn, TurnJudgement
from judge.evaluations.llm.blind import blind_turn, is_judgeable
from judge.evaluations.llm.judgement import AskedTurn
from judge.evaluations.llm.rubric import Rubric
from judge.evaluations.llm.sampling import SampledTurn, Sampling, due

RECORDS_KEPT_MAX = 300
"""Newest sampled turns whose records are kept; older ones are not judged any more."""
REPLIES_KEPT_MAX = 2_000
FAILURES_MAX = 5
"""Failures in a row after which the judge pauses."""
PAUSE = timedelta(minutes=10)
TURN_HEADER = "correlation_id"
FIRST_DAY = date(1970, 1, 1)


@dataclass(slots=True)
class TurnsToJudge:
    """The turns of the sample and what is known of their judgements.

    Attributes:
        node: Name of the chat node that is asked.
        is_competitor: False for an agent that is not judged, such as a baseline.
        done: Turn and repeat of all judgements in the topic.
        replies: Call id -> a reply that no judgement was made from yet.
        failures_in_row: Judgements without answers since the last one with answers.
        last_at: Wall time of the newest judgement; None for none.
    """

    rubric: Rubric
    node: str
    sampling: Sampling
    is_competitor: Callable[[str], bool]
    done: set[tuple[str, int]] = field(default_factory=set)
    replies: OrderedDict[str, ChatReply] = field(default_factory=OrderedDict)
    failures_in_row: int = 0
    last_at: datetime | None = None
    _turns: dict[str, SampledTurn] = field(default_factory=dict)
    _records: dict[str, Record] = field(default_factory=dict)
    _newest_day: date = FIRST_DAY

    def take_turn(self, record: Record) -> bool:
        """Fold a record of `agent.turns`; True if it is a turn of the sample.

        Raises:
            Malformed: It is one of the sample, and cannot be read.
        """
        turn_id = record.headers.get(TURN_HEADER, b"").decode("utf-8", "replace")
        if record.kind != "Turn" or not self.sampling.takes(turn_id) or turn_id in self._turns:
            return False
        turn = record.message()
        if not isinstance(turn, Turn) or turn.turn_id != turn_id:
            return False
        if not is_judgeable(turn) or not self.is_competitor(turn.agent):
            return False
        sampled = SampledTurn(turn.as_of, turn_id)
        if sampled.day < self._newest_day - timedelta(days=1):
            return False
        self._turns[turn_id] = sampled
        self._records[turn_id] = record
        if sampled.day > self._newest_day:
            self._newest_day = sampled.day
            self._forget_older()
        if len(self._records) > RECORDS_KEPT_MAX:
            oldest = min(self._records, key=self._turns.__getitem__)
            del self._records[oldest]
        return True

    def take_judgement(self, judgement: TurnJudgement) -> None:
        """Fold a judgement of `judge.evaluations`; the first one of a turn and repeat counts."""
        key = (judgement.turn_id, judgement.repeat)
        if judgement.rubric != self.rubric.version or judgement.node != self.node:
            return
        if judgement.planted or key in self.done:
            return
        self.done.add(key)
        self.replies.pop(judgement.call_id, None)
        if self.last_at is None or judgement.at >= self.last_at:
            self.last_at = judgement.at
            self.failures_in_row = self.failures_in_row + 1 if judgement.failure else 0

    def take_reply(self, reply: ChatReply) -> None:
        """Keep a reply of `judge.inbox` until its turn is due; the first one of a call counts."""
        if reply.node != self.node:
            return
        self.replies.setdefault(reply.call_id, reply)
        while len(self.replies) > REPLIES_KEPT_MAX:
            self.replies.popitem(last=False)

    def paused_until(self, now: datetime) -> datetime | None:
        """The end of the pause after failures in a row; None if there is none."""
        if self.failures_in_row < FAILURES_MAX or self.last_at is None:
            return None
        end = self.last_at + PAUSE
        return end if now < end else None

    def due(self, count: int, asked: frozenset[tuple[str, int]]) -> list[AskedTurn]:
        """The next questions, newest turns first.

        Args:
            count: Most questions.
            asked: Turn and repeat of those that wait for a reply.
        """
        found: list[AskedTurn] = []
        for sampled, repeat in due(self._turns.values(), self.done | asked, self.sampling):
            if len(found) >= count:
                break
            record = self._records.get(sampled.turn_id)
            turn = record.message_or_none() if record is not None else None
            if isinstance(turn, Turn):
                text = blind_turn(turn).text
                found.append(AskedTurn.of(turn, text, self.rubric, self.node, repeat=repeat))
        return found

    @property
    def sampled(self) -> int:
        """How many turns of the sample are known."""
        return len(self._turns)

    def _forget_older(self) -> None:
        """Forget turns of days before the day before the newest one."""
        limit = self._newest_day - timedelta(days=1)
        old = [name for name, turn in self._turns.items() if turn.day < limit]
        for name in old:
            del self._turns[name]
            self._records.pop(name, None)
            self.done -= {(name, 0), (name, 1)}
