"""Checks the envelope of a call before anything in it is copied, answered or decided. Pure.

Routers are trusted to be honest, but not to be free of bugs: an id of a megabyte, a number of more
than 64 bits or the `reply_to` `account.events` must not get past this check.
"""

from arena import ids, topics
from arena.messages import OpenAccount, ToolCall
from arena.unknown_names import OPERATOR, RESERVED

ID_CHARS_MAX = 128
"""Ids are copied into events; ours are 36 characters."""
PLACE_MAX = 1_000_000
"""Rounds and indexes are copied too; no turn has more."""


def why_invalid(message: ToolCall | OpenAccount) -> str | None:
    """Why a message cannot be handled, or None if it can."""
    if not ids.NAME_PATTERN.fullmatch(message.agent):
        return "its agent's name cannot be part of a topic name"
    if message.agent in RESERVED and message.agent != OPERATOR:
        return f"no agent may be called {message.agent!r}: it is {RESERVED[message.agent]}"
    if not 0 < len(message.call_id) <= ID_CHARS_MAX:
        return f"its call_id has {len(message.call_id):,} characters, not 1 to {ID_CHARS_MAX}"
    if isinstance(message, OpenAccount):
        return None
    if message.reply_to != topics.inbox(message.agent):
        return f"its reply_to is not {topics.inbox(message.agent)}"
    if max(len(message.turn_id), len(message.snapshot_id)) > ID_CHARS_MAX:
        return f"its turn_id or snapshot_id has more than {ID_CHARS_MAX} characters"
    if not (0 <= message.round <= PLACE_MAX and 0 <= message.index <= PLACE_MAX):
        return f"its round or index is not from 0 to {PLACE_MAX:,}"
    return None
