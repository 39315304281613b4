"""Checks whether `account.events` lost its end, by results in inboxes for events it does not have.

Reads the newest records of the inboxes of a shard's agents. A result is sent only once its event
was acked, and has the event's sequence number. So a higher number than the log's means that events
are lost: the log was cut, or deleted and created again. The fold alone cannot see that, because the
rest of a log is sound. A record of an inbox is evidence and not a proof, because other processes
may write there (on a secure broker: executors, tools and chat nodes): the report names the record.
A number that is too high for all the commands and results ever written is not taken as a loss.
"""

from collections.abc import Iterable
from contextlib import aclosing
from typing import NamedTuple

from arena import ids, topics
from arena.accounts import Shard
from arena.bus.base import Bus, LogReader, Record
from arena.errors import BrokerUnavailable
from arena.newest_results import account_seq_of, json_body, newest_records
from arena.read_topic import read_to_ends

AGENTS_MAX = 1_000
"""How many agents' inboxes are checked per shard."""
COMMANDS_MAX = 1_000
"""How many commands are searched for names of agents without an account."""
EVENTS_PER_RECORD = 1_000
"""Most events per command or result: an order can bring exits, and fill in many steps."""
CHECK_TIMEOUT_S = 5.0
REDECIDED = (
    "the effects of the lost events are undone; orders whose commands are still in account.commands"
    " are decided again, at current prices"
)


class InboxCheck(NamedTuple):
    """The result of comparing a shard's events with inboxes.

    Attributes:
        loss: Describes what is lost; "" if nothing is known to be.
        unproven: Describes what was not compared, or proves nothing; "" for nothing.
    """

    loss: str = ""
    unproven: str = ""


async def check_inboxes(bus: Bus, shard: Shard, commands: LogReader) -> InboxCheck:
    """Compare a shard with the inboxes of its agents; no inbox is created.

    Args:
        bus: Connected.
        shard: Folded to the end of its log.
        commands: Reads the shard's commands, from the first record; its position changes.
    """
    try:
        async with bus.clock.timeout(CHECK_TIMEOUT_S):
            return await _check(bus, shard, commands)
    except (TimeoutError, BrokerUnavailable) as error:
        why = str(error) or f"they were not read in {CHECK_TIMEOUT_S:.0f} s"
    return InboxCheck(unproven=f"agents' inboxes were not compared with the log: {why}")


async def _check(bus: Bus, shard: Shard, commands: LogReader) -> InboxCheck:
    (written,) = (await commands.end_offsets()).values()
    agents = dict.fromkeys([*shard.accounts, *await _agents_of(commands)])
    inboxes = await bus.existing_topics(topics.inbox(agent) for agent in agents)
    if not inboxes:
        return InboxCheck()
    left = len(inboxes) - AGENTS_MAX
    reader = await bus.log_reader(*inboxes[:AGENTS_MAX])
    try:
        written += sum((await reader.end_offsets()).values())
        found = compare_results(
            await newest_records(reader), shard.seq, EVENTS_PER_RECORD * written
        )
    finally:
        await reader.close()
    if left <= 0:
        return found
    text = f"{left:,} of {len(inboxes):,} agents' inboxes were not compared with the log"
    return found._replace(unproven="; ".join(filter(None, (found.unproven, text))))


async def _agents_of(commands: LogReader) -> list[str]:
    """The agents in the first commands."""
    found: dict[str, None] = {}
    count = 0
    async with aclosing(read_to_ends(commands)) as batches:
        async for records in batches:
            for record in records:
                agent = json_body(record).get("agent")
                if isinstance(agent, str) and ids.NAME_PATTERN.fullmatch(agent):
                    found[agent] = None
            count += len(records)
            if count >= COMMANDS_MAX:
                break
    return [*found]


def compare_results(records: Iterable[Record], seq: int, seq_max: int) -> InboxCheck:
    """Compare the results in inboxes with the newest event of the log.

    Args:
        records: Records of inboxes.
        seq: Sequence number of the log's newest event.
        seq_max: The highest number that the commands and results ever written can have led to.
    """
    highest, excess = seq, max(seq, seq_max)
    named = beyond = ""
    for record in records:
        found = account_seq_of(record)
        place = f"{record.topic}[{record.partition}]@{record.offset}"
        if highest < found <= seq_max:
            highest = found
            agent = record.topic.removeprefix(topics.INBOX.name)
            named = f"{agent} got a result of event {found:,} ({place})"
        elif found > excess:
            excess, beyond = found, f"{place} is a result of event {found:,}"
    loss = unproven = ""
    if named:
        loss = (
            f"{named}, the log ends with event {seq:,}: unless that record is forged, the log was"
            f" cut, or deleted and created again, and at least {highest - seq:,} events are gone;"
            f" {REDECIDED}"
        )
    if beyond:
        unproven = (
            f"{beyond}, but all commands and results ever written can have led to at most"
            f" {seq_max:,}: the record is forged, or these topics lost records, too"
        )
    return InboxCheck(loss, unproven)
