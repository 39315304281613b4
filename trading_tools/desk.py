"""The pure part of a shard's owner: commands in, events and answers out, in command order.

The desk folds each event it makes into its shard at once, so the next command sees it. Its caller
appends the events in order and hands out an answer only when every event before it is in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from arena import ids
from arena.account_state import Account, Decided
from arena.accounts import Shard, unix_us
from arena.messages import Message, OpenAccount, ToolCall, ToolResult
from arena.switch import Switch
from arena.topics import partition_of
from trading_tools import envelope
from trading_tools.arguments import shown
from trading_tools.context import AccountContext, Answer, Order
from trading_tools.decide import decide
from trading_tools.events import Append, account_opened, order_decided
from trading_tools.portfolio import Portfolio, portfolio_of
from trading_tools.quotes import Market
from trading_tools.registry import Tool
from trading_tools.replies import answered, decided, decided_long_ago, failed
from trading_tools.rules import TradingRules
from trading_tools.schema import Refused

TOO_OLD = "too_old"
"""Why an order is refused that may have been decided before, so long ago that its id is gone."""
ISSUED_AHEAD = "issued_ahead"
"""Why an order is refused that says it was issued long after it was written to the topic."""
ISSUED_AHEAD_MAX = timedelta(hours=1)
"""An order's issue time is kept to tell copies by: one from far ahead would make every later order
of its agent look like a copy until then."""
MICROSECOND = timedelta(microseconds=1)
Kind = Literal["opened", "filled", "rejected", "duplicate", "read", "refused"]


@dataclass(slots=True)
class HandledCommand:
    """What a command came to.

    Attributes:
        kind: In one word; a duplicate was decided before. reason: of a rejection or refusal.
        appends: Events for the log, already folded here.
        reply: To the agent's inbox, or None if it is too late for one.
        burial: Why the command goes to the dead letters, "" if it does not.
    """

    kind: Kind
    reason: str = ""
    appends: list[Append] = field(default_factory=list)
    reply: ToolResult | None = None
    burial: str = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What its owner could see of the topics that a decision depends on; see `decide`."""

    prices_current: bool
    control_unknown: datetime | None


@dataclass(slots=True)
class Desk:
    """Decides the commands of one shard.

    Attributes:
        partition: The shard. shards: how many there are.
        switch: Whose orders are halted.
        shard: Its fold, running ahead of the log by what was not acked yet.
    """

    partition: int
    shards: int
    shard: Shard
    market: Market
    rules: TradingRules
    tools: Mapping[str, Tool]
    switch: Switch = field(default_factory=Switch)

    def objection(self, message: Message) -> str | None:
        """Why a message of `account.commands` names no order here, or None where it does."""
        if not isinstance(message, ToolCall | OpenAccount):
            return f"account.commands holds a {message.type_name()}"
        if partition_of(message.agent, self.shards) != self.partition:
            return f"its agent does not belong to shard {self.partition}"
        return envelope.objection(message)

    def prices_needed(self, message: Message) -> Mapping[int, int]:
        """The offsets of `market.tickers` to have read before this command may be decided.

        In lock-step a look at the account waits for them too, and an answer that is given again:
        they tell what positions are worth.
        """
        if not isinstance(message, ToolCall):
            return {}
        tool = self.tools.get(message.tool)
        if self.rules.lock_step:
            return message.ticker_offsets if tool is not None else {}
        if self._may_be_decided(message):
            return {}
        return message.ticker_offsets if tool is not None and tool.places_order else {}

    def handle(
        self,
        message: Message,
        offset: int,
        now: datetime,
        *,
        prices_current: bool = True,
        control_unknown: datetime | None = None,
        written_ms: int = 0,
    ) -> HandledCommand:
        """Decide or answer one command.

        Args:
            message: Without objection.
            offset: Its place in `account.commands`.
            now: Wall time.
            prices_current: See `decide`.
            control_unknown: See `decide`.
            written_ms: Of the record, by the broker's clock: the same whenever it is read. Unix
                milliseconds, 0 if unknown.
        """
        if isinstance(message, OpenAccount):
            return self._open(message, offset, now)
        assert isinstance(message, ToolCall)
        tool = self.tools.get(message.tool)
        if tool is None:
            return self._unknown_tool(message)
        if tool.places_order:
            known = self.shard.orders.get(message.call_id)
            if known is not None:
                return self._answer_again(message, known, now)
            if _is_ahead(message, written_ms):
                return self._issued_ahead(message, now)
            if self._may_be_decided(message):
                return self._too_old(message, now)
        if not tool.places_order and now > message.deadline_at:
            return self._too_late(message)
        opening = self._imply_account(message, offset, now)
        seen = _Seen(prices_current, control_unknown)
        handled = self._run(tool, message, offset, now, seen)
        handled.appends[:0] = opening
        return handled

    def places_order(self, message: Message) -> bool:
        """True where a message asks for an order."""
        tool = self.tools.get(message.tool) if isinstance(message, ToolCall) else None
        return tool is not None and tool.places_order

    def takes_order(self, message: Message) -> bool:
        """True for an order that is to be decided: not for a look, nor for one that was decided."""
        if not isinstance(message, ToolCall) or not self.places_order(message):
            return False
        return not self._may_be_decided(message)

    def _may_be_decided(self, call: ToolCall) -> bool:
        """By its id, never by its offset: offsets come again in a log that was cut or recreated."""
        known = call.call_id in self.shard.orders
        return known or self.shard.may_be_forgotten(call.agent, call.issued_at)

    def _answer_again(self, call: ToolCall, known: Decided, now: datetime) -> HandledCommand:
        if now > call.deadline_at:
            return HandledCommand("duplicate")
        event = next(
            (e for e in reversed(self.shard.recent) if e["order_id"] == call.call_id), None
        )
        if event is None or event["agent"] != call.agent:
            return HandledCommand("duplicate", reply=decided_long_ago(call, known))
        portfolio = self._portfolio(self.shard.accounts[call.agent])
        return HandledCommand("duplicate", reply=decided(call, event, portfolio))

    def _unknown_tool(self, call: ToolCall) -> HandledCommand:
        names = ", ".join(self.tools)
        text = f"There is no account tool {shown(call.tool)}; there are {names}."
        return HandledCommand("refused", "unknown_tool", reply=failed(call, "unknown_tool", text))

    def _too_late(self, call: ToolCall) -> HandledCommand:
        text = f"{call.tool} was not run: its deadline had passed."
        return HandledCommand("refused", "expired", reply=failed(call, "expired", text))

    def _too_old(self, call: ToolCall, now: datetime) -> HandledCommand:
        issued = f"it was issued at {call.issued_at.isoformat(timespec='milliseconds')}"
        why = f"{issued}, before orders of {call.agent} that are decided and no longer remembered"
        burial = f"the order {call.call_id} may have been decided before: {why}"
        return _refused(call, TOO_OLD, f"{why}. Nothing was traded; order again.", burial, now)

    def _issued_ahead(self, call: ToolCall, now: datetime) -> HandledCommand:
        issued = f"it says it was issued at {call.issued_at.isoformat(timespec='seconds')}"
        hours = ISSUED_AHEAD_MAX.total_seconds() / 3600
        why = f"{issued}, more than {hours:g} h after the broker had it"
        text = f"{why}. Nothing was traded; the clock of the agent's router has to be set."
        burial = f"the order {call.call_id} is refused: {why}; set the clock of its router"
        return _refused(call, ISSUED_AHEAD, text, burial, now)

    def _fold(self, record: Append) -> None:
        event = self.shard.apply(record.kind, record.value, record.offset)
        assert event is not None, f"our own {record.kind} at {record.offset} does not count"

    def _open(self, command: OpenAccount, offset: int, now: datetime) -> HandledCommand:
        known = command.agent in self.shard.accounts
        if known or command.call_id in self.shard.orders:
            return HandledCommand("duplicate")
        source = (self.partition, offset)
        record = account_opened(
            self.shard, source, command.call_id, command.agent, self.rules, now, command.scrape
        )
        self._fold(record)
        return HandledCommand("opened", appends=[record])

    def _imply_account(self, call: ToolCall, offset: int, now: datetime) -> list[Append]:
        if call.agent in self.shard.accounts:
            return []
        # The opening says it decides the command before this one: a restart between the two
        # events must come back to this command.
        source = (self.partition, offset - 1)
        order_id = ids.derive("open-account", call.agent)
        record = account_opened(self.shard, source, order_id, call.agent, self.rules, now)
        self._fold(record)
        return [record]

    def _run(
        self, tool: Tool, call: ToolCall, offset: int, now: datetime, seen: "_Seen"
    ) -> HandledCommand:
        account = self.shard.accounts[call.agent]
        ctx = AccountContext(
            agent=call.agent,
            turn_id=call.turn_id,
            call_id=call.call_id,
            snapshot_id=call.snapshot_id,
            now=now,
            _account=account,
            _quotes=self.market.quotes,
            _listings=self.market.listings,
            _currency=self.rules.currency,
        )
        arguments = tool.signature.read(call.arguments)
        outcome = arguments if isinstance(arguments, Refused) else tool.call(ctx, arguments)
        if isinstance(outcome, Answer):
            return HandledCommand(
                "read", outcome.error, reply=answered(call, outcome, self.shard.seq)
            )
        if not tool.places_order:
            assert isinstance(outcome, Refused)
            text = f"{call.tool} was not run: {outcome.reason}."
            reply = failed(call, "malformed_arguments", text)
            return HandledCommand("refused", "malformed_arguments", reply=reply)
        return self._decide(call, outcome, offset, now, seen)

    def _portfolio(self, account: Account) -> Portfolio:
        market = self.market
        return portfolio_of(account, market.quotes, self.rules.currency, market.listings)

    def _decide(
        self, call: ToolCall, order: Order | Refused, offset: int, now: datetime, seen: "_Seen"
    ) -> HandledCommand:
        account = self.shard.accounts[call.agent]
        market, rules = self.market, self.rules
        # In lock-step the market does not move while agents think: only its own clock tells what
        # is old, and tells every run the same.
        prices_at = market.newest_at if rules.lock_step else None
        decision = decide(
            account,
            call,
            order,
            market,
            rules,
            now,
            prices_at=prices_at,
            prices_current=seen.prices_current,
            halt=self.switch.halt_of(call.agent),
            control_unknown=seen.control_unknown,
        )
        source = (self.partition, offset)
        record = order_decided(self.shard, source, call, decision, account, rules, now, prices_at)
        self._fold(record)
        event = self.shard.recent[-1]
        portfolio = self._portfolio(account)
        return HandledCommand(
            event["outcome"],
            event["reason"] or "",
            [record],
            decided(call, event, portfolio),
        )


def _is_ahead(call: ToolCall, written_ms: int) -> bool:
    """True if an order's issue time is too far after the time of its record."""
    if written_ms <= 0:
        return False
    return unix_us(call.issued_at) - 1_000 * written_ms > ISSUED_AHEAD_MAX // MICROSECOND


def _refused(call: ToolCall, reason: str, text: str, burial: str, now: datetime) -> HandledCommand:
    """An order that is refused without an event, and answered if that is not too late."""
    reply = None
    if now <= call.deadline_at:
        reply = failed(call, reason, f"{call.tool} was not run: {text}")
    return HandledCommand("refused", reason, reply=reply, burial=burial)
