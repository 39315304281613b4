"""The tool calls of one reply, from the request to the last result. Pure.

Whether a call is carried out is decided here, call by call; results arrive in any order.
"""

from dataclasses import dataclass
from datetime import timedelta

from arena import ids, topics
from arena.messages import ChatReply, RequestedCall, ToolCall, ToolResult
from arena.messages.tools import DECIDED_TOOLS
from routers.conversation_limits import CALLS_RECORDED_MAX, ERROR_BYTES_MAX, clip, refusal_text
from routers.memory import trade_phrase
from routers.turn_types import Now, ResolvedAgent, TurnInput, quotes_seen

MALFORMED = "malformed_arguments"
"""The `error` of a tool that could not read its arguments."""


@dataclass(slots=True)
class ToolRound:
    """The calls of one reply and their results so far, by index.

    Attributes:
        answers: The text for the model about each call.
        ok: Whether each call was carried out.
        waiting: Call id -> index, for the calls without a result.
        sent: Indexes of the calls that were sent.
        note: Appended to the last answer: what was cut or could not be read.
    """

    calls: tuple[RequestedCall, ...]
    call_ids: tuple[str, ...]
    answers: list[str]
    ok: list[bool]
    results: list[ToolResult | None]
    waiting: dict[str, int]
    sent: frozenset[int]
    sent_s: float
    note: str = ""

    def trades(self) -> list[str]:
        """The outcomes of the orders, exits and cancellations that were sent, in order."""
        return [
            trade_phrase(call, self.results[index])
            for index, call in enumerate(self.calls)
            if index in self.sent and call.name in DECIDED_TOOLS
        ]

    def any_carried_out(self) -> bool:
        """True if a tool did what was asked, or an order was decided and refused."""
        return any(self.ok) or any(
            result is not None
            and self.calls[index].name in DECIDED_TOOLS
            and result.account_seq is not None
            and result.error != MALFORMED
            for index, result in enumerate(self.results)
        )


def start_round(
    reply: ChatReply,
    calls: tuple[RequestedCall, ...],
    *,
    agent: ResolvedAgent,
    turn_input: TurnInput,
    round_: int,
    now: Now,
) -> tuple[ToolRound, list[ToolCall]]:
    """Create the round that a reply asks for, and the calls to send.

    Args:
        reply: The unchanged reply: tools get the arguments as the model wrote them.
        calls: The calls as the conversation records them.
        agent: The agent.
        turn_input: The input of the turn.
        round_: The number of the round.
        now: When the calls are sent.
    """
    turn_id = ids.turn_id(agent.name, turn_input.snapshot.snapshot_id)
    call_ids = tuple(ids.tool_call_id(turn_id, round_, i) for i in range(len(calls)))
    found = ToolRound(
        calls=calls,
        call_ids=call_ids,
        answers=[""] * len(calls),
        ok=[False] * len(calls),
        results=[None] * len(calls),
        waiting={},
        sent=frozenset(),
        sent_s=now.monotonic_s,
        note=_note(reply),
    )
    names = [schema.name for schema in agent.schemas]
    messages = []
    for index, call in enumerate(calls):
        arguments = reply.tool_calls[index].arguments
        refusal = refusal_text(index, call, names, len(arguments.encode("utf-8", "replace")))
        if refusal is not None:
            found.answers[index] = refusal
            continue
        found.waiting[call_ids[index]] = index
        message = _tool_call(agent, turn_input, turn_id, round_, call, arguments, index, now)
        messages.append(message)
    found.sent = frozenset(found.waiting.values())
    return found, messages


def _note(reply: ChatReply) -> str:
    parts = []
    if reply.truncated and reply.error:
        parts.append(f" ({clip(reply.error, ERROR_BYTES_MAX)})")
    elif (dropped := len(reply.tool_calls) - CALLS_RECORDED_MAX) > 0:
        parts.append(f" ({dropped:,} further calls of this answer were dropped.)")
    if reply.unreadable:
        parts.append(f" ({clip(reply.unreadable, ERROR_BYTES_MAX)})")
    return "".join(parts)


def _tool_call(
    agent: ResolvedAgent,
    turn_input: TurnInput,
    turn_id: str,
    round_: int,
    call: RequestedCall,
    arguments: str,
    index: int,
    now: Now,
) -> ToolCall:
    snapshot = turn_input.snapshot
    return ToolCall(
        call_id=ids.tool_call_id(turn_id, round_, index),
        agent=agent.name,
        turn_id=turn_id,
        round=round_,
        index=index,
        tool=call.name,
        arguments=arguments,
        snapshot_id=snapshot.snapshot_id,
        ticker_offsets=snapshot.ticker_offsets,
        candle_offsets=snapshot.candle_offsets,
        quotes_seen=quotes_seen(snapshot, arguments),
        issued_at=now.wall,
        deadline_at=now.wall + timedelta(seconds=agent.limits.tool_s),
        reply_to=topics.inbox(agent.name),
    )
