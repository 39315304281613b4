"""A kind of process to copy: `arena counter` publishes how many snapshots the market has had.

Copy this file into its room, here `judge/counter.py`, import the message from `arena.messages`, and
enter the kind in `arena/process_kinds.py`:

    COUNTER = ProcessKind(
        name="counter",
        serve="judge.counter:serve",
        second_process="counts as well",
        commands=(Command("counter", "judge.counter:counter", "Count snapshots."),),
        reads=(topics.SNAPSHOTS,),
        writes=(topics.COUNTS,),
    )

The list of commands, the table of topics, and the accounts and access rules of a secure broker
follow from the entry. The message and its topic are added as `arena/messages/_template.py` says;
each topic is in `reads` of some kind, such as `OPERATOR`. A process that an ARENA.toml asks for
also needs its command in `operations/supervisor/plan.py`.

The tests then ask for two more entries: the module in `SHELLS` in `tests/house_lists.py`, and the
tables that `arena.process_tables.kind_table()` and `topic_table()` return, in
`docs/architecture.md`.
"""

from dataclasses import dataclass
from typing import Annotated

import typer

from arena import topics
from arena.messages import MarketSnapshot
from arena.messages._template import SnapshotCount
from arena.node import Node, run_node
from arena.options import Prefix, Servers
from arena.settings import Settings

COUNTS = "market.counts"


@dataclass(frozen=True, slots=True)
class CounterOptions:
    """Options of a counter.

    Attributes:
        every: Snapshots from one count to the next.
    """

    every: int = 1


async def serve(node: Node, options: CounterOptions) -> None:
    """Count until cancelled."""
    await node.bus.ensure_topics([topics.SNAPSHOTS, topics.spec_of(COUNTS)])
    reader = await node.bus.log_reader(topics.SNAPSHOTS.name)
    node.status = "running"
    count = 0
    try:
        while True:
            for record in await reader.read():
                snapshot = await node.read_message(record)  # None: unreadable, now a dead letter
                if not isinstance(snapshot, MarketSnapshot):
                    continue
                count += 1
                if count % options.every == 0:
                    message = SnapshotCount(count=count, as_of=snapshot.as_of)
                    await node.bus.append(COUNTS, message, key=snapshot.venue)
    finally:
        await reader.close()


def counter(
    servers: Servers = None,
    prefix: Prefix = None,
    every: Annotated[int, typer.Option(help="Snapshots from one count to the next.", min=1)] = 1,
) -> None:
    """Publish how many snapshots the market has had, until stopped.

    Example: arena counter --every 10
    """
    settings = Settings().override(bootstrap_servers=servers, prefix=prefix)
    run_node("counter", "counter", settings, serve, CounterOptions(every))
