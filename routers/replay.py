"""One recorded turn, played again: the same machine, fed what the inbox held. Pure.

A turn is a function of its opening and of the answers that came in time. Both are in the records,
and so are the times, as durations in the `Turn`. So the same machine must ask the same questions,
send the same tool calls and end with the same record; only the times are taken from the log.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from arena.messages import ChatReply, ChatRequest, Message, Round, ToolCall, ToolResult, Turn
from routers.plan import Effect, FinishTurn, Now, Opening, Player, SendRequest, SendToolCalls
from routers.turn import IS_IT_RUNNING, TurnMachine

NO_ANSWER = "no answer in "
"""How the answer of a tool begins that did not come in time (`routers.plan.no_answer_text`)."""
NODE_SILENT = "chat node "
"""How the error of a round begins whose reply did not come in time."""

TIMES = {"issued_at", "deadline_at"}
"""Of a request or call: when it was sent, which no replay can know."""
TURN_TIMES = {"ended_at", "total_ms", "rounds"}
ROUND_TIMES = {"model_ms", "tools_ms"}

Pull = Callable[[str], tuple[int, ChatReply | ToolResult] | None]
"""The first answer to a call, and its place among all answers; None where there is none."""


@dataclass(slots=True)
class PlayedAgain:
    """What a turn asked and how it ended, this time.

    Attributes:
        asked: Requests to the model and tool calls, in order.
    """

    asked: list[ChatRequest | ToolCall] = field(default_factory=list)
    turn: Turn | None = None


def play_again(player: Player, opening: Opening, told: Turn, pull: Pull) -> PlayedAgain:
    """Play a turn with the answers that its record shows were taken.

    Args:
        player: Who plays.
        opening: The snapshot and the prompts, as they were rendered again.
        told: The turn as it was recorded.
        pull: Finds answers.
    """
    return _Play(player, opening, told, pull).run()


def content_sha256(message: Message) -> str:
    """Hash of a request or call without its times: what was asked, whenever that was."""
    return sha256(message.model_dump_json(exclude=TIMES).encode()).hexdigest()


def turn_difference(told: Turn, played: Turn) -> tuple[str, str] | None:
    """What a turn's record says and what came out, where they differ first.

    Times are left out, and so are fields that an older record does not have.
    """
    absent = set(Turn.model_fields) - told.model_fields_set
    said = told.model_dump(mode="json", exclude=TURN_TIMES | absent)
    found = played.model_dump(mode="json", exclude=TURN_TIMES | absent)
    said["rounds"] = [round_.model_dump(mode="json", exclude=ROUND_TIMES) for round_ in told.rounds]
    found["rounds"] = [
        round_.model_dump(mode="json", exclude=ROUND_TIMES) for round_ in played.rounds
    ]
    for name, value in said.items():
        if found[name] != value:
            return f"{name} {value}", f"{name} {found[name]}"
    return None


class _Play:
    """The machine, and the clock that the record gives."""

    def __init__(self, player: Player, opening: Opening, told: Turn, pull: Pull) -> None:
        self._told = told
        self._pull = pull
        self._machine = TurnMachine(player, opening)
        self._answers = list(_tool_answers(told))
        self._played = PlayedAgain()
        self._elapsed_s = 0.0
        self._round = 0

    def run(self) -> PlayedAgain:
        """Play until the machine has finished."""
        self._take(self._machine.start(self._now()))
        # Every step ends a wait of the machine, and it waits at most twice a round.
        for _ in range(2 * (len(self._told.rounds) + 1)):
            if self._machine.done:
                break
            self._step()
        if not self._machine.done:
            told = self._told
            self._take(self._machine.stop(self._now(), told.outcome, told.error))
        return self._played

    def _now(self, after_ms: float = 0.0, *, last: bool = False, at_least_s: float = 0.0) -> Now:
        """A later instant; the last one of a turn is when it was recorded to end."""
        self._elapsed_s += after_ms / 1000
        if last:
            self._elapsed_s = max(self._elapsed_s, self._told.total_ms / 1000)
        self._elapsed_s = max(self._elapsed_s, at_least_s)
        return Now(self._told.started_at + timedelta(seconds=self._elapsed_s), self._elapsed_s)

    def _step(self) -> None:
        told = self._told
        if self._round >= len(told.rounds):
            self._take(self._machine.stop(self._now(), told.outcome, told.error))
            return
        last = self._round == len(told.rounds) - 1
        self._reply(told.rounds[self._round], last=last)
        if self._machine.done or not self._machine.awaited:
            self._round += 1
            return
        if self._asks_tools():
            self._results(told.rounds[self._round], last=last)
        self._round += 1

    def _asks_tools(self) -> bool:
        return bool(self._played.asked) and isinstance(self._played.asked[-1], ToolCall)

    def _reply(self, told: Round, *, last: bool) -> None:
        found = self._pull(told.call_id)
        reply = found[1] if found is not None else None
        silent = told.outcome == "expired" and told.error.startswith(NODE_SILENT)
        taken = isinstance(reply, ChatReply) and (not silent or reply.error == told.error)
        ends = last and not told.tool_call_ids
        if taken and isinstance(reply, ChatReply):
            self._take(self._machine.reply(reply, self._now(told.model_ms, last=ends)))
        elif silent:
            until_s = self._machine.wake_at_s
            now = self._now(told.model_ms, last=ends, at_least_s=until_s)
            note = told.error.partition(IS_IT_RUNNING)[2]
            self._take(self._machine.time_passed(now, note=note))

    def _results(self, told: Round, *, last: bool) -> None:
        answers = self._answers[self._round] if self._round < len(self._answers) else []
        if last and self._told.outcome == "aborted" and not answers:
            return  # It was stopped before the answers came; those in its inbox came later.
        found = []
        for index, call_id in enumerate(told.tool_call_ids):
            if call_id not in self._machine.awaited:
                continue
            late = index < len(answers) and answers[index].startswith(NO_ANSWER)
            pulled = None if late else self._pull(call_id)
            if pulled is not None and isinstance(pulled[1], ToolResult):
                found.append((pulled[0], pulled[1]))
        now = self._now(told.tools_ms, last=last)
        for _, result in sorted(found, key=lambda pair: pair[0]):
            self._take(self._machine.result(result, now))
        if not self._machine.done and self._machine.awaited and not self._asks_model():
            until_s = self._machine.wake_at_s
            self._take(self._machine.time_passed(self._now(last=last, at_least_s=until_s)))

    def _asks_model(self) -> bool:
        return bool(self._played.asked) and isinstance(self._played.asked[-1], ChatRequest)

    def _take(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case SendRequest(request):
                    self._played.asked.append(request)
                case SendToolCalls(account, stateless):
                    self._played.asked += [*account, *stateless]
                case FinishTurn(turn):
                    self._played.turn = turn


def _tool_answers(turn: Turn) -> Iterator[list[str]]:
    """The tools' answers of each round, in the order of the calls."""
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
