"""What an agent is told before a turn: the exits that fired since its last one. Pure.

An agent with open orders may have lost them, or its position, while it was not asked. So its router
asks for the portfolio first, with the snapshot's ticker offsets: the executor answers when all
tickers before the snapshot were evaluated. In lock-step this is the same in every run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from pydantic import ValidationError

from arena import ids, topics
from arena.messages import (
    AccountCheck,
    AskedFor,
    MarketSnapshot,
    OrderClosing,
    ToolCall,
    ToolResult,
)
from arena.messages.tools import ORDER_TOOLS, PORTFOLIO_TOOL
from routers.gates import WakeCause
from routers.memory import AgentHistory
from routers.portfolio import KnownPortfolio, portfolio_of_result
from routers.prompt_account import is_news
from routers.strategy import Strategy
from routers.turn_types import Now

CLOSINGS_MAX = 64
"""Most closed orders of one answer that are read."""


@dataclass(frozen=True, slots=True)
class AccountLook:
    """What the router knows of an account before a turn.

    Attributes:
        check: What it was told; None if it did not ask, or got no answer in time.
        heard_seq: The agent will have been told of all closed orders up to this sequence number.
    """

    check: AccountCheck | None
    heard_seq: int

    @property
    def causes(self) -> tuple[WakeCause, ...]:
        """What may wake the agent."""
        closings = () if self.check is None else self.check.closings
        return tuple(WakeCause(str(AskedFor.EXIT), f"order {one.order_id}") for one in closings)


def needs_check(strategy: Strategy, history: AgentHistory) -> bool:
    """True if an agent may have open orders: it had some, or its last turn was cut off."""
    if history.known is not None:
        return bool(history.known.portfolio.orders)
    return history.turns > 0 and not set(ORDER_TOOLS).isdisjoint(strategy.tools)


def check_call(agent: str, snapshot: MarketSnapshot, now: Now, tool_s: float) -> ToolCall:
    """The call that asks for an account before the agent's turn on a snapshot.

    Args:
        agent: The agent.
        snapshot: The snapshot.
        now: When it is sent.
        tool_s: Seconds to its deadline.
    """
    turn_id = ids.turn_id(agent, snapshot.snapshot_id)
    return ToolCall(
        call_id=ids.account_check_id(turn_id),
        agent=agent,
        turn_id=turn_id,
        round=0,
        index=0,
        tool=PORTFOLIO_TOOL,
        arguments="{}",
        snapshot_id=snapshot.snapshot_id,
        ticker_offsets=snapshot.ticker_offsets,
        issued_at=now.wall,
        deadline_at=now.wall + timedelta(seconds=tool_s),
        reply_to=topics.inbox(agent),
    )


def look_of(result: ToolResult | None, heard_seq: int) -> AccountLook:
    """What an answer says; nothing new if there is none.

    Args:
        result: The answer; None if none came in time.
        heard_seq: Up to where the agent was told before.
    """
    portfolio = None if result is None else portfolio_of_result(result)
    if result is None or portfolio is None:
        return AccountLook(None, heard_seq)
    closed = [one for one in _closings(result) if one.seq > heard_seq]
    news = tuple(one for one in closed if is_news(one))
    check = AccountCheck(call_id=result.call_id, portfolio=portfolio, closings=news)
    return AccountLook(check, max([heard_seq, *(one.seq for one in closed)]))


def known_before(
    known: KnownPortfolio | None, check: AccountCheck | None, snapshot: MarketSnapshot
) -> KnownPortfolio | None:
    """The account as the agent knows it when a turn starts.

    Args:
        known: What it knows from its last turn.
        check: What the router was told since; None if it did not ask.
        snapshot: The snapshot of the turn.
    """
    return known if check is None else KnownPortfolio(check.portfolio, snapshot.as_of)


def _closings(result: ToolResult) -> list[OrderClosing]:
    """The closed orders in an answer, oldest first; those that cannot be read are left out."""
    value = result.value
    listed = value.get("closed") if isinstance(value, Mapping) else None
    found = []
    for one in islice(listed, CLOSINGS_MAX) if isinstance(listed, list) else ():
        try:
            found.append(OrderClosing.model_validate(one))
        except ValidationError:
            continue
    return found
