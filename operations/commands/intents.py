"""`arena intents`: the approved orders on `trade.intents`, each once. Reads it, writes nothing.

After a crash the executor may broadcast an intent again; the first record of an `intent_id` counts.
"""

from collections import OrderedDict
from typing import Annotated

import typer

from arena import topics
from arena.bus.base import Record
from arena.messages import TradeIntent
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.plural import counted
from arena.run_lookup import find_arena
from operations.commands.tail import print_topic
from operations.commands.tail_filter import RecordFilter, parse_start, record_line
from operations.commands.topic_options import Follow, From, Limit

IDS_MAX = 100_000
"""Ids of intents that are remembered, to recognise copies."""


class FirstIntents:
    """Lines of intents: the first record of each id.

    Args:
        agent: Show only the intents of this agent; None for all.
        as_json: Lines of JSON.

    Attributes:
        copies: How many records repeated an intent.
    """

    def __init__(self, agent: str | None, *, as_json: bool) -> None:
        """Start without intents."""
        self.copies = 0
        self._filter = RecordFilter(agent=agent)
        self._as_json = as_json
        self._seen: OrderedDict[str, None] = OrderedDict()

    def line(self, record: Record) -> str | None:
        """The line of a record; None for a copy, and for another agent's."""
        message = record.message_or_none()
        if isinstance(message, TradeIntent):
            if message.intent_id in self._seen:
                self.copies += 1
                return None
            self._seen[message.intent_id] = None
            if len(self._seen) > IDS_MAX:
                self._seen.popitem(last=False)
        return record_line(record, self._filter, as_json=self._as_json)


def intents(
    agent: Annotated[str | None, typer.Option(help="Show only intents of this agent.")] = None,
    from_: From = "earliest",
    limit: Limit = None,
    follow: Follow = None,
    as_json: AsJson = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Print approved orders on their way to the market: each once, whatever crashed.

    Example: arena intents --agent momentum
    """
    start = parse_start(from_)
    follows = start.at == "latest" if follow is None else follow
    lines = FirstIntents(agent, as_json=as_json)
    with find_arena(servers, prefix, run, offline=True) as location:

        async def print_first() -> None:
            name = topics.INTENTS.name
            await print_topic(location, name, start, lines.line, limit=limit, follow=follows)
            if lines.copies:
                print_note(f"left out {counted(lines.copies, 'copy', 'copies')} of intents")

        run_async(print_first)
