"""Judges a sample of the turns with a language model, while the arena runs.

Reads `agent.turns`, `judge.evaluations`, `judge.inbox` and `arena.roster`; asks the model with
`ChatRequest` in `ai_prompted.<node>`, and writes a `TurnJudgement` per answer to
`judge.evaluations`. Several judges may run: they ask the same calls, which the chat node makes
once, and a judgement that is in the topic is not published again.
"""

from contextlib import aclosing
from dataclasses import dataclass, field

from arena import topics
from arena.bus.base import LogReader, Record, Start
from arena.errors import Malformed
from arena.ids import check_name
from arena.messages import AgentSpec, ChatReply, TurnJudgement
from arena.node import Node
from arena.read_topic import read_to_ends
from arena.shadow_agents import is_shadow
from judge.evaluations.llm.judgement import AskedTurn, judgement_of, unanswered
from judge.evaluations.llm.request import DEADLINE_S, chat_request, turn_messages
from judge.evaluations.llm.rubric import Rubric, shipped_rubric
from judge.evaluations.llm.sampling import Sampling
from judge.evaluations.llm.turns_to_judge import FAILURES_MAX, TurnsToJudge

READ_TIMEOUT_S = 0.5
RECORDS_PER_READ = 500
CATCH_UP_S = 60.0
LOOK_BACK_S = 86_400.0
"""Wall seconds: older turns are not judged, so a judge that was off does not make up for them."""
IN_FLIGHT_MAX = 4
WAIT_S = DEADLINE_S + 30.0
"""Longest wait for a reply; the chat node replies by the deadline."""
TURN_TOPICS = (topics.TURNS.name, topics.EVALUATIONS.name, topics.JUDGE_INBOX.name)


@dataclass(frozen=True, slots=True)
class TurnJudgeOptions:
    """Options of the judging of turns.

    Attributes:
        node: The chat node that is asked.
        sampling: The share of the turns, and the budget.
        wait_s: Longest wait for a reply.
    """

    node: str
    sampling: Sampling = field(default_factory=Sampling)
    wait_s: float = WAIT_S


def turn_judge_options(
    chat_node: str | None, share: float, calls_per_day: int
) -> TurnJudgeOptions | None:
    """The options that the flags of `arena judge` give; None if no model judges.

    Raises:
        UsageError: The chat node's name cannot be one.
    """
    if chat_node is None:
        return None
    return TurnJudgeOptions(check_name("chat node", chat_node), Sampling(share, calls_per_day))


class TurnJudge:
    """Judges turns until cancelled.

    Args:
        node: The running process.
        options: What is judged, and by which chat node.
    """

    def __init__(self, node: Node, options: TurnJudgeOptions) -> None:
        """Take the process and the options; `serve` reads the topics."""
        self.node = node
        self.options = options
        self.rubric: Rubric = shipped_rubric()
        self._kinds: dict[str, str] = {}
        self.state = TurnsToJudge(self.rubric, options.node, options.sampling, self._is_competitor)
        self._asked: dict[str, tuple[AskedTurn, float]] = {}
        self._changed = True
        self._in_order = False
        self._readers: tuple[LogReader, LogReader] | None = None

    async def serve(self) -> None:
        """Follow the topics, and ask about the turns that are due."""
        reader, roster = await self.open()
        try:
            self._report("judging turns", sampled=self.state.sampled)
            while True:
                await self._judge_due()
                for record in await reader.read(
                    timeout_s=READ_TIMEOUT_S, max_records=RECORDS_PER_READ
                ):
                    self.apply(record)
                for record in await roster.read(timeout_s=0.0, max_records=RECORDS_PER_READ):
                    self.apply(record)
        finally:
            await self.close()

    async def finish(self) -> None:
        """Read the topics to their ends, ask about all turns that are due, wait for the answers.

        Judgements are published in the order of the questions.
        """
        assert self._readers is not None, "it is open"
        reader, roster = self._readers
        self._in_order = self._changed = True
        await self._catch_up(roster)
        await self._catch_up(reader)
        while True:
            await self._judge_due()
            paused = self.state.paused_until(self.node.clock.now()) is not None
            if not self._asked and (paused or not self._changed):
                return
            if self._asked:
                for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                    self.apply(record)

    async def open(self) -> tuple[LogReader, LogReader]:
        """Read the topics to their present ends; returns the readers of turns and of the roster."""
        node, bus = self.node, self.node.bus
        prompted = topics.PROMPTED.member(self.options.node)
        names = (*TURN_TOPICS, topics.ROSTER.name)
        await bus.ensure_topics([prompted, *map(topics.spec_of, names)])
        since_ms = int((node.clock.now().timestamp() - LOOK_BACK_S) * 1000)
        roster = await bus.log_reader(topics.ROSTER.name)
        reader = await bus.log_reader(*TURN_TOPICS, start=Start.since(since_ms))
        self._readers = reader, roster
        await self._catch_up(roster)
        await self._catch_up(reader)
        return self._readers

    async def close(self) -> None:
        """Close the readers."""
        for reader in self._readers or ():
            await reader.close()

    def apply(self, record: Record) -> None:
        """Fold one record."""
        self._changed = True
        try:
            if record.topic == topics.TURNS.name:
                self.state.take_turn(record)
                return
            message = record.message() if record.value is not None else None
        except Malformed as error:
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            self.node.log.warning("unreadable record", record=where, error=str(error))
            return
        if isinstance(message, TurnJudgement):
            self.state.take_judgement(message)
        elif isinstance(message, ChatReply):
            self.state.take_reply(message)
        elif isinstance(message, AgentSpec):
            self._kinds[message.agent] = message.kind

    def _is_competitor(self, agent: str) -> bool:
        return self._kinds.get(agent, "agent") == "agent" and not is_shadow(agent)

    async def _catch_up(self, reader: LogReader) -> None:
        batches = read_to_ends(reader, stall_s=CATCH_UP_S, max_records=RECORDS_PER_READ)
        async with aclosing(batches):
            async for records in batches:
                for record in records:
                    self.apply(record)

    async def _judge_due(self) -> None:
        """Publish what was answered, give up what was not, and ask the next questions."""
        await self._take_answers()
        now = self.node.clock.now()
        if (end := self.state.paused_until(now)) is not None:
            self.node.details["turn_judge"] = f"paused until {end:%H:%M:%S} UTC after failures"
            return
        cautious = self.state.failures_in_row >= FAILURES_MAX
        room = (1 if cautious else IN_FLIGHT_MAX) - len(self._asked)
        if room <= 0 or not self._changed:
            return
        waiting = frozenset((one.turn_id, one.repeat) for one, _ in self._asked.values())
        due = self.state.due(room, waiting)
        self._changed = bool(due)
        for asked in due:
            await self._ask(asked)
        self._report()

    async def _ask(self, asked: AskedTurn) -> None:
        """Ask a question, unless its reply has come already, before a restart."""
        if (reply := self.state.replies.get(asked.call_id)) is not None:
            await self._publish(judgement_of(asked, reply, self.rubric, self.node.clock.now()))
            return
        messages = turn_messages(asked.text, self.rubric)
        request = chat_request(asked.call_id, messages, self.node.clock.now())
        topic = topics.prompted(self.options.node)
        self._asked[asked.call_id] = (asked, self.node.clock.monotonic())
        await self.node.bus.append(topic, request, key=request.asked_by)
        self.node.counters["judge_calls"] += 1

    async def _take_answers(self) -> None:
        clock = self.node.clock
        for call_id, (asked, since_s) in list(self._asked.items()):
            key = (asked.turn_id, asked.repeat)
            reply = self.state.replies.get(call_id)
            waited_s = clock.monotonic() - since_s
            if key in self.state.done:
                del self._asked[call_id]
            elif reply is not None:
                del self._asked[call_id]
                await self._publish(judgement_of(asked, reply, self.rubric, clock.now()))
            elif waited_s >= self.options.wait_s:
                del self._asked[call_id]
                await self._publish(unanswered(asked, self.options.wait_s, clock.now()))
            elif self._in_order:
                return  # Its judgement comes before those of later questions.

    async def _publish(self, judgement: TurnJudgement) -> None:
        node = self.node
        await node.bus.append(topics.EVALUATIONS.name, judgement, key=judgement.agent)
        self.state.take_judgement(judgement)
        self._changed = True
        node.counters["judgements"] += 1
        if judgement.failure:
            node.counters["judge_failures"] += 1
            node.log.warning("turn not judged", turn_id=judgement.turn_id, reason=judgement.failure)

    def _report(self, event: str = "", **facts: object) -> None:
        node, options = self.node, self.options
        node.gauges["judge_in_flight"] = len(self._asked)
        node.details["turn_judge"] = f"chat node {options.node}, rubric {self.rubric.version}"
        if event:
            sampling = options.sampling
            node.log.info(
                event,
                chat_node=options.node,
                rubric=self.rubric.version,
                share=sampling.share,
                calls_per_day=sampling.calls_per_day,
                **facts,
            )
