"""`arena repair`: get an arena going again that a record of `account.events` stopped.

Reads `account.events` and `arena.control`; writes a `PassOver` to `arena.control` per record that
the operator says to pass over. Nothing is deleted: the record stays where it is.
"""

import asyncio
import json
import socket
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated

import typer

from arena import topics
from arena.account_log import OpenedEvent, OrderEvent, decode_event
from arena.account_state import Account
from arena.accounts import Shard
from arena.bus.base import Bus, LogReader, Record, Start
from arena.errors import ArenaError, BrokenLog, BrokerUnavailable, CountedRecord, UsageError
from arena.messages import PassOver
from arena.newest_results import account_seq_of, newest_records
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.pass_overs import EVENTS, pass_over_key, read_passed_over
from arena.run_lookup import find_arena
from arena.settings import Settings
from arena.visible_text import one_line, visible

BYTES_SHOWN = 160
SHOWN_MAX = 300
"""Characters of a type or reason that are shown and kept."""
BLOCKING_MAX = 10_000
READ_TIMEOUT_S = 1.0
STALL_READS = 20
"""Reads in a row that bring nothing though the log goes on."""
AGENTS_MAX = 1_000
"""Agents of a shard whose inboxes are looked at."""
INBOXES_S = 30.0

Yes = Annotated[bool, typer.Option("--yes", help="Pass the records over without asking.")]


@dataclass(frozen=True, slots=True)
class BlockingRecord:
    """A record that the fold stops at.

    Attributes:
        type: What its header says; "" without one.
        bytes: How many its value has; None without a value. begin: the first of them, readable.
        sha256: Of the value. error: why the fold stops.
    """

    partition: int
    offset: int
    type: str
    bytes: int | None
    begin: str
    sha256: str
    error: str

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        return f"{EVENTS}[{self.partition}]@{self.offset}"


class ShardFold:
    """One shard, folded past the records it stops at.

    Attributes:
        shard: As far as it was folded. stops: Records that were passed over on the way, new ones.
        last: How many of them no event that counted follows.
    """

    def __init__(self, partition: int, passed_over: dict[int, str]) -> None:
        """Begin at offset 0, with what is passed over already."""
        self.partition = partition
        self.stops: list[BlockingRecord] = []
        self.last = 0
        self._passed_over = passed_over
        self.shard = Shard(passed_over=passed_over)

    def apply(self, record: Record) -> None:
        """Fold one record, or note that it stops the fold, and undo what it did on the way.

        Raises:
            CountedRecord: A record that was passed over had counted.
        """
        undo = _Undo(self.shard, record)
        try:
            counted = self.shard.apply(record.kind, record.value, record.offset)
        except CountedRecord:
            raise
        except BrokenLog as error:
            self._note(record, record.kind, error)
            undo.carry_out(self.shard)
            self.shard.apply(record.kind, record.value, record.offset)
            self.last += 1
        else:
            if counted is not None:
                self.last = 0

    def _note(self, record: Record, kind: str, error: BrokenLog) -> None:
        if len(self.stops) >= BLOCKING_MAX:
            raise ArenaError(
                f"more than {BLOCKING_MAX:,} records of {EVENTS}[{self.partition}] stop the fold",
                remedy="this is no log of an arena; restore it from an export",
            )
        value = record.value or b""
        digest = sha256(value).hexdigest()
        self._passed_over[record.offset] = digest
        self.stops.append(
            BlockingRecord(
                self.partition,
                record.offset,
                one_line(kind, SHOWN_MAX),
                None if record.value is None else len(value),
                ascii(value[:BYTES_SHOWN])[1:].strip("'\""),
                digest,
                one_line(str(error.args[0]), SHOWN_MAX),
            )
        )


class _Undo:
    """What an event can change before it stops the fold, as it was."""

    def __init__(self, shard: Shard, record: Record) -> None:
        """Keep a copy of the account that a record names, and of the house's."""
        self._next_offset = shard.next_offset
        self._house = dict(shard.house)
        self._agent = ""
        try:
            event = decode_event(record.kind, record.value or b"", record.offset)
        except BrokenLog:
            return
        if isinstance(event, OpenedEvent | OrderEvent):
            self._agent = event.agent
            self._account = _copy(shard.accounts.get(event.agent))

    def carry_out(self, shard: Shard) -> None:
        """Put it back."""
        shard.next_offset, shard.house = self._next_offset, self._house
        if not self._agent:
            return
        if self._account is None:
            shard.accounts.pop(self._agent, None)
        else:
            shard.accounts[self._agent] = self._account


def _copy(account: Account | None) -> Account | None:
    if account is None:
        return None
    positions = {name: replace(position) for name, position in account.positions.items()}
    return replace(account, positions=positions, deeds=[*account.deeds])


def repair(
    yes: Yes = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Get an arena going again that a record of account.events stopped.

    Shows each record the fold stops at, and asks whether to pass it over. A record that had counted
    cannot be passed over. Nothing is deleted: `arena.control` keeps what was passed over, and by
    whom.

    Exit 0 where nothing stops the fold any more, 1 where something does.

    Example: arena repair
    """
    if as_json and not yes:
        raise UsageError("--json cannot ask", remedy="add --yes to pass the records over")
    with find_arena(servers, prefix, run) as location:
        run_async(lambda: _repair(location.settings, yes=yes, as_json=as_json))


async def _repair(settings: Settings, *, yes: bool, as_json: bool) -> None:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(settings, client_id="arena-repair")
    await bus.start()
    try:
        stops = await find_blocking_records(bus)
        if stops and not as_json:
            print("\n".join(describe(stops)))
        if stops and not yes and not _agreed(len(stops)):
            raise ArenaError("nothing was changed")
        await pass_over(bus, stops)
    finally:
        await bus.close()
    if as_json:
        print(json.dumps({"passed_over": [asdict(stop) for stop in stops]}))
    elif not stops:
        print(f"nothing to repair: {EVENTS} folds to its end")
    else:
        print(
            f"passed over: {len(stops)}. An executor or ledger that stopped folds on when it is "
            "started again; start judge and dashboard again, too."
        )


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", remedy="add --yes to pass them over")
    what = "this record" if count == 1 else f"these {count} records"
    return typer.confirm(f"Pass {what} over?")


def describe(stops: list[BlockingRecord]) -> list[str]:
    """The records for people, with why each stops the fold."""
    lines = []
    for stop in stops[:20]:
        size = "no value" if stop.bytes is None else f"{stop.bytes:,} bytes"
        lines += [
            f"{stop.place}  {visible(stop.type) or 'no type'}, {size}, sha256 {stop.sha256[:16]}",
            f"  why    {visible(stop.error)}",
            f"  begins {stop.begin}",
        ]
    if len(stops) > 20:
        kinds = Counter(stop.partition for stop in stops[20:])
        lines += [f"and {count} more in shard {n}" for n, count in sorted(kinds.items())]
    return lines


async def find_blocking_records(bus: Bus) -> list[BlockingRecord]:
    """Fold every shard to its end, past every record that stops it.

    Raises:
        CountedRecord: One of them had counted: the log cannot be repaired so.
        ArenaError: The log does not give what it holds.
    """
    known = await read_passed_over(bus)
    stops: list[BlockingRecord] = []
    for partition in range(await bus.partitions(EVENTS)):
        start = Start(offsets={(EVENTS, partition): 0})
        reader = await bus.partition_reader(EVENTS, partition, start)
        try:
            folding = ShardFold(partition, dict(known.get(partition, {})))
            await _fold(folding, reader)
            if folding.last:
                await _refuse_what_agents_were_told_of(bus, folding)
        finally:
            await reader.close()
        stops += folding.stops
    return stops


async def _fold(folding: ShardFold, reader: LogReader) -> None:
    partition, idle = folding.partition, 0
    end = (await reader.end_offsets())[EVENTS, partition]
    while reader.position(EVENTS, partition) < end:
        records = await reader.read(timeout_s=READ_TIMEOUT_S)
        idle = 0 if records else idle + 1
        if idle == STALL_READS:
            raise ArenaError(
                f"{EVENTS}[{partition}] ends at {end}, but gives nothing behind "
                f"{reader.position(EVENTS, partition)}",
                remedy="compare the log with an export",
            )
        for record in records:
            folding.apply(record)


async def _refuse_what_agents_were_told_of(bus: Bus, folding: ShardFold) -> None:
    """See that the last records, which no event follows, had not counted.

    Raises:
        CountedRecord: An agent was told of an event that only one of them can have been.
        BrokerUnavailable: The inboxes cannot be read in time.
    """
    shard, agents = folding.shard, [*folding.shard.accounts][:AGENTS_MAX]
    if not agents:
        return
    await bus.ensure_topics([topics.INBOX.member(agent) for agent in agents])
    reader = await bus.log_reader(*(topics.inbox(agent) for agent in agents))
    try:
        async with asyncio.timeout(INBOXES_S):
            records = await newest_records(reader)
    except TimeoutError:
        raise BrokerUnavailable(
            f"the inboxes of {len(agents)} agents were not read in {INBOXES_S:.0f} s, and without"
            " them it is not known whether the last records had counted",
            remedy="run `arena repair` again",
        ) from None
    finally:
        await reader.close()
    for record in records:
        if shard.seq < (told := account_seq_of(record)) <= shard.seq + folding.last:
            raise CountedRecord(
                f"{record.topic}[{record.partition}]@{record.offset} tells its agent of event"
                f" {told:,}, and {EVENTS}[{folding.partition}] without its last"
                f" {folding.last:,} records ends with event {shard.seq:,}: one of them had counted",
                remedy="restore the log from an export",
            )


async def pass_over(bus: Bus, stops: list[BlockingRecord]) -> None:
    """Say in `arena.control` that these records are passed over."""
    for stop in stops:
        message = PassOver(
            topic=EVENTS,
            partition=stop.partition,
            offset=stop.offset,
            sha256=stop.sha256,
            error=stop.error,
            by=f"cli/{socket.gethostname()}",
            at=datetime.now(UTC),
        )
        key = pass_over_key(EVENTS, stop.partition, stop.offset)
        await bus.append(topics.CONTROL.name, message, key=key)
