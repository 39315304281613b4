"""`arena repair`: restart an arena that a record of `account.events` stopped.

Reads `account.events` and `arena.control`; writes a `PassOver` to `arena.control` for each record
that the operator chooses to pass over. Nothing is deleted: the record stays in the log.
"""

import asyncio
import json
import sys
from collections import Counter
from contextlib import aclosing
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
from arena.command_sender import command_sender
from arena.errors import ArenaError, BrokenLog, BrokerUnavailable, CountedRecord, UsageError
from arena.messages import PassOver
from arena.newest_results import account_seq_of, newest_records
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.pass_overs import EVENTS, pass_over_key, read_passed_over
from arena.read_topic import read_to_ends
from arena.run_lookup import find_arena
from arena.settings import Settings
from arena.visible_text import one_line, visible

BYTES_SHOWN = 160
SHOWN_MAX = 300
"""Characters of a type or reason that are shown and recorded."""
BLOCKING_MAX = 10_000
"""Consecutive reads without records although the log has more."""
AGENTS_MAX = 1_000
"""Agents of a shard whose inboxes are read."""
INBOXES_S = 30.0

Yes = Annotated[bool, typer.Option("--yes", help="Pass over the records without asking.")]


@dataclass(frozen=True, slots=True)
class BlockingRecord:
    """A record that the fold stops at.

    Attributes:
        type: The type in its header; "" without one.
        bytes: Size of its value; None without a value. begin: The first bytes, as readable text.
        sha256: Hash of the value. error: Why the fold stops.
    """

    partition: int
    offset: int
    type: str
    bytes: int | None
    begin: str
    sha256: str
    error: str

    @property
    def position(self) -> str:
        """Topic, partition and offset."""
        return f"{EVENTS}[{self.partition}]@{self.offset}"


class ShardFold:
    """One shard, folded past the records it stops at.

    Attributes:
        shard: The state so far. blocking: The records that stopped the fold and were passed over.
        trailing: How many of them have no event that counted after them.
    """

    def __init__(self, partition: int, passed_over: dict[int, str]) -> None:
        """Start at offset 0, with the records that are passed over already."""
        self.partition = partition
        self.blocking: list[BlockingRecord] = []
        self.trailing = 0
        self._passed_over = passed_over
        self.shard = Shard(passed_over=passed_over)

    def apply(self, record: Record) -> None:
        """Fold one record; if it stops the fold, note it and undo its partial effect.

        Raises:
            CountedRecord: A record that was passed over had counted.
        """
        backup = _ShardBackup(self.shard, record)
        try:
            counted = self.shard.apply(record.kind, record.value, record.offset)
        except CountedRecord:
            raise
        except BrokenLog as error:
            self._note(record, record.kind, error)
            backup.restore(self.shard)
            self.shard.apply(record.kind, record.value, record.offset)
            self.trailing += 1
        else:
            if counted is not None:
                self.trailing = 0

    def _note(self, record: Record, kind: str, error: BrokenLog) -> None:
        if len(self.blocking) >= BLOCKING_MAX:
            raise ArenaError(
                f"more than {BLOCKING_MAX:,} records of {EVENTS}[{self.partition}] stop the fold",
                remedy="this is not a log of an arena; restore it from an export",
            )
        value = record.value or b""
        digest = sha256(value).hexdigest()
        self._passed_over[record.offset] = digest
        self.blocking.append(
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


class _ShardBackup:
    """A copy of the state that an event can change before it stops the fold."""

    def __init__(self, shard: Shard, record: Record) -> None:
        """Copy the accounts of the agent that the record names, and the house accounts."""
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
            owned = shard.wallets.get(event.agent, {})
            self._wallets = {currency: _copy_of(wallet) for currency, wallet in owned.items()}

    def restore(self, shard: Shard) -> None:
        """Restore the copies."""
        shard.next_offset, shard.house = self._next_offset, self._house
        if not self._agent:
            return
        if self._wallets:
            shard.wallets[self._agent] = self._wallets
        else:
            shard.wallets.pop(self._agent, None)
        if self._account is None:
            shard.accounts.pop(self._agent, None)
        else:
            shard.accounts[self._agent] = self._account


def _copy(account: Account | None) -> Account | None:
    return None if account is None else _copy_of(account)


def _copy_of(account: Account) -> Account:
    positions = {name: replace(position) for name, position in account.positions.items()}
    return replace(account, positions=positions, deeds=[*account.deeds])


def repair(
    yes: Yes = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Repair an arena that a record of account.events stopped.

    Shows each record that stops the fold, and asks whether to pass over it. A record that counted
    before cannot be passed over. Nothing is deleted: `arena.control` records what was passed over,
    and by whom.

    Exit 0 if nothing stops the fold any more, 1 if something does.

    Example: arena repair
    """
    if as_json and not yes:
        raise UsageError("--json cannot ask", remedy="add --yes to pass over the records")
    with find_arena(servers, prefix, run) as location:
        run_async(lambda: _repair(location.settings, yes=yes, as_json=as_json))


async def _repair(settings: Settings, *, yes: bool, as_json: bool) -> None:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(settings, client_id="arena-repair")
    await bus.start()
    try:
        blocking = await find_blocking_records(bus)
        if blocking and not as_json:
            print("\n".join(describe(blocking)))
        if blocking and not yes and not _confirm(len(blocking)):
            raise ArenaError("nothing was changed")
        await pass_over(bus, blocking)
    finally:
        await bus.close()
    if as_json:
        print(json.dumps({"passed_over": [asdict(record) for record in blocking]}))
    elif not blocking:
        print(f"nothing to repair: {EVENTS} folds to its end")
    else:
        print(
            f"passed over: {len(blocking)}. Restart an executor or ledger that stopped, and the "
            "judge and dashboard."
        )


def _confirm(count: int) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", remedy="add --yes to pass over them")
    what = "this record" if count == 1 else f"these {count} records"
    return typer.confirm(f"Pass over {what}?")


def describe(blocking: list[BlockingRecord]) -> list[str]:
    """The lines of the records, each with the reason why it stops the fold."""
    lines = []
    for record in blocking[:20]:
        size = "no value" if record.bytes is None else f"{record.bytes:,} bytes"
        lines += [
            f"{record.position}  {visible(record.type) or 'no type'}, {size}, "
            f"sha256 {record.sha256[:16]}",
            f"  why    {visible(record.error)}",
            f"  begins {record.begin}",
        ]
    if len(blocking) > 20:
        counts = Counter(record.partition for record in blocking[20:])
        lines += [f"and {count} more in shard {n}" for n, count in sorted(counts.items())]
    return lines


async def find_blocking_records(bus: Bus) -> list[BlockingRecord]:
    """Fold every shard to its end, past every record that stops it.

    Raises:
        CountedRecord: One of them counted before: the log cannot be repaired this way.
        ArenaError: The log stops returning records before its end.
    """
    known = await read_passed_over(bus)
    blocking: list[BlockingRecord] = []
    for partition in range(await bus.partitions(EVENTS)):
        start = Start(offsets={(EVENTS, partition): 0})
        reader = await bus.partition_reader(EVENTS, partition, start)
        try:
            fold = ShardFold(partition, dict(known.get(partition, {})))
            await _fold_to_end(fold, reader)
            if fold.trailing:
                await _require_uncounted(bus, fold)
        finally:
            await reader.close()
        blocking += fold.blocking
    return blocking


async def _fold_to_end(fold: ShardFold, reader: LogReader) -> None:
    async with aclosing(read_to_ends(reader)) as batches:
        async for records in batches:
            for record in records:
                fold.apply(record)


async def _require_uncounted(bus: Bus, fold: ShardFold) -> None:
    """Require that the last records, which no event follows, did not count before.

    Raises:
        CountedRecord: An inbox names an event that can only be one of these records.
        BrokerUnavailable: The inboxes cannot be read in time.
    """
    shard, agents = fold.shard, [*fold.shard.accounts][:AGENTS_MAX]
    if not agents:
        return
    await bus.ensure_topics([topics.INBOX.member(agent) for agent in agents])
    reader = await bus.log_reader(*(topics.inbox(agent) for agent in agents))
    try:
        async with asyncio.timeout(INBOXES_S):
            records = await newest_records(reader)
    except TimeoutError:
        raise BrokerUnavailable(
            f"the inboxes of {len(agents)} agents were not read within {INBOXES_S:.0f} s, and"
            " only they show whether the last records counted before",
            remedy="run `arena repair` again",
        ) from None
    finally:
        await reader.close()
    for record in records:
        if shard.seq < (seq := account_seq_of(record)) <= shard.seq + fold.trailing:
            raise CountedRecord(
                f"{record.topic}[{record.partition}]@{record.offset} names event"
                f" {seq:,}, and {EVENTS}[{fold.partition}] without its last"
                f" {fold.trailing:,} records ends with event {shard.seq:,}: one of them counted",
                remedy="restore the log from an export",
            )


async def pass_over(bus: Bus, blocking: list[BlockingRecord]) -> None:
    """Record in `arena.control` that these records are passed over."""
    for record in blocking:
        message = PassOver(
            topic=EVENTS,
            partition=record.partition,
            offset=record.offset,
            sha256=record.sha256,
            error=record.error,
            by=command_sender(),
            at=datetime.now(UTC),
        )
        key = pass_over_key(EVENTS, record.partition, record.offset)
        await bus.append(topics.CONTROL.name, message, key=key)
