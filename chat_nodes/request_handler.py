"""One request to one reply: deadline, budget, attempts, decoding, cost, and the log of the call.

Writes `llm.calls` and the agent's inbox; reads or writes recorded replies if the node has a file of
them. Both records are sent together, and a request is done when the brokers have acked both. Every
outcome gets a reply, so no agent waits in vain.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from arena import topics
from arena.errors import UsageError
from arena.heartbeat_details import RETRIES, as_detail
from arena.messages import CallOutcome, Cause, ChatReply, ChatRequest, LlmCall, Usage
from arena.model_prices import PriceList
from arena.node import Node
from arena.outside import Outside
from chat_nodes.budget import DailyBudget
from chat_nodes.call_index import CallIndex
from chat_nodes.call_records import (
    CallInProgress,
    logged_call,
    reply_from_log,
    reply_of,
    tool_names,
)
from chat_nodes.decode import Decoded
from chat_nodes.earlier_requests import InboxReplies
from chat_nodes.estimate import add_attempt_usage, call_usage
from chat_nodes.failure_log import CallFailures
from chat_nodes.model import CallFailed, Model, RawReply
from chat_nodes.recordings import RecordedReply, Recordings, request_sha256
from chat_nodes.redaction import decode_redacted, reveals_secret
from chat_nodes.retries import FinalFailure, after_failure
from chat_nodes.retry_waits import RetryWaits

MICRO = Decimal(1_000_000)
ESTIMATED = "estimated"
ADAPTATIONS_MAX = 8
"""Times one request is sent in another form because the provider refused the form before."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of one call.

    Attributes:
        timeout_s: Longest duration of one attempt, in seconds.
        max_retries: Attempts beyond the first.
    """

    timeout_s: float = 60.0
    max_retries: int = 3


class RequestHandler:
    """Handles requests with one model.

    Args:
        node: The process; this class updates its counters.
        model: The model that is called.
        limits: Limits of one call.
        prices: Prices of the known models.
        budget: Token budget of the day.
        call_index: Index of the calls that are in the log.
        recordings: File of recorded replies; None if every request calls the model.
        cutoff: Last month of the model's training data, if the operator states it; else "".
        outside: Where the model's calls run, if virtual time stands still for them. Then only the
            time-out of an attempt limits it, and not the deadline, which comes no nearer.
    """

    def __init__(
        self,
        node: Node,
        model: Model,
        limits: CallLimits,
        prices: PriceList,
        budget: DailyBudget,
        call_index: CallIndex,
        recordings: Recordings | None = None,
        cutoff: str = "",
        outside: Outside | None = None,
    ) -> None:
        """Look up the model's price; `handle` makes the first call."""
        self._node = node
        self._model = model
        self._limits = limits
        self._price = prices.of(model.model_id)
        self._budget = budget
        self._call_index = call_index
        self._recordings = recordings
        self._cutoff = cutoff
        self._outside = outside
        self._timer = node.clock if outside is None else outside.clock
        self._failures = CallFailures(node)
        self._waits = RetryWaits()
        self._log_partition: int | None = None
        self.replies = InboxReplies(node.bus)

    async def handle(self, request: ChatRequest, *, repeated: bool = False) -> None:
        """Reply to a request, from the log if it was answered before.

        Args:
            request: The request.
            repeated: True if it may have been answered: if its call is not in the log, its reply is
                looked up in the agent's inbox.

        Raises:
            AppendFailed: The log or the inbox could not be written.
        """
        logged = await self._call_index.find(request.call_id)
        reply = None if logged is None else reply_from_log(logged, request)
        source = "from_log"
        if logged is None and repeated and (reply := await self._find_reply(request)) is not None:
            source = "from_inbox"
            await self._report_lost_call(reply)
        clock = self._node.clock
        now = clock.now()
        if reply is not None and not _can_be_tried_again(reply, request, now):
            self._node.counters[source] += 1
            await self._node.bus.append(request.reply_to, reply, partition=0)
            return
        if (recorded := self._recorded_reply(request)) is not None:
            again = recorded.answer(
                request, self._node.name, now, is_earlier=self._is_of_earlier_run
            )
            self._node.counters["replayed"] += 1
            stated = {"cutoff": self._cutoff or again.call.cutoff}
            await self._send(request, again.call.model_copy(update=stated), again.reply)
            return
        call = CallInProgress(request, now, self._timer.monotonic())
        try:
            decoded = await self._decode_or_refuse(call)
        except asyncio.CancelledError:
            self._node.counters["cancelled"] += 1
            raise
        await self._publish(call, decoded)

    async def _find_reply(self, request: ChatRequest) -> ChatReply | None:
        """The reply in the agent's inbox; None if there is none, or the login may not read it."""
        try:
            return await self.replies.find(request)
        except UsageError as error:
            node = self._node
            node.details["inboxes_not_read"] = f"{error}; `arena topics acl --apply` grants it"
            node.log.warning("inbox not read", topic=request.reply_to, why=str(error))
            return None

    async def _report_lost_call(self, reply: ChatReply) -> None:
        text = (
            f"call {reply.call_id} of {reply.asked_by} is not in the log, and its reply is in the"
            " agent's inbox: the log was cut, or created again, or this node was killed before the"
            " record was written; the call is not made a second time"
        )
        node, partition = self._node, await self._call_index.partition()
        node.report_lost(topics.LLM_CALLS.name, partition, f"{node.name}, {reply.asked_by}", text)

    async def _decode_or_refuse(self, call: CallInProgress) -> Decoded:
        now = call.started_at
        late_s = (now - call.request.deadline_at).total_seconds()
        if late_s >= 0:
            error = f"the request came {late_s:.1f} s after its deadline"
            return Decoded("expired", error=error, cause=Cause.TIMEOUT)
        if refusal := self._budget.refusal(now):
            return Decoded("refused", error=refusal, cause=Cause.BUDGET)
        return await self._attempt(call)

    async def _attempt(self, call: CallInProgress) -> Decoded:
        """Call the model until it answers, no retry is left, or the deadline has passed."""
        limits = self._limits
        adaptations = 0
        while True:
            call.attempts += 1
            timeout_s = limits.timeout_s
            if self._outside is None:
                timeout_s = min(timeout_s, self._remaining_s(call))
            result = await self._complete(call.request, timeout_s)
            call.sent, call.body = result.sent, result.body
            if isinstance(result, RawReply):
                names = tool_names(call.request)
                decoded, call.withheld = decode_redacted(result.body, self._model.secrets, names)
                return decoded
            call.withheld = reveals_secret(result.body, self._model.secrets)
            call.errors = (*call.errors, result.reason)
            add_attempt_usage(call, result.body, result.paid)
            in_time = self._remaining_s(call) > 0
            if result.adapted and adaptations < ADAPTATIONS_MAX and in_time:
                adaptations += 1
                self._log_adaptation(call.request, result)
                continue
            next_step = after_failure(
                result,
                attempts=call.attempts - adaptations,
                max_retries=limits.max_retries,
                remaining_s=self._remaining_s(call),
                jitter=self._node.random.random(),
            )
            if isinstance(next_step, FinalFailure):
                return Decoded(next_step.outcome, error=next_step.error, cause=result.cause)
            self._node.counters["retries"] += 1
            self._failures.retried(call.request, reason=result.reason, delay_s=next_step.delay_s)
            await self._wait(call.request.call_id, result, next_step.delay_s)

    async def _wait(self, call_id: str, failed: CallFailed, delay_s: float) -> None:
        """Wait for the next attempt; the heartbeats say so meanwhile."""
        clock, details = self._node.clock, self._node.details
        self._waits.begin(call_id, failed.cause, clock.now() + timedelta(seconds=delay_s))
        try:
            details[RETRIES] = as_detail(self._waits.report())
            if self._outside is None:
                await clock.sleep(delay_s)
            else:
                await self._outside.run(lambda: self._timer.sleep(delay_s))
        finally:
            self._waits.end(call_id)
            details[RETRIES] = as_detail(self._waits.report())

    def _log_adaptation(self, request: ChatRequest, failed: CallFailed) -> None:
        """Log what the provider refused; the next attempt has another form."""
        self._node.counters["adapted"] += 1
        self._node.log.warning(
            "request adapted to the provider",
            call_id=request.call_id,
            agent=request.asked_by,
            reason=failed.reason,
        )

    async def _complete(self, request: ChatRequest, timeout_s: float) -> RawReply | CallFailed:
        try:
            return await self._model.complete(request, timeout_s=timeout_s)
        except Exception as error:  # a provider's bug costs one call, not the process
            # The same request would end the process again after every restart.
            self._node.log.exception("model raised", call_id=request.call_id)
            reason = f"the chat node could not make the call ({type(error).__name__}); see its log"
            return CallFailed(reason, retryable=False, cause=Cause.REFUSED_REQUEST)

    def _remaining_s(self, call: CallInProgress) -> float:
        """Seconds to the deadline, by the monotonic clock since the call began."""
        total_s = (call.request.deadline_at - call.started_at).total_seconds()
        if self._outside is not None:
            return total_s
        return total_s - (self._timer.monotonic() - call.started_s)

    async def _publish(self, call: CallInProgress, decoded: Decoded) -> None:
        """Log the call and send the reply; both are acked when this returns."""
        node, request = self._node, call.request
        ended_at = node.clock.now()
        latency_ms = round((self._timer.monotonic() - call.started_s) * 1000, 3)
        usage = call_usage(call, decoded, price=self._price, scripted=self._model.scripted)
        self._count(decoded.outcome, usage)
        tokens = usage.prompt_tokens + usage.completion_tokens
        self._budget.add(tokens, ended_at, estimated=usage.estimated)
        logged = logged_call(
            call,
            decoded,
            node=node.name,
            model=self._model.model_id,
            scripted=self._model.scripted,
            usage=usage,
            ended_at=ended_at,
            latency_ms=latency_ms,
            cutoff=self._cutoff,
        )
        reply = reply_of(logged, decoded)
        if call.attempts:
            await self._record(request, logged, reply)
        await self._send(request, logged, reply)
        self._failures.ended(request, decoded.outcome, error=decoded.error, cause=decoded.cause)
        node.log.debug(
            "model call",
            call_id=request.call_id,
            turn_id=request.turn_id,
            agent=request.asked_by,
            round=request.round,
            outcome=decoded.outcome,
            error=decoded.error,
            attempts=call.attempts,
            duration_ms=latency_ms,
            **({"tokens": tokens, "tokens_are": ESTIMATED} if usage.estimated else {}),
        )

    @property
    def _is_of_earlier_run(self) -> bool:
        """True if a recorded reply cannot be of this run: in a replay, and on virtual time.

        The process of a backtest is never started again, and its clock is not the machine's.
        """
        recordings = self._recordings
        replays = recordings is not None and recordings.mode == "replay"
        return replays or self._node.outside is not None

    def _recorded_reply(self, request: ChatRequest) -> RecordedReply | None:
        """The recorded reply to a request; None if there is none to answer with."""
        if self._recordings is None:
            return None
        sha256 = request_sha256(self._model.model_id, request)
        return self._recordings.find(sha256, request.call_id)

    async def _record(self, request: ChatRequest, logged: LlmCall, reply: ChatReply) -> None:
        """Write the model's answer to the file before any agent can act on it."""
        recordings = self._recordings
        if recordings is None or recordings.mode != "record":
            return
        sha256 = request_sha256(self._model.model_id, request)
        recorded = RecordedReply(request_sha256=sha256, call=logged, reply=reply)
        await self._node.threads.run(lambda: recordings.add(recorded))

    async def _send(self, request: ChatRequest, logged: LlmCall, reply: ChatReply) -> None:
        """Send the call and the reply; both are acked when this returns."""
        bus = self._node.bus
        if self._log_partition is None:
            self._log_partition = await self._call_index.partition()
        log_acked = await bus.send(
            topics.LLM_CALLS.name, logged, key=self._node.name, partition=self._log_partition
        )
        reply_acked = await bus.send(request.reply_to, reply, partition=0)
        logged_at = await log_acked
        self._call_index.add(request.call_id, logged_at.partition, logged_at.offset)
        await reply_acked

    def _count(self, outcome: CallOutcome, usage: Usage) -> None:
        counters = self._node.counters
        counters["calls"] += 1
        counters[outcome] += 1
        counters["prompt_tokens"] += usage.prompt_tokens
        counters["completion_tokens"] += usage.completion_tokens
        if usage.estimated:
            self._report_estimate()
        if usage.cost_usd is None:
            counters["unknown_price"] += 1
        else:
            counters["cost_microusd"] += int((usage.cost_usd * MICRO).to_integral_value())

    def _report_estimate(self) -> None:
        """Log once that the server counts no tokens; heartbeats count such calls."""
        node = self._node
        node.counters["estimated_usage"] += 1
        if node.details.get("tokens") != ESTIMATED:
            node.details["tokens"] = ESTIMATED
            node.log.warning(
                "the server does not count tokens: they are estimated, and so is what they cost",
                model=self._model.model_id,
            )


def _can_be_tried_again(logged: ChatReply, request: ChatRequest, now: datetime) -> bool:
    """True if a call expired before its first attempt and is requested again in time."""
    return logged.outcome == "expired" and not logged.attempts and now < request.deadline_at
