"""The kind "single": one conversation with one model. Events in, effects out.

    start -> ask the model -> [reply with calls -> run them, all at once -> ask again] -> finish

Events: `start`, `reply`, `result`, `time_passed`. Each returns effects: send a request, send tool
calls, record the turn. Replies and results that match no pending call (duplicates, late or foreign
ones) change nothing and are counted. Every path ends in exactly one `FinishTurn`.

An answer without a call and without text is not a decision: the model is told so and asked again,
once for an empty answer, and as often as the rounds allow for a call that cannot be read. A turn
that ends without anything usable has failed, with the cause `unusable_answer`.

Bounds: `routers.turn_types.Limits` and those of `routers.conversation_limits`. Pure: reads and
writes nothing.
"""

from collections.abc import Mapping
from datetime import timedelta

from arena import ids
from arena.messages import (
    Cause,
    ChatReply,
    RequestedCall,
    Round,
    ToolResult,
    TurnOutcome,
    TurnStarted,
)
from routers.conversation import EMPTY_ANSWER_TEXT, Conversation
from routers.conversation_limits import ERROR_BYTES_MAX, clip
from routers.kinds import AwaitedCall
from routers.memory import memory_line
from routers.portfolio import KnownPortfolio, portfolio_of_result
from routers.tool_round import ToolRound, start_round
from routers.turn_records import (
    Asking,
    TurnEnd,
    TurnUsage,
    chat_request,
    ended_turn,
    ms,
    silent_node_error,
    turn_started,
)
from routers.turn_types import (
    Effect,
    FinishTurn,
    Now,
    ResolvedAgent,
    SendRequest,
    SendToolCalls,
    TurnInput,
    no_answer_text,
)

MODEL_CALL = AwaitedCall()
TOOL_CALL = AwaitedCall(is_tool=True)


class SingleTurn:
    """The turn of an agent on a snapshot (`routers.kinds.TurnMachine`).

    Attributes:
        turn_id: Derived from agent and snapshot: the same turn has the same id in every process.
        wake_at_s: Monotonic time at which `time_passed` will do something.
        unmatched: How many replies and results matched no pending call.
        known: The newest portfolio in a result of this turn, or None.
        tool_calls: How many calls were sent.
        done: True once the turn is finished.
    """

    def __init__(self, agent: ResolvedAgent, turn_input: TurnInput) -> None:
        """Create the turn; call `start` to begin."""
        self.turn_id = ids.turn_id(agent.name, turn_input.snapshot.snapshot_id)
        self.wake_at_s = 0.0
        self.unmatched = 0
        self.known: KnownPortfolio | None = None
        self.tool_calls = 0
        self.done = False
        self._agent = agent
        self._input = turn_input
        self._conversation = Conversation(
            turn_input.system, turn_input.user, agent.form.call_text_bytes_max
        )
        self._rounds: list[Round] = []
        self._usage = TurnUsage()
        self._pending_call_id: str | None = None
        self._asked_at_s = 0.0
        self._model_ms = 0.0
        self._tool_round: ToolRound | None = None
        self._trades: list[str] = []
        self._carried_out = False
        self._warned_empty = False
        self._account_seq = -1

    @property
    def awaited(self) -> Mapping[str, AwaitedCall]:
        """The calls that the turn is waiting for: one to the model, or those to tools."""
        if self._tool_round is not None:
            return dict.fromkeys(self._tool_round.waiting, TOOL_CALL)
        return {} if self._pending_call_id is None else {self._pending_call_id: MODEL_CALL}

    def start(self, now: Now, *, again: bool = False) -> tuple[Effect, ...]:
        """Start the turn; `again` if its `TurnStarted` is in the log already."""
        self._started = now
        self._deadline = now.wall + timedelta(seconds=self._agent.limits.decision_s)
        self._deadline_s = now.monotonic_s + self._agent.limits.decision_s
        if again:
            return (self._ask(now),)
        started = turn_started(self.turn_id, self._agent, self._input, now)
        return (self._ask(now, started),)

    def reply(self, reply: ChatReply, now: Now) -> tuple[Effect, ...]:
        """Handle a reply of the model."""
        if self.done or reply.call_id != self._pending_call_id:
            self.unmatched += 1
            return ()
        self._pending_call_id = None
        self._model_ms = ms(now.monotonic_s - self._asked_at_s)
        self._usage.add(reply)
        if reply.outcome != "ok":
            self._end_round()
            outcome: TurnOutcome = "expired" if reply.outcome == "expired" else "failed"
            error = reply.error or f"the model call {reply.outcome}"
            return self._finish(now, outcome, error, reply.cause)
        calls = self._conversation.add_reply(reply, len(self._rounds))
        if calls:
            return self._call_tools(reply, calls, now)
        self._end_round()
        return self._without_calls(reply, now)

    def result(self, result: ToolResult, now: Now) -> tuple[Effect, ...]:
        """Handle the result of a tool call."""
        tools = self._tool_round
        index = None if tools is None else tools.waiting.pop(result.call_id, None)
        if tools is None or index is None:
            self.unmatched += 1
            return ()
        text = clip(result.text, self._agent.form.result_bytes_max)
        tools.answers[index] = text or "(the tool said nothing)"
        tools.ok[index] = result.ok
        tools.results[index] = result
        self._learn(result)
        return () if tools.waiting else self._continue(now)

    def time_passed(self, now: Now, *, note: str = "") -> tuple[Effect, ...]:
        """Stop waiting for what did not come in time.

        Args:
            now: The time.
            note: Appended to the error if the chat node did not answer.
        """
        if self.done or now.monotonic_s < self.wake_at_s:
            return ()
        limits = self._agent.limits
        if (tools := self._tool_round) is not None:
            for index in tools.waiting.values():
                account = tools.calls[index].name in self._agent.account_tools
                tools.answers[index] = no_answer_text(limits.tool_s, account=account)
            tools.waiting.clear()
            return self._continue(now)
        error = silent_node_error(self._agent, note)
        call_id, self._pending_call_id = self._pending_call_id or "", None
        model_ms = ms(now.monotonic_s - self._asked_at_s)
        self._rounds.append(
            Round(call_id=call_id, outcome="expired", error=error, model_ms=model_ms)
        )
        return self._finish(now, "expired", error, Cause.TIMEOUT)

    def stop(self, now: Now, outcome: TurnOutcome, error: str) -> tuple[Effect, ...]:
        """End the turn from outside, because the process stops."""
        if self.done:
            return ()
        if (tools := self._tool_round) is not None:
            self._tool_round = None
            self._end_round(tools, ms(now.monotonic_s - tools.sent_s))
        return self._finish(now, outcome, error)

    def _ask(self, now: Now, started: TurnStarted | None = None) -> SendRequest:
        agent = self._agent
        self._asked_at_s = now.monotonic_s
        self.wake_at_s = self._deadline_s + agent.limits.grace_s
        request = chat_request(
            self.turn_id,
            agent,
            self._input,
            Asking(len(self._rounds)),
            self._conversation.messages(),
            tools=agent.schemas,
            now=now,
            deadline_at=self._deadline,
        )
        self._pending_call_id = request.call_id
        return SendRequest(request, started)

    def _without_calls(self, reply: ChatReply, now: Now) -> tuple[Effect, ...]:
        """Text ends the turn; after anything else the model is told why and asked again."""
        if reply.unreadable:
            note_text = clip(reply.unreadable, ERROR_BYTES_MAX)
            error = f"the model's call could not be read: {note_text}"
        elif reply.text.strip() or self._carried_out:
            return self._finish(now, "completed", "")
        else:
            note_text, error = EMPTY_ANSWER_TEXT, "the model's answer was empty"
            if self._warned_empty:
                error += ", and again when it was told so"
                return self._finish(now, "failed", error, Cause.UNUSABLE_ANSWER)
            self._warned_empty = True
        if len(self._rounds) < self._agent.limits.rounds:
            self._conversation.add_user_message(note_text)
            return self._ask_before_deadline(now)
        outcome: TurnOutcome = "max_rounds" if self._carried_out else "failed"
        return self._finish(now, outcome, error, self._cause())

    def _call_tools(
        self, reply: ChatReply, calls: tuple[RequestedCall, ...], now: Now
    ) -> tuple[Effect, ...]:
        agent, round_ = self._agent, len(self._rounds)
        tools, messages = start_round(
            reply, calls, agent=agent, turn_input=self._input, round_=round_, now=now
        )
        self._tool_round = tools
        self.tool_calls += len(messages)
        if not messages:
            return self._continue(now)
        self.wake_at_s = now.monotonic_s + agent.limits.tool_s
        account = tuple(m for m in messages if m.tool in agent.account_tools)
        stateless = tuple(m for m in messages if m.tool not in agent.account_tools)
        return (SendToolCalls(account, stateless),)

    def _learn(self, result: ToolResult) -> None:
        """Store the newest portfolio; results of one round may come in any order."""
        portfolio = portfolio_of_result(result)
        if portfolio is None:
            return
        if result.account_seq is not None:
            if result.account_seq < self._account_seq:
                return
            self._account_seq = result.account_seq
        self.known = KnownPortfolio(portfolio, self._input.snapshot.as_of)

    def _continue(self, now: Now) -> tuple[Effect, ...]:
        """Continue after all calls of the round are answered: ask again, or end."""
        tools = self._tool_round
        assert tools is not None, "a round was started"
        self._tool_round = None
        tools.answers[-1] += tools.note
        self._conversation.add_results(tools.calls, tools.answers)
        self._end_round(tools, ms(now.monotonic_s - tools.sent_s))
        rounds = self._agent.limits.rounds
        if len(self._rounds) >= rounds:
            error = f"the model asked for tools {rounds} times, the limit"
            return self._finish(now, "max_rounds", error, self._cause())
        return self._ask_before_deadline(now)

    def _cause(self) -> str:
        """The cause of a turn that used up its rounds; "" if it decided (`arena.agent_health`)."""
        return "" if self._carried_out else Cause.UNUSABLE_ANSWER

    def _ask_before_deadline(self, now: Now) -> tuple[Effect, ...]:
        if now.monotonic_s >= self._deadline_s:
            error = f"the decision took longer than its {self._agent.limits.decision_s:g} s"
            return self._finish(now, "expired", error, Cause.TIMEOUT)
        return (self._ask(now),)

    def _end_round(self, tools: ToolRound | None = None, tools_ms: float = 0.0) -> None:
        reply = self._usage.last_reply
        assert reply is not None, "a round ends after its reply"
        if tools is not None:
            self._trades += tools.trades()
            self._carried_out |= tools.any_carried_out()
        self._rounds.append(
            Round(
                call_id=reply.call_id,
                outcome=reply.outcome,
                finish_reason=clip(reply.finish_reason, ERROR_BYTES_MAX),
                error=clip(reply.error, ERROR_BYTES_MAX),
                usage=reply.usage,
                model_ms=self._model_ms,
                tools_ms=tools_ms,
                tool_call_ids=tools.call_ids if tools else (),
                tools_ok=tuple(tools.ok) if tools else (),
            )
        )

    def _finish(
        self, now: Now, outcome: TurnOutcome, error: str, cause: str = ""
    ) -> tuple[Effect, ...]:
        self.done = True
        messages = self._conversation.messages()
        end = TurnEnd(
            outcome=outcome,
            error=error,
            cause=cause,
            final_text=self._conversation.final_text,
            memory=self._memory(outcome),
            known=self.known,
            left_out=self._left_out(),
        )
        turn = ended_turn(
            self.turn_id,
            self._agent,
            self._input,
            end,
            messages=messages,
            rounds=self._rounds,
            usage=self._usage,
            started=self._started,
            now=now,
        )
        return (FinishTurn(turn),)

    def _memory(self, outcome: TurnOutcome) -> str:
        if outcome in ("failed", "expired", "aborted") and not self._trades:
            return ""
        return memory_line(self._input.snapshot.as_of, self._trades, self._conversation.final_text)

    def _left_out(self) -> str:
        parts = [self._input.left_out] if self._input.left_out else []
        if count := self._conversation.left_out:
            parts.append(f"{count} sets of fields that the provider wanted back: record limit")
        return "; ".join(parts)


def create_turn(agent: ResolvedAgent, turn_input: TurnInput) -> SingleTurn:
    """Create the turn; call `start` to begin."""
    return SingleTurn(agent, turn_input)
