"""Calls and requests that their readers bury although they can be read. Pure.

Written down a second time from the rules of the executor, the tools and the chat nodes, so that the
audit does not ask them whether they are right.
"""

from arena import ids, topics
from arena.topics import partition_of
from ledger.audit.decoding import DecodedRecord, Json

ID_CHARS_MAX = 128
INDEX_MAX = 1_000_000


def is_invalid_call(decoded: DecodedRecord, body: Json, shards: int) -> bool:
    """True if no process may decide or answer a call or request: it is to be a dead letter.

    Args:
        seen: A well-formed record of a topic of work.
        body: Its body.
        shards: Partitions of `account.commands`.
    """
    inbox, agent = topics.INBOX.name, str(body["agent"])
    if decoded.kind == "ChatRequest":
        asker = str(body["reply_to"])
        name = asker.removeprefix(inbox)
        return not asker.startswith(inbox) or ids.NAME_PATTERN.fullmatch(name) is None
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
