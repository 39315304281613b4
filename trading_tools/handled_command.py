"""The outcome of a command, and the refusals of commands that are not decided. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from arena.accounts import unix_us
from arena.messages import ToolCall, ToolResult
from trading_tools.arguments import quoted
from trading_tools.events import PendingEvent
from trading_tools.replies import failed_result

TOO_OLD = "too_old"
"""Reason for refusing an order that may have been decided so long ago that its id is forgotten."""
ISSUED_AHEAD = "issued_ahead"
"""Reason for refusing an order whose issue time is long after the time of its record."""
ISSUED_AHEAD_MAX = timedelta(hours=1)
"""Issue times are kept to recognise copies: one from far in the future would make every later order
of its agent look like a copy until then."""
MICROSECOND = timedelta(microseconds=1)
CommandKind = Literal[
    "opened",
    "filled",
    "rejected",
    "accepted",
    "part_filled",
    "cancelled",
    "duplicate",
    "read",
    "refused",
]


@dataclass(slots=True)
class HandledCommand:
    """The outcome of a command.

    Attributes:
        kind: The outcome in one word; a duplicate was decided before.
        reason: The reason of a rejection or refusal.
        appends: Events for the log, already folded into the shard.
        reply: The reply for the agent's inbox, or None if it is too late for one.
        dead_letter_reason: Why the command goes to the dead letters; "" if it does not.
    """

    kind: CommandKind
    reason: str = ""
    appends: list[PendingEvent] = field(default_factory=list)
    reply: ToolResult | None = None
    dead_letter_reason: str = ""


def unknown_tool(call: ToolCall, tools: Iterable[str]) -> HandledCommand:
    """Refuse a call of a tool that no account has."""
    names = ", ".join(tools)
    text = f"There is no account tool {quoted(call.tool)}; there are {names}."
    return HandledCommand(
        "refused", "unknown_tool", reply=failed_result(call, "unknown_tool", text)
    )


def too_late(call: ToolCall) -> HandledCommand:
    """Refuse to read an account after the deadline."""
    text = f"{call.tool} was not run: its deadline had passed."
    return HandledCommand("refused", "expired", reply=failed_result(call, "expired", text))


def too_old(call: ToolCall, now: datetime) -> HandledCommand:
    """Refuse an order that may have been decided before."""
    issued = f"it was issued at {call.issued_at.isoformat(timespec='milliseconds')}"
    why = f"{issued}, before orders of {call.agent} that are decided and no longer remembered"
    dead_letter_reason = f"the order {call.call_id} may have been decided before: {why}"
    return _refuse(
        call, TOO_OLD, f"{why}. Nothing was traded; order again.", dead_letter_reason, now
    )


def issued_ahead(call: ToolCall, now: datetime) -> HandledCommand:
    """Refuse an order whose issue time is long after the time of its record."""
    issued = f"it says it was issued at {call.issued_at.isoformat(timespec='seconds')}"
    hours = ISSUED_AHEAD_MAX.total_seconds() / 3600
    why = f"{issued}, more than {hours:g} h after the broker had it"
    text = f"{why}. Nothing was traded; the clock of the agent's router has to be set."
    dead_letter_reason = f"the order {call.call_id} is refused: {why}; set the clock of its router"
    return _refuse(call, ISSUED_AHEAD, text, dead_letter_reason, now)


def is_ahead(call: ToolCall, written_ms: int) -> bool:
    """True if an order's issue time is too far after the time of its record."""
    if written_ms <= 0:
        return False
    return unix_us(call.issued_at) - 1_000 * written_ms > ISSUED_AHEAD_MAX // MICROSECOND


def _refuse(
    call: ToolCall, reason: str, text: str, dead_letter_reason: str, now: datetime
) -> HandledCommand:
    """Refuse an order without an event, with a reply if it is not too late for one."""
    reply = None
    if now <= call.deadline_at:
        reply = failed_result(call, reason, f"{call.tool} was not run: {text}")
    return HandledCommand("refused", reason, reply=reply, dead_letter_reason=dead_letter_reason)
