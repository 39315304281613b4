"""How to add a kind of turn: copy this file to `<name>.py`, and name it in a strategy's file.

    turn_kind = "<name>"

`routers.kinds` says what every kind keeps. This one asks two roles at once, each with one request
and without tools, and ends with both texts; a role that gives none is left out. Pure.
"""

from collections.abc import Mapping
from datetime import timedelta

from arena import ids
from arena.messages import Cause, ChatMessage, ChatReply, Round, ToolResult, TurnOutcome
from routers.conversation_limits import REPLY_BYTES_MAX, clip
from routers.kinds import AwaitedCall
from routers.memory import memory_line
from routers.turn_records import (
    ENDED_BEFORE,
    Asking,
    TurnEnd,
    TurnUsage,
    chat_request,
    ended_turn,
    ms,
    silent_node_error,
    turn_started,
)
from routers.turn_types import Effect, FinishTurn, Now, ResolvedAgent, SendRequest, TurnInput

STAGE = "opinion"
ROLES = {
    "bull": "Say in one sentence what speaks for buying.",
    "bear": "Say in one sentence what speaks for selling.",
}
"""Role -> what it is asked after the prompt."""
CALLS_MIN = len(ROLES)
"""A turn asks every role: under caps on calls none starts with fewer calls left."""


class TemplateTurn:
    """The turn of an agent on a snapshot (`routers.kinds.TurnMachine`)."""

    def __init__(self, agent: ResolvedAgent, turn_input: TurnInput) -> None:
        """Create the turn; call `start` to begin."""
        self.turn_id = ids.turn_id(agent.name, turn_input.snapshot.snapshot_id)
        self.wake_at_s = 0.0
        self.unmatched = 0
        self.done = False
        self.awaited: Mapping[str, AwaitedCall] = {}
        self._agent = agent
        self._input = turn_input
        self._usage = TurnUsage()
        self._prompt = (
            ChatMessage(role="system", content=turn_input.system),
            ChatMessage(role="user", content=turn_input.user),
        )
        self._rounds: dict[str, Round] = {}
        self._texts: dict[str, str] = {}

    def start(self, now: Now, *, again: bool = False) -> tuple[Effect, ...]:
        """Ask every role at once; `again` if the `TurnStarted` is in the log already."""
        self._started = now
        limits = self._agent.limits
        self.wake_at_s = now.monotonic_s + limits.decision_s + limits.grace_s
        deadline_at = now.wall + timedelta(seconds=limits.decision_s)
        requests = [
            chat_request(
                self.turn_id,
                self._agent,
                self._input,
                Asking(number, STAGE, role),
                (*self._prompt, ChatMessage(role="user", content=text)),
                tools=(),
                now=now,
                deadline_at=deadline_at,
            )
            for number, (role, text) in enumerate(ROLES.items())
        ]
        self.awaited = {one.call_id: AwaitedCall(STAGE, one.role) for one in requests}
        self._rounds = {
            one.call_id: Round(
                call_id=one.call_id,
                outcome="expired",
                error=ENDED_BEFORE,
                stage=STAGE,
                role=one.role,
            )
            for one in requests
        }
        started = None if again else turn_started(self.turn_id, self._agent, self._input, now)
        first, *others = requests
        return (SendRequest(first, started), *map(SendRequest, others))

    def reply(self, reply: ChatReply, now: Now) -> tuple[Effect, ...]:
        """Keep the text of a role; the last one ends the turn."""
        if self.done or reply.call_id not in self.awaited:
            self.unmatched += 1
            return ()
        role = self.awaited[reply.call_id].role
        self.awaited = {i: call for i, call in self.awaited.items() if i != reply.call_id}
        self._usage.add(reply)
        self._rounds[reply.call_id] = Round(
            call_id=reply.call_id,
            outcome=reply.outcome,
            finish_reason=reply.finish_reason,
            error=reply.error,
            usage=reply.usage,
            model_ms=ms(now.monotonic_s - self._started.monotonic_s),
            stage=STAGE,
            role=role,
        )
        if reply.outcome == "ok" and reply.text.strip():
            self._texts[role] = clip(reply.text, REPLY_BYTES_MAX)
        return () if self.awaited else self._end(now)

    def result(self, result: ToolResult, now: Now) -> tuple[Effect, ...]:
        """Count a result: this kind calls no tools."""
        self.unmatched += 1
        return ()

    def time_passed(self, now: Now, *, note: str = "") -> tuple[Effect, ...]:
        """End the turn without the roles that did not reply in time."""
        if self.done or now.monotonic_s < self.wake_at_s:
            return ()
        error = silent_node_error(self._agent, note)
        model_ms = ms(now.monotonic_s - self._started.monotonic_s)
        for call_id in self.awaited:
            silent = {"error": error, "model_ms": model_ms}
            self._rounds[call_id] = self._rounds[call_id].model_copy(update=silent)
        self.awaited = {}
        return self._end(now)

    def stop(self, now: Now, outcome: TurnOutcome, error: str) -> tuple[Effect, ...]:
        """End the turn from outside, because the process stops."""
        return () if self.done else self._finish(now, TurnEnd(outcome, error))

    def _end(self, now: Now) -> tuple[Effect, ...]:
        if not self._texts:
            error = next((one.error for one in self._rounds.values() if one.error), "no answer")
            last = self._usage.last_reply
            if last is None:
                return self._finish(now, TurnEnd("expired", error, Cause.TIMEOUT))
            return self._finish(now, TurnEnd("failed", error, last.cause or Cause.UNUSABLE_ANSWER))
        text = "\n".join(f"{role}: {self._texts[role]}" for role in ROLES if role in self._texts)
        memory = memory_line(self._input.snapshot.as_of, [], text)
        return self._finish(now, TurnEnd("completed", final_text=text, memory=memory))

    def _finish(self, now: Now, end: TurnEnd) -> tuple[Effect, ...]:
        self.done = True
        answers = (self._texts[role] for role in ROLES if role in self._texts)
        turn = ended_turn(
            self.turn_id,
            self._agent,
            self._input,
            end,
            messages=(*self._prompt, *(ChatMessage(role="assistant", content=a) for a in answers)),
            rounds=self._rounds.values(),
            usage=self._usage,
            started=self._started,
            now=now,
        )
        return (FinishTurn(turn),)


def create_turn(agent: ResolvedAgent, turn_input: TurnInput) -> TemplateTurn:
    """Create the turn; call `start` to begin."""
    return TemplateTurn(agent, turn_input)
