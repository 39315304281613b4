"""Finds calls and requests that can be decoded but are invalid, so readers dead-letter them. Pure.

Implements the rules of the executor, the tools and the chat nodes a second time, so that the audit
does not rely on them.
"""

from arena import ids, topics
from arena.topics import partition_of
from ledger.audit.decoding import DecodedRecord, Json

ID_CHARS_MAX = 128
INDEX_MAX = 1_000_000


def is_invalid_call(decoded: DecodedRecord, body: Json, shards: int) -> bool:
    """True if no process may execute a call or request, so that it must become a dead letter.

    Args:
        decoded: A well-formed record of a call, request or command.
        body: Its body.
        shards: The number of partitions of `account.commands`.
    """
    inbox = topics.INBOX.name
    if decoded.kind == "ChatRequest":
        reply_to, other = str(body["reply_to"]), topics.ASKER_INBOXES.get(body.get("asker", ""))
        if other is not None:
            return reply_to != other.name
        name = reply_to.removeprefix(inbox)
        return not reply_to.startswith(inbox) or ids.NAME_PATTERN.fullmatch(name) is None
    agent = str(body["agent"])
    if ids.NAME_PATTERN.fullmatch(agent) is None:
        return True
    commands = decoded.topic == topics.COMMANDS.name
    if commands and shards and partition_of(agent, shards) != decoded.record.partition:
        return True
    if not 0 < len(str(body["call_id"])) <= ID_CHARS_MAX:
        return True
    if decoded.kind == "OpenAccount":
        return False
    names = (str(body["turn_id"]), str(body["snapshot_id"]))
    numbers = (int(body["round"]), int(body["index"]))
    return (
        body["reply_to"] != inbox + agent
        or max(map(len, names)) > ID_CHARS_MAX
        or not all(0 <= number <= INDEX_MAX for number in numbers)
    )
