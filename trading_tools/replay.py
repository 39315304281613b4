"""Decides recorded orders again, and compares the events with the account log, byte by byte.

A decision is a pure function of the account, the command, the prices and the time. All four are in
the records: the event says when it was decided and which ticker it was priced with, and the account
follows from the events before it. So the same code must write the same bytes; an event that differs
is reported, and the replay continues from the log.

Reads an export (`arena.exports`) in batches and keeps the quote of every order. Writes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import orjson

from arena import ids, topics
from arena.account_log import STRUCTURAL
from arena.accounts import CANCELLED, Shard
from arena.bus.base import Record
from arena.exports import read_manifest, read_records
from arena.kill_switch import KillSwitch
from arena.messages import Message, OpenAccount, ToolCall
from arena.newest_results import json_body
from arena.pass_overs import passed_over_in
from arena.shards import digest_of
from arena.versions import VersionsInOrder, recorded_by
from trading_tools.command_handler import CommandHandler
from trading_tools.events import account_opened
from trading_tools.quotes import MarketState
from trading_tools.refusals import control_unknown_since
from trading_tools.registry import Tool, load_catalogue
from trading_tools.replay_candles import RecordedCandles
from trading_tools.replay_commands import MissingCommand, MissingCommands, RecordedCommands
from trading_tools.replay_halts import HaltHistory
from trading_tools.replay_older import DIFFERENT, NOT_REPLAYED, REPLAYED, is_equivalent
from trading_tools.replay_prices import Event, RecordedPrices
from trading_tools.replay_rules import RulesHistory
from trading_tools.replay_steps import is_step, take_step
from trading_tools.rules import TradingRules

COMMANDS, EVENTS, TICKERS = topics.COMMANDS.name, topics.EVENTS.name, topics.TICKERS.name
DIFFERENCES_MAX = 100
"""The replay ends after so many differences."""
STRUCTURAL_COUNTERS = {"Epoch": "epochs", "StateDigest": "digests", "MarketChecked": "checks"}
SETTING_COUNTERS = {"RiskLimitsSet": "limits", "RiskTripped": "breaches"}
"""Kinds that are taken from the log: nothing in it decides them."""
NO_COMMAND = ("a command to decide", "none at the place the event names")
LOST = "commands_lost"
"""Counts events whose command is lost: the topic was cut, or deleted and created again."""
WAITED_FOR_PRICES = "prices of "
"""How the rejection of an order begins if its prices did not arrive in time."""

OTHER_BYTES_MAX = 50
"""How many events of another version may differ per shard, because each costs a copy of the shard.
Later events of another version are not decided again."""
COMMANDS_NOT_KEPT = "orders whose commands are no longer kept"
NOT_KEPT = "orders whose prices are no longer kept"


@dataclass(slots=True)
class OrderReplayResult:
    """The result of a replay of orders.

    Attributes:
        counts: Epochs, openings, orders and ignored records in the log; `LOST` of the openings and
            orders cannot be decided again.
        differences: Place, subject, expected and found, for every event that differs.
        older: Version -> how many of its events were decided again, and how many differ.
        of_this_version: How many events of this version were decided again.
        sha256: SHA-256 over the bytes of every event that came out the same.
        account_digest: Digest of all accounts at the end.
    """

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, str]] = field(default_factory=list)
    older: dict[str, Counter[str]] = field(default_factory=dict)
    of_this_version: int = 0
    sha256: str = ""
    account_digest: str = ""

    def of_version(self, version: str) -> Counter[str]:
        """The counts of the events that another version wrote."""
        return self.older.setdefault(version, Counter())

    def add_difference(self, place: str, subject: str, expected: str, found: str) -> None:
        """Add a difference."""
        entry = {"place": place, "subject": subject, "expected": expected, "found": found}
        self.differences.append(entry)


class OrderReplay:
    """Runs the command handler of every shard over the records of an export."""

    def __init__(self, folder: Path) -> None:
        """Read the rules and halts of an export.

        Args:
            folder: The folder of the export.
        """
        self._folder = folder
        self._topics = read_manifest(folder).topics
        self.rules = RulesHistory(self._messages(topics.ROSTER.name))
        self.halts = HaltHistory(self._read_control())
        self._prices = RecordedPrices()
        self.passed_over = passed_over_in(folder)
        self._tools: dict[str, Tool] = {
            name: tool for name, tool in load_catalogue().items() if tool.touches_account
        }
        self._result = OrderReplayResult()
        self._written_hash = sha256()

    def run(self) -> OrderReplayResult:
        """Decide all orders again.

        Raises:
            UsageError: A topic is missing in the export.
            BrokenLog: The account log itself cannot be folded.
        """
        self._note_prices()
        self._prices.read(read_records(self._folder, [TICKERS]))
        self._prices.first = {p: s.first for p, s in self._topics[TICKERS].partitions.items()}
        shards: list[Shard] = []
        commands = RecordedCommands(self._folder, self._topics.get(COMMANDS))
        for partition, events in _by_partition(read_records(self._folder, [EVENTS])):
            shard = _ShardReplay(self, partition, commands)
            shard.run(events)
            shards.append(shard.handler.shard)
            if len(self._result.differences) >= DIFFERENCES_MAX:
                break
        self._result.account_digest = digest_of(shards)
        self._result.sha256 = self._written_hash.hexdigest()
        return self._result

    def _messages(self, topic: str) -> Iterator[Message]:
        if topic in self._topics:
            for record in read_records(self._folder, [topic]):
                if record.value is not None and (message := record.message_or_none()) is not None:
                    yield message

    def _note_prices(self) -> None:
        """Note which tickers the orders were priced with, and where their snapshots ended."""
        for record in read_records(self._folder, [EVENTS]):
            if record.kind == "OrderDecided":
                used = json_body(record).get("used")
                if isinstance(used, dict):
                    partition, offset = used.get("partition"), used.get("offset")
                    if isinstance(partition, int) and isinstance(offset, int):
                        self._prices.wanted.add((partition, offset))
        for record in read_records(self._folder, [COMMANDS]):
            if isinstance(call := record.message_or_none(), ToolCall):
                self._prices.ends.update(call.ticker_offsets.items())

    def _read_control(self) -> Iterable[Record]:
        name = topics.CONTROL.name
        return read_records(self._folder, [name]) if name in self._topics else ()

    @property
    def shards(self) -> int:
        """Partitions of the account log."""
        return len(self._topics[EVENTS].partitions)

    def handler(self, partition: int, first_offset: int) -> CommandHandler:
        """A command handler whose shard starts at the first record."""
        named = self.passed_over.get(partition, {})
        shard = Shard(next_offset=first_offset, passed_over=named)
        return CommandHandler(
            partition,
            self.shards,
            shard,
            MarketState(),
            TradingRules(),
            self._tools,
            commands_only=True,
        )

    def candles(self) -> RecordedCandles:
        """The recorded candles, from the first."""
        return RecordedCandles(self._folder, kept=topics.CANDLES.name in self._topics)

    @property
    def prices(self) -> RecordedPrices:
        """The recorded prices."""
        return self._prices

    @property
    def result(self) -> OrderReplayResult:
        """The result so far."""
        return self._result

    def note_written(self, value: bytes) -> None:
        """Note the bytes of an event that came out the same."""
        self._written_hash.update(value)


class _ShardReplay:
    """Replays one shard: its command handler, and the fold of the recorded log to compare with."""

    def __init__(self, replay: OrderReplay, partition: int, commands: RecordedCommands) -> None:
        self._replay = replay
        self._partition = partition
        self._commands = commands
        self._missing = MissingCommands(lambda offset: commands.holds(partition, offset))
        self._recorded_shard = Shard(passed_over=replay.passed_over.get(partition, {}))
        self._versions = VersionsInOrder()
        self._other_bytes = 0
        self._candles = replay.candles()
        self.handler = replay.handler(partition, 0)

    def run(self, events: Iterator[Record]) -> None:
        """Replay the log of the shard."""
        result = self._replay.result
        for record in events:
            kind = record.kind
            value = record.value or b""
            if (
                self._recorded_shard.apply(kind, record.value, record.offset) is None
                or kind in STRUCTURAL
            ):
                counted = STRUCTURAL_COUNTERS.get(kind, "ignored")
                result.counts[counted] += 1
                if kind == "Epoch" and self._recorded_shard.head_offset == record.offset:
                    self._replay.rules.note_epoch(record)
                self.handler.shard.apply(kind, record.value, record.offset)
                continue
            if kind in SETTING_COUNTERS:
                result.counts[SETTING_COUNTERS[kind]] += 1
                self.handler.shard.apply(kind, record.value, record.offset)
                continue
            self._replay_event(record, kind, value)
            if len(result.differences) >= DIFFERENCES_MAX:
                return
        if self._missing.lost:
            result.counts[LOST] += self._missing.lost
        for missing in self._missing.unexplained()[:DIFFERENCES_MAX]:
            result.add_difference(missing.place, missing.subject, *NO_COMMAND)

    def _replay_event(self, record: Record, kind: str, value: bytes) -> None:
        result, event = self._replay.result, orjson.loads(value)
        place = f"{EVENTS}[{record.partition}]@{record.offset}"
        subject = f"order {event['order_id']}, agent {event['agent']}"
        opening, source = kind == "AccountOpened", event["source"]["offset"]
        result.counts[_counter_of(event, opening=opening)] += 1
        command = self._command_at(source)
        if is_step(event):
            command = command if event["cause"] == CANCELLED else None
        elif not opening:
            self._missing.note_decided(event["order_id"], source)
        if not _needs_no_command(event) and _is_missing(event, command, opening=opening):
            if source < self._commands.first(self._partition):
                result.counts[COMMANDS_NOT_KEPT] += 1
                self.handler.shard.apply(kind, value, record.offset)
                return
            self._missing.note(MissingCommand(source, place, subject))
            self.handler.shard.apply(kind, value, record.offset)
            return
        call = command if isinstance(command, ToolCall) else None
        if not opening and not self._replay.prices.are_kept(event, call):
            result.counts[NOT_KEPT] += 1
            self.handler.shard.apply(kind, value, record.offset)
            return
        today = self._versions.is_current(record)
        result.of_this_version += today
        older = None if today else result.of_version(recorded_by(record))
        if older is not None and self._other_bytes >= OTHER_BYTES_MAX:
            older[NOT_REPLAYED] += 1
            self.handler.shard.apply(kind, value, record.offset)
            return
        if opening:
            written = self._open(event, command)
        else:
            written = self._take_step(event, call) if is_step(event) else self._decide(event, call)
        if older is not None:
            older[REPLAYED] += 1
        if written == value:
            self._replay.note_written(written)
            return
        if older is not None:
            older[DIFFERENT] += not is_equivalent(value, written)
            self._other_bytes += 1
        else:
            result.add_difference(place, subject, *_difference(value, written))
        self.handler.shard = deepcopy(self._recorded_shard)

    def _open(self, event: Event, command: Message | None) -> bytes | None:
        """Open an account: by a command, or implied by an agent's first call."""
        at, source = datetime.fromisoformat(event["at"]), event["source"]
        asked = isinstance(command, OpenAccount) and command.agent == event["agent"]
        record = account_opened(
            self.handler.shard,
            (source["partition"], source["offset"]),
            event["order_id"],
            event["agent"],
            self._replay.rules.at(self._partition, at),
            at,
            command.scrape if asked and isinstance(command, OpenAccount) else None,
        )
        self.handler.shard.apply(record.kind, record.value, record.offset)
        return record.value

    def _decide(self, event: Event, call: Message | None) -> bytes | None:
        """Decide an order at the time and with the prices that its event names."""
        assert isinstance(call, ToolCall), "the command of an order is an order"
        offset = event["source"]["offset"]
        at, handler = datetime.fromisoformat(event["at"]), self.handler
        handler.rules = self._replay.rules.at(self._partition, at)
        handler.market = self._replay.prices.market(event, call, lock_step=handler.rules.lock_step)
        halted = event["reason"] == "halted"
        handler.switch = self._replay.halts.switch_of(event, at) if halted else KillSwitch()
        current = not (
            event["reason"] == "no_price" and event["detail"].startswith(WAITED_FOR_PRICES)
        )
        unknown = None
        if event["reason"] == "control_unknown":
            unknown = control_unknown_since(event["detail"])
        handler.candles = self._candles.figures(event, call)
        handled = handler.handle(call, offset, at, prices_current=current, control_unknown=unknown)
        handler.candles = None
        return handled.appends[-1].value if handled.appends else None

    def _take_step(self, event: Event, call: ToolCall | None) -> bytes | None:
        """Take a step that no command asked for, or a cancellation, as its record says."""
        handler = self.handler
        at = datetime.fromisoformat(event["at"])
        handler.rules = self._replay.rules.at(self._partition, at)
        handler.market = self._replay.prices.market(event, call, lock_step=handler.rules.lock_step)
        record = take_step(handler, event, call)
        if record is None:
            return None
        handler.shard.apply(record.kind, record.value, record.offset)
        return record.value

    def _command_at(self, offset: int) -> Message | None:
        found = self._commands.at(self._partition, offset)
        return None if found is None else found.message_or_none()


def _needs_no_command(event: Event) -> bool:
    return is_step(event) and event["cause"] != CANCELLED


def _counter_of(event: Event, *, opening: bool) -> str:
    if opening:
        return "openings"
    return "steps" if is_step(event) else "orders"


def _is_missing(event: Event, command: Message | None, *, opening: bool) -> bool:
    """True if the command of an event is not at the offset that the event names."""
    if not opening:
        wanted = event["order_id"]
        if event.get("cause") == CANCELLED:
            return not isinstance(command, ToolCall)
        return not isinstance(command, ToolCall) or command.call_id != wanted
    if event["order_id"] == ids.derive("open-account", event["agent"]):
        return False
    return not isinstance(command, OpenAccount) or command.call_id != event["order_id"]


def _by_partition(records: Iterator[Record]) -> Iterator[tuple[int, Iterator[Record]]]:
    from itertools import groupby

    yield from groupby(records, key=lambda record: record.partition)


def _difference(value: bytes, written: bytes | None) -> tuple[str, str]:
    """The first difference between a recorded and a replayed event."""
    if written is None:
        return NO_COMMAND
    recorded, found = orjson.loads(value), orjson.loads(written)
    for name in recorded:
        if recorded[name] != found.get(name):
            return f"{name} {recorded[name]}", f"{name} {found.get(name)}"
    return f"{len(value)} bytes", f"{len(written)} other bytes that say the same"
