"""One decision as a state machine: events in, effects out, no Kafka and no clock.

    start -> ask the model -> [reply with calls -> run them, all at once -> ask again] -> finish

Events: `start`, `reply`, `result`, `time_passed`. Each returns what is to be done: send a request,
send tool calls, record the turn. Replies and results that nothing waits for (duplicates, late or
foreign ones) change nothing and are counted. Every way ends in exactly one `FinishTurn`.

An answer that holds neither a call nor words is not a decision: the model is told and asked again.
It is told of an empty answer once, of a call that cannot be read as often as the rounds allow; a
turn that ends without anything usable has failed, with the cause `unusable_answer`.

Bounds: `routers.plan.Limits` and those of `routers.transcript`. Pure: reads and writes nothing.
"""

from collections.abc import Collection
from datetime import timedelta

from arena import ids, topics
from arena.messages import (
    Cause,
    ChatReply,
    ChatRequest,
    RequestedCall,
    Round,
    ToolResult,
    Turn,
    TurnOutcome,
    TurnStarted,
    Usage,
)
from routers.conversation import EMPTY_TOLD, Conversation
from routers.memory import memory_line
from routers.plan import (
    Effect,
    FinishTurn,
    Now,
    Opening,
    Player,
    SendRequest,
    SendToolCalls,
    no_answer_text,
)
from routers.portfolio import KnownPortfolio, portfolio_in
from routers.prompt import prompt_sha256
from routers.tool_round import ToolRound, open_round
from routers.transcript import ERROR_BYTES_MAX, FINAL_TEXT_BYTES_MAX, clip

IS_IT_RUNNING = "is it running?"


class TurnMachine:
    """The turn of a player on an opening.

    Attributes:
        turn_id: From agent and snapshot: the same turn has the same id wherever it is played.
        wake_at_s: Monotonic time at which `time_passed` will do something.
        late: Replies and results that nothing waited for.
        known: The newest portfolio a result of this turn carried, or None.
        tool_calls: Calls that were sent.
        done: True once the turn is finished.
    """

    def __init__(self, player: Player, opening: Opening) -> None:
        """Create the turn; call `start` to begin."""
        self.turn_id = ids.turn_id(player.agent, opening.snapshot.snapshot_id)
        self.wake_at_s = 0.0
        self.late = 0
        self.known: KnownPortfolio | None = None
        self.tool_calls = 0
        self.done = False
        self._player = player
        self._opening = opening
        self._talk = Conversation(opening.system, opening.user, player.form.aside_bytes_max)
        self._rounds: list[Round] = []
        self._usage = Usage(cost_usd=None)
        self._costs_known = True
        self._asked: str | None = None
        self._asked_s = 0.0
        self._answered: ChatReply | None = None
        self._model_ms = 0.0
        self._open: ToolRound | None = None
        self._trades: list[str] = []
        self._carried_out = False
        self._told_empty = False
        self._replayed = False
        self._account_seq = -1

    @property
    def awaited(self) -> Collection[str]:
        """Ids of the calls whose answers the turn waits for now."""
        if self._open is not None:
            return self._open.waiting.keys()
        return () if self._asked is None else (self._asked,)

    def start(self, now: Now, *, again: bool = False) -> tuple[Effect, ...]:
        """Begin the turn; `again` if the evidence of its beginning is in the log already."""
        self._started = now
        self._deadline = now.wall + timedelta(seconds=self._player.limits.decision_s)
        self._deadline_s = now.monotonic_s + self._player.limits.decision_s
        snapshot = self._opening.snapshot
        if again:
            return (self._ask(now),)
        started = TurnStarted(
            turn_id=self.turn_id,
            agent=self._player.agent,
            snapshot_id=snapshot.snapshot_id,
            snapshot_offset=self._opening.snapshot_offset,
            as_of=snapshot.as_of,
            started_at=now.wall,
        )
        return (self._ask(now, started),)

    def reply(self, reply: ChatReply, now: Now) -> tuple[Effect, ...]:
        """The model answered."""
        if self.done or reply.call_id != self._asked:
            self.late += 1
            return ()
        self._asked = None
        self._answered = reply
        self._replayed |= reply.replayed
        self._model_ms = _ms(now.monotonic_s - self._asked_s)
        self._add_usage(reply.usage)
        if reply.outcome != "ok":
            self._end_round()
            outcome: TurnOutcome = "expired" if reply.outcome == "expired" else "failed"
            error = reply.error or f"the model call {reply.outcome}"
            return self._finish(now, outcome, error, reply.cause)
        calls = self._talk.add_reply(reply, len(self._rounds))
        if calls:
            return self._call_tools(reply, calls, now)
        self._end_round()
        return self._without_calls(reply, now)

    def result(self, result: ToolResult, now: Now) -> tuple[Effect, ...]:
        """A tool answered."""
        tools = self._open
        index = None if tools is None else tools.waiting.pop(result.call_id, None)
        if tools is None or index is None:
            self.late += 1
            return ()
        text = clip(result.text, self._player.form.result_bytes_max)
        tools.answers[index] = text or "(the tool said nothing)"
        tools.ok[index] = result.ok
        tools.results[index] = result
        self._learn(result)
        return () if tools.waiting else self._go_on(now)

    def time_passed(self, now: Now, *, note: str = "") -> tuple[Effect, ...]:
        """Give up what did not come in time.

        Args:
            now: The time.
            note: Put behind the error of a chat node that did not answer.
        """
        if self.done or now.monotonic_s < self.wake_at_s:
            return ()
        limits = self._player.limits
        if (tools := self._open) is not None:
            for index in tools.waiting.values():
                account = tools.calls[index].name in self._player.account_tools
                tools.answers[index] = no_answer_text(limits.tool_s, account=account)
            tools.waiting.clear()
            return self._go_on(now)
        error = (
            f"chat node {self._player.node!r} did not answer in "
            f"{limits.decision_s + limits.grace_s:g} s; {IS_IT_RUNNING}{note}"
        )
        error = clip(error, ERROR_BYTES_MAX)
        call_id, self._asked = self._asked or "", None
        model_ms = _ms(now.monotonic_s - self._asked_s)
        self._rounds.append(
            Round(call_id=call_id, outcome="expired", error=error, model_ms=model_ms)
        )
        return self._finish(now, "expired", error, Cause.TIMEOUT)

    def stop(self, now: Now, outcome: TurnOutcome, error: str) -> tuple[Effect, ...]:
        """End the turn from outside: the process stops, or a message could not be sent."""
        if self.done:
            return ()
        if (tools := self._open) is not None:
            self._open = None
            self._end_round(tools, _ms(now.monotonic_s - tools.sent_s))
        return self._finish(now, outcome, error)

    def _ask(self, now: Now, started: TurnStarted | None = None) -> SendRequest:
        player, snapshot = self._player, self._opening.snapshot
        self._asked = ids.model_call_id(self.turn_id, len(self._rounds))
        self._asked_s = now.monotonic_s
        self.wake_at_s = self._deadline_s + player.limits.grace_s
        request = ChatRequest(
            call_id=self._asked,
            agent=player.agent,
            turn_id=self.turn_id,
            round=len(self._rounds),
            strategy=player.strategy.name,
            snapshot_id=snapshot.snapshot_id,
            messages=self._talk.messages(),
            tools=player.schemas,
            sampling=player.strategy.sampling,
            issued_at=now.wall,
            deadline_at=self._deadline,
            reply_to=topics.inbox(player.agent),
            prompt_size=player.form.size,
        )
        return SendRequest(request, started)

    def _without_calls(self, reply: ChatReply, now: Now) -> tuple[Effect, ...]:
        """Words end the turn; anything else is told, and asked for again."""
        if reply.unreadable:
            told = clip(reply.unreadable, ERROR_BYTES_MAX)
            error = f"the model's call could not be read: {told}"
        elif reply.text.strip() or self._carried_out:
            return self._finish(now, "completed", "")
        else:
            told, error = EMPTY_TOLD, "the model's answer was empty"
            if self._told_empty:
                error += ", and again when it was told so"
                return self._finish(now, "failed", error, Cause.UNUSABLE_ANSWER)
            self._told_empty = True
        if len(self._rounds) < self._player.limits.rounds:
            self._talk.tell(told)
            return self._ask_in_time(now)
        outcome: TurnOutcome = "max_rounds" if self._carried_out else "failed"
        return self._finish(now, outcome, error, self._cause())

    def _call_tools(
        self, reply: ChatReply, calls: tuple[RequestedCall, ...], now: Now
    ) -> tuple[Effect, ...]:
        player, round_ = self._player, len(self._rounds)
        tools, messages = open_round(
            reply, calls, player=player, opening=self._opening, round_=round_, now=now
        )
        self._open = tools
        self.tool_calls += len(messages)
        if not messages:
            return self._go_on(now)
        self.wake_at_s = now.monotonic_s + player.limits.tool_s
        account = tuple(m for m in messages if m.tool in player.account_tools)
        stateless = tuple(m for m in messages if m.tool not in player.account_tools)
        return (SendToolCalls(account, stateless),)

    def _learn(self, result: ToolResult) -> None:
        """Keep the newest portfolio; results of one round may come in any order."""
        portfolio = portfolio_in(result)
        if portfolio is None:
            return
        if result.account_seq is not None:
            if result.account_seq < self._account_seq:
                return
            self._account_seq = result.account_seq
        self.known = KnownPortfolio(portfolio, self._opening.snapshot.as_of)

    def _go_on(self, now: Now) -> tuple[Effect, ...]:
        """All calls of the round are answered: ask again, or end."""
        tools = self._open
        assert tools is not None, "a round goes on only while it is open"
        self._open = None
        tools.answers[-1] += tools.note
        self._talk.add_answers(tools.calls, tools.answers)
        self._end_round(tools, _ms(now.monotonic_s - tools.sent_s))
        rounds = self._player.limits.rounds
        if len(self._rounds) >= rounds:
            error = f"the model asked for tools {rounds} times, the limit"
            return self._finish(now, "max_rounds", error, self._cause())
        return self._ask_in_time(now)

    def _cause(self) -> str:
        """Of a turn that its rounds ended; "" if it holds a decision (`arena.vitals`)."""
        return "" if self._carried_out else Cause.UNUSABLE_ANSWER

    def _ask_in_time(self, now: Now) -> tuple[Effect, ...]:
        if now.monotonic_s >= self._deadline_s:
            error = f"the decision took longer than its {self._player.limits.decision_s:g} s"
            return self._finish(now, "expired", error, Cause.TIMEOUT)
        return (self._ask(now),)

    def _end_round(self, tools: ToolRound | None = None, tools_ms: float = 0.0) -> None:
        reply = self._answered
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

    def _add_usage(self, usage: Usage) -> None:
        total = self._usage
        self._costs_known = self._costs_known and usage.cost_usd is not None
        cost = usage.cost_usd if total.cost_usd is None else total.cost_usd + (usage.cost_usd or 0)
        self._usage = Usage(
            prompt_tokens=total.prompt_tokens + usage.prompt_tokens,
            completion_tokens=total.completion_tokens + usage.completion_tokens,
            reasoning_tokens=total.reasoning_tokens + usage.reasoning_tokens,
            cached_tokens=total.cached_tokens + usage.cached_tokens,
            cost_usd=cost if self._costs_known else None,
            estimated=total.estimated or usage.estimated,
        )

    def _finish(
        self, now: Now, outcome: TurnOutcome, error: str, cause: str = ""
    ) -> tuple[Effect, ...]:
        self.done = True
        player, opening, snapshot = self._player, self._opening, self._opening.snapshot
        known = self.known or opening.known
        age_s = (self._started.wall - snapshot.published_at).total_seconds()
        turn = Turn(
            turn_id=self.turn_id,
            agent=player.agent,
            strategy=player.strategy.name,
            node=player.node,
            model=self._answered.model if self._answered else "",
            scripted=self._answered.scripted if self._answered else False,
            replayed=self._replayed,
            snapshot_id=snapshot.snapshot_id,
            snapshot_offset=opening.snapshot_offset,
            as_of=snapshot.as_of,
            prompt_sha256=prompt_sha256(opening.system, opening.user),
            prompt_version=player.strategy.prompt_version,
            messages=self._talk.messages(),
            rounds=tuple(self._rounds),
            skipped_snapshots=opening.skipped,
            outcome=outcome,
            error=clip(error, ERROR_BYTES_MAX),
            cause=cause,
            prompt_size=player.form.size,
            left_out=self._left_out(),
            final_text=clip(self._talk.words, FINAL_TEXT_BYTES_MAX),
            memory=self._memory(outcome),
            portfolio=known and known.portfolio,
            portfolio_as_of=known and known.as_of,
            usage=self._usage,
            started_at=self._started.wall,
            ended_at=now.wall,
            snapshot_age_ms=_ms(max(0.0, age_s)),
            total_ms=_ms(now.monotonic_s - self._started.monotonic_s),
        )
        return (FinishTurn(turn),)

    def _memory(self, outcome: TurnOutcome) -> str:
        if outcome in ("failed", "expired", "aborted") and not self._trades:
            return ""
        return memory_line(self._opening.snapshot.as_of, self._trades, self._talk.words)

    def _left_out(self) -> str:
        parts = [self._opening.left_out] if self._opening.left_out else []
        if count := self._talk.left_out:
            parts.append(f"{count} sets of fields that the provider wanted back: record limit")
        return "; ".join(parts)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
