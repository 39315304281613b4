"""Replays one recorded turn: the same state machine, fed with the replies of the inbox. Pure.

A turn is a function of its input and of the replies that came in time. Both are in the records, and
so are the times, as durations in the `Turn`. So the same machine must send the same requests and
tool calls and end with the same record; only the times are taken from the log.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from arena.messages import ChatReply, ChatRequest, Message, Round, ToolCall, ToolResult, Turn
from routers.kinds import create_turn
from routers.turn_records import ENDED_BEFORE, IS_IT_RUNNING
from routers.turn_types import (
    Effect,
    FinishTurn,
    Now,
    ResolvedAgent,
    SendRequest,
    SendToolCalls,
    TurnInput,
)

NO_ANSWER_PREFIX = "no answer in "
"""How the text about a missing tool result begins (`routers.turn_types.no_answer_text`)."""
NODE_SILENT_PREFIX = "chat node "
"""How the error of a round begins if the model's reply did not come in time."""

TIME_FIELDS = {"issued_at", "deadline_at"}
"""Fields of a request or call that say when it was sent, which no replay can know."""
TURN_TIME_FIELDS = {"ended_at", "total_ms", "rounds"}
ROUND_TIME_FIELDS = {"model_ms", "tools_ms"}

FindReply = Callable[[str], tuple[int, ChatReply | ToolResult] | None]
"""Call id -> the first reply to it and its position among all replies, or None."""


@dataclass(slots=True)
class ReplayedTurn:
    """What a replayed turn sent and how it ended.

    Attributes:
        sent: Requests to the model and tool calls, in order.
    """

    sent: list[ChatRequest | ToolCall] = field(default_factory=list)
    turn: Turn | None = None


def replay_turn(
    agent: ResolvedAgent, turn_input: TurnInput, recorded: Turn, find_reply: FindReply
) -> ReplayedTurn:
    """Replay a turn with the replies that, by its record, came in time.

    Args:
        agent: The agent.
        turn_input: The snapshot and the prompt, rendered again.
        recorded: The recorded turn.
        find_reply: Finds the first reply to a call.
    """
    return _TurnReplay(agent, turn_input, recorded, find_reply).run()


def content_sha256(message: Message) -> str:
    """Hash of a request or call without its times."""
    return sha256(message.model_dump_json(exclude=TIME_FIELDS).encode()).hexdigest()


def turn_difference(recorded: Turn, replayed: Turn) -> tuple[str, str] | None:
    """The first difference between a recorded and a replayed turn, or None.

    Times are left out, and so are fields that an older record does not have.

    Returns:
        The field with its recorded value, and with its replayed value.
    """
    absent = set(Turn.model_fields) - recorded.model_fields_set
    expected = recorded.model_dump(mode="json", exclude=TURN_TIME_FIELDS | absent)
    found = replayed.model_dump(mode="json", exclude=TURN_TIME_FIELDS | absent)
    expected["rounds"] = [
        round_.model_dump(mode="json", exclude=ROUND_TIME_FIELDS) for round_ in recorded.rounds
    ]
    found["rounds"] = [
        round_.model_dump(mode="json", exclude=ROUND_TIME_FIELDS) for round_ in replayed.rounds
    ]
    for name in (*expected, *(name for name in found if name not in expected)):
        if expected.get(name) != found.get(name):  # A field that is None is left out.
            return f"{name} {expected.get(name)}", f"{name} {found.get(name)}"
    return None


class _TurnReplay:
    """The state machine, and a clock that follows the record."""

    def __init__(
        self, agent: ResolvedAgent, turn_input: TurnInput, recorded: Turn, find_reply: FindReply
    ) -> None:
        self._recorded = recorded
        self._find_reply = find_reply
        self._machine = create_turn(agent, turn_input)
        self._answers = list(_tool_answers(recorded))
        self._replayed = ReplayedTurn()
        self._elapsed_s = 0.0
        self._sent_s: dict[str, float] = {}
        rounds = enumerate(recorded.rounds)
        self._unfed = {number: one for number, one in rounds if one.error != ENDED_BEFORE}

    def run(self) -> ReplayedTurn:
        """Run until the machine is done."""
        self._apply(self._machine.start(self._now()))
        # Every step ends a wait of the machine, and it waits at most twice a round.
        for _ in range(2 * (len(self._recorded.rounds) + 1)):
            if self._machine.done:
                break
            self._step()
        if not self._machine.done:
            recorded = self._recorded
            self._apply(self._machine.stop(self._now(), recorded.outcome, recorded.error))
        return self._replayed

    def _now(self, *, last: bool = False, at_least_s: float = 0.0) -> Now:
        """A later instant; the last one of a turn is its recorded end."""
        if last:
            self._elapsed_s = max(self._elapsed_s, self._recorded.total_ms / 1000)
        self._elapsed_s = max(self._elapsed_s, at_least_s)
        return Now(self._recorded.started_at + timedelta(seconds=self._elapsed_s), self._elapsed_s)

    def _step(self) -> None:
        recorded = self._recorded
        if not self._unfed:
            self._apply(self._machine.stop(self._now(), recorded.outcome, recorded.error))
            return
        number = self._next_round()
        round_, last = self._unfed.pop(number), len(self._unfed) == 0
        self._feed_reply(round_, last=last)
        if not self._machine.done and self._waits_for_tools():
            self._feed_results(number, round_, last=last)

    def _next_round(self) -> int:
        """The round whose reply came first, of those that the machine waits for."""
        awaited = self._machine.awaited
        waiting = [number for number, one in self._unfed.items() if one.call_id in awaited]
        if len(waiting) < 2:
            return waiting[0] if waiting else next(iter(self._unfed))
        return min(waiting, key=self._arrival)

    def _arrival(self, number: int) -> tuple[bool, int]:
        found = self._find_reply(self._unfed[number].call_id)
        return (True, number) if found is None else (False, found[0])

    def _waits_for_tools(self) -> bool:
        return any(call.is_tool for call in self._machine.awaited.values())

    def _feed_reply(self, recorded: Round, *, last: bool) -> None:
        found = self._find_reply(recorded.call_id)
        reply = found[1] if found is not None else None
        silent = recorded.outcome == "expired" and recorded.error.startswith(NODE_SILENT_PREFIX)
        taken = isinstance(reply, ChatReply) and (not silent or reply.error == recorded.error)
        ends = last and not recorded.tool_call_ids
        replied_s = self._sent_s.get(recorded.call_id, self._elapsed_s) + recorded.model_ms / 1000
        if taken and isinstance(reply, ChatReply):
            now = self._now(last=ends, at_least_s=replied_s)
            self._apply(self._machine.reply(reply, now))
        elif silent:
            now = self._now(last=ends, at_least_s=max(replied_s, self._machine.wake_at_s))
            note = recorded.error.partition(IS_IT_RUNNING)[2]
            self._apply(self._machine.time_passed(now, note=note))

    def _feed_results(self, number: int, recorded: Round, *, last: bool) -> None:
        answers = self._answers[number] if number < len(self._answers) else []
        if last and self._recorded.outcome == "aborted" and not answers:
            return  # The turn was stopped before the results came; those in its inbox came later.
        found = []
        for index, call_id in enumerate(recorded.tool_call_ids):
            if call_id not in self._machine.awaited:
                continue
            late = index < len(answers) and answers[index].startswith(NO_ANSWER_PREFIX)
            pulled = None if late else self._find_reply(call_id)
            if pulled is not None and isinstance(pulled[1], ToolResult):
                found.append((pulled[0], pulled[1]))
        now = self._now(last=last, at_least_s=self._elapsed_s + recorded.tools_ms / 1000)
        for _, result in sorted(found, key=lambda pair: pair[0]):
            self._apply(self._machine.result(result, now))
        if not self._machine.done and self._waits_for_tools():
            until_s = self._machine.wake_at_s
            self._apply(self._machine.time_passed(self._now(last=last, at_least_s=until_s)))

    def _apply(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case SendRequest(request):
                    self._replayed.sent.append(request)
                    self._sent_s[request.call_id] = self._elapsed_s
                case SendToolCalls(account, stateless):
                    self._replayed.sent += [*account, *stateless]
                case FinishTurn(turn):
                    self._replayed.turn = turn


def _tool_answers(turn: Turn) -> Iterator[list[str]]:
    """The texts of the tool results of each round, in the order of the calls."""
    answers: list[str] | None = None
    for message in turn.messages:
        if message.role == "assistant":
            if answers is not None:
                yield answers
            answers = []
        elif message.role == "tool" and answers is not None:
            answers.append(message.content)
    if answers is not None:
        yield answers
