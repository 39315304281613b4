"""Handles the commands of a shard: commands in, events and replies out, in command order. Pure.

The handler folds each event that it makes into its shard at once, so the next command sees it. The
caller appends the events in order and sends a reply only when every event before it is in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from arena import ids
from arena.account_state import OrderOutcome
from arena.accounts import Shard
from arena.kill_switch import KillSwitch
from arena.messages import Message, OpenAccount, ToolCall
from arena.topics import partition_of
from trading_tools import envelope
from trading_tools.account_records import records_of
from trading_tools.context import (
    AccountContext,
    AccountRequest,
    Answer,
    CancelOrder,
    SetExits,
)
from trading_tools.events import PendingEvent, account_opened
from trading_tools.handled_command import (
    HandledCommand,
    is_ahead,
    issued_ahead,
    too_late,
    too_old,
    unknown_tool,
)
from trading_tools.orders.desk import Desk
from trading_tools.orders.limits_in_force import apply_limits
from trading_tools.orders.marks import Checked, first_mark
from trading_tools.portfolio import PortfolioView, portfolio_of
from trading_tools.quotes import MarketState
from trading_tools.registry import Tool
from trading_tools.replies import answer_result, failed_result, forgotten_order_result, order_result
from trading_tools.risk.candles import CandleFigures
from trading_tools.risk.requests import LimitSettings
from trading_tools.rules import TradingRules
from trading_tools.schema import InvalidArguments


@dataclass(slots=True)
class CommandHandler:
    """Handles the commands of one shard.

    Attributes:
        partition: The number of the shard.
        shards: How many shards there are.
        shard: The fold of the shard, ahead of the log by the events that are not acked yet.
        market: The newest prices and listings.
        rules: The rules of this executor.
        tools: The account tools by name.
        switch: The kill switch: whose orders are halted.
        limits: Which limits of risk each agent is to have; None leaves those in the log.
        checked: How far open orders and limits were checked against the market.
        candles: Those of the handled command's snapshot; None if no limit needs them.
        commands_only: True in a replay: steps that follow a command, and settings, are in the log.
    """

    partition: int
    shards: int
    shard: Shard
    market: MarketState
    rules: TradingRules
    tools: Mapping[str, Tool]
    switch: KillSwitch = field(default_factory=KillSwitch)
    limits: LimitSettings | None = None
    checked: Checked = field(default_factory=Checked)
    candles: CandleFigures | None = None
    commands_only: bool = False

    def __post_init__(self) -> None:
        """Name the shard in the notes of checks."""
        self.checked.partition = self.partition

    def why_invalid(self, message: Message) -> str | None:
        """Why a message of `account.commands` is not a valid command of this shard, or None."""
        if not isinstance(message, ToolCall | OpenAccount):
            return f"account.commands holds a {message.type_name()}"
        if partition_of(message.agent, self.shards) != self.partition:
            return f"its agent does not belong to shard {self.partition}"
        return envelope.why_invalid(message)

    def prices_needed(self, message: Message) -> Mapping[int, int]:
        """The offsets of `market.tickers` that must be read before this command may be handled.

        In lock-step they are also needed to read the account and to repeat a reply, because both
        contain the value of positions.
        """
        if not isinstance(message, ToolCall):
            return {}
        tool = self.tools.get(message.tool)
        if self.rules.lock_step:
            return message.ticker_offsets if tool is not None else {}
        if self._may_be_decided_already(message):
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
        """Handle one command.

        Args:
            message: A valid command of this shard.
            offset: Its offset in `account.commands`.
            now: Wall time.
            prices_current: See `decide`.
            control_unknown: See `decide`.
            written_ms: Time of the record by the broker's clock, in Unix milliseconds; the same
                whenever the record is read. 0 if unknown.
        """
        if isinstance(message, OpenAccount):
            return self._open(message, offset, now)
        assert isinstance(message, ToolCall)
        tool = self.tools.get(message.tool)
        if tool is None:
            return unknown_tool(message, self.tools)
        if tool.places_order:
            known = self.shard.orders.get(message.call_id)
            if known is not None:
                return self._repeat_reply(message, known, now)
            if is_ahead(message, written_ms):
                return issued_ahead(message, now)
            if self._may_be_decided_already(message):
                return too_old(message, now)
        if not tool.places_order and now > message.deadline_at:
            return too_late(message)
        opening = self._open_implied_account(message, offset, now)
        desk = self.desk(now, prices_current=prices_current, control_unknown=control_unknown)
        handled = self._run(tool, message, offset, desk)
        handled.appends[:0] = opening
        return handled

    def places_order(self, message: Message) -> bool:
        """True if a message asks for an order."""
        tool = self.tools.get(message.tool) if isinstance(message, ToolCall) else None
        return tool is not None and tool.places_order

    def needs_decision(self, message: Message) -> bool:
        """True for an order that is still to be decided, and for no other message."""
        if not isinstance(message, ToolCall) or not self.places_order(message):
            return False
        return not self._may_be_decided_already(message)

    def _may_be_decided_already(self, call: ToolCall) -> bool:
        """True if an order is, or may be, decided already.

        By its id, not by its offset: offsets repeat in a log that was cut or created again.
        """
        known = call.call_id in self.shard.orders
        return known or self.shard.may_be_forgotten(call.agent, call.issued_at)

    def _repeat_reply(self, call: ToolCall, known: OrderOutcome, now: datetime) -> HandledCommand:
        if now > call.deadline_at:
            return HandledCommand("duplicate")
        event = next(
            (e for e in reversed(self.shard.recent) if e["order_id"] == call.call_id), None
        )
        if event is None or event["agent"] != call.agent:
            return HandledCommand("duplicate", reply=forgotten_order_result(call, known))
        portfolio = self._portfolio(call.agent)
        return HandledCommand("duplicate", reply=order_result(call, event, portfolio))

    def desk(
        self,
        now: datetime,
        *,
        prices_current: bool = True,
        control_unknown: datetime | None = None,
        market: MarketState | None = None,
    ) -> Desk:
        """Decides requests and takes steps at one moment.

        Args:
            now: Wall time.
            prices_current: See `decide`.
            control_unknown: See `decide`.
            market: The market to use; None for the newest.
        """
        seen = market or self.market
        # In lock-step the age of a price is measured by the market's own clock.
        prices_at = seen.newest_at if self.rules.lock_step else None
        return Desk(
            self.partition,
            self.shard,
            seen,
            self.rules,
            self.switch,
            now,
            prices_at,
            prices_current,
            control_unknown,
            self.candles,
        )

    def _open(self, command: OpenAccount, offset: int, now: datetime) -> HandledCommand:
        known = command.agent in self.shard.accounts
        if known or command.call_id in self.shard.orders:
            return HandledCommand("duplicate")
        source = (self.partition, offset)
        record = account_opened(
            self.shard, source, command.call_id, command.agent, self.rules, now, command.scrape
        )
        return HandledCommand("opened", appends=[record.fold_into(self.shard)])

    def _open_implied_account(
        self, call: ToolCall, offset: int, now: datetime
    ) -> list[PendingEvent]:
        if call.agent in self.shard.accounts:
            return []
        # The opening names the command before this one as its source: after a restart between the
        # two events, this command must be read again.
        source = (self.partition, offset - 1)
        order_id = ids.derive("open-account", call.agent)
        record = account_opened(self.shard, source, order_id, call.agent, self.rules, now)
        return [record.fold_into(self.shard)]

    def _run(self, tool: Tool, call: ToolCall, offset: int, desk: Desk) -> HandledCommand:
        ctx = AccountContext(
            agent=call.agent,
            turn_id=call.turn_id,
            call_id=call.call_id,
            snapshot_id=call.snapshot_id,
            now=desk.now,
            _portfolio=lambda: self._portfolio(call.agent),
            _records=lambda: records_of(self.shard, self.market, self.rules, call.agent, desk.now),
        )
        arguments = tool.signature.read(call.arguments)
        outcome = (
            arguments if isinstance(arguments, InvalidArguments) else tool.call(ctx, arguments)
        )
        if isinstance(outcome, Answer):
            return HandledCommand(
                "read", outcome.error, reply=answer_result(call, outcome, self.shard.seq)
            )
        if not tool.places_order:
            assert isinstance(outcome, InvalidArguments)
            text = f"{call.tool} was not run: {outcome.reason}."
            reply = failed_result(call, "malformed_arguments", text)
            return HandledCommand("refused", "malformed_arguments", reply=reply)
        return self._decide(call, outcome, offset, desk)

    def _portfolio(self, agent: str) -> PortfolioView:
        market, shard = self.market, self.shard
        return portfolio_of(
            shard.accounts[agent],
            market.quotes,
            self.rules.currency,
            market.listings,
            shard.wallets.get(agent),
            shard.standing.get(agent),
        )

    def _decide(
        self,
        call: ToolCall,
        request: AccountRequest | InvalidArguments,
        offset: int,
        desk: Desk,
    ) -> HandledCommand:
        source = (self.partition, offset)
        records = apply_limits(
            self.shard, self.limits, call.agent, self.checked, desk.now, desk.venue_at
        )
        if isinstance(request, CancelOrder):
            decided = desk.cancel(call, request, source)
        else:
            records += first_mark(self.shard, self.checked, desk.now, request)
            if isinstance(request, SetExits):
                decided = [desk.set_exits(call, request, source)]
            else:
                decided = [desk.order(call, request, source)]
        event = decided[-1].event
        assert event is not None, "a decision is an order's event"
        followed = [] if self.commands_only else desk.follow_up(call.agent)
        return HandledCommand(
            event["outcome"],
            event["reason"] or "",
            [*records, *decided, *followed],
            order_result(call, event, self._portfolio(call.agent), len(decided)),
        )
