"""What a turn is given and what it asks for: the values around `routers.turn`.

Given: who plays (`Player`), on what (`Opening`), within which bounds (`Limits`), and when (`Now`).
Asked for: `SendRequest`, `SendToolCalls`, `FinishTurn`. Pure: reads and writes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from arena.messages import (
    ChatRequest,
    MarketSnapshot,
    PromptSize,
    QuoteSeen,
    ToolCall,
    ToolOffered,
    ToolSchema,
    Turn,
    TurnStarted,
)
from routers.portfolio import KnownPortfolio
from routers.prompt_sizes import FORMS, FULL, PromptForm, sized_schema
from routers.strategy import Strategy


class Now(NamedTuple):
    """An instant: wall time for stamps, monotonic seconds for durations."""

    wall: datetime
    monotonic_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how far a turn may go.

    Attributes:
        rounds: Tool rounds; after the last one the turn ends as "max_rounds".
        decision_s: For the whole turn; the deadline of every model call.
        tool_s: To wait for the results of one round.
        grace_s: Past the deadline, for the chat node's own "expired" to come in.
    """

    rounds: int = 4
    decision_s: float = 60.0
    tool_s: float = 10.0
    grace_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays: the same for every turn of an agent.

    Attributes:
        schemas: The tools as the model sees them, in the strategy's order.
        account_tools: Names of those that run in the account's single writer.
        form: The size of its prompts.
    """

    agent: str
    node: str
    strategy: Strategy
    limits: Limits = Limits()
    schemas: tuple[ToolSchema, ...] = ()
    account_tools: frozenset[str] = frozenset()
    form: PromptForm = FULL

    @classmethod
    def of(
        cls,
        agent: str,
        node: str,
        strategy: Strategy,
        limits: Limits,
        offers: Iterable[ToolOffered],
        size: PromptSize = "full",
    ) -> "Player":
        """A player with those of the offered tools that its strategy names."""
        form = FORMS[size]
        found = {o.name: o for o in offers if o.name in strategy.tools}
        return cls(
            agent=agent,
            node=node,
            strategy=strategy,
            limits=limits,
            schemas=tuple(
                sized_schema(
                    ToolSchema(name=o.name, description=o.description, parameters=o.parameters),
                    form,
                )
                for o in (found[name] for name in strategy.tools if name in found)
            ),
            account_tools=frozenset(o.name for o in found.values() if o.touches_account),
            form=form,
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """What a turn begins with: the snapshot, where it stood, and how it was rendered.

    Attributes:
        known: The account as the agent was told before.
        left_out: What the prompt does not show for its size, in words.
    """

    snapshot: MarketSnapshot
    snapshot_offset: int
    skipped: int
    system: str
    user: str
    known: KnownPortfolio | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Ask the model; with the first request goes the evidence that a turn was begun."""

    request: ChatRequest
    started: TurnStarted | None = None


@dataclass(frozen=True, slots=True)
class SendToolCalls:
    """Run these calls, all at once.

    Attributes:
        account: To `account.commands`, in the model's order. stateless: to `tools.calls`.
    """

    account: tuple[ToolCall, ...]
    stateless: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class FinishTurn:
    """Record the turn; nothing follows."""

    turn: Turn


Effect = SendRequest | SendToolCalls | FinishTurn


def aborted_turn(started: TurnStarted, player: Player, now: datetime) -> Turn:
    """The record of a turn whose process died: begun, and never to be ended otherwise."""
    return Turn(
        turn_id=started.turn_id,
        agent=player.agent,
        strategy=player.strategy.name,
        node=player.node,
        snapshot_id=started.snapshot_id,
        snapshot_offset=started.snapshot_offset,
        as_of=started.as_of,
        prompt_version=player.strategy.prompt_version,
        prompt_size=player.form.size,
        outcome="aborted",
        error="the router stopped during this turn; an order it sent is carried out at most once",
        memory=f"{started.as_of:%H:%M} cut off by a restart: an order may have been carried out",
        started_at=started.started_at,
        ended_at=now,
    )


def quotes_seen(snapshot: MarketSnapshot, arguments: str) -> dict[str, QuoteSeen]:
    """The best prices in the snapshot of the products that the arguments name."""
    named = arguments.upper()
    return {
        view.product_id: QuoteSeen(bid=view.ticker.best_bid, ask=view.ticker.best_ask)
        for view in snapshot.products
        if view.ticker is not None and view.product_id in named
    }


def no_answer_text(tool_s: float, *, account: bool) -> str:
    """What the model is told of a call whose result did not come in time."""
    if account:
        return f"no answer in {tool_s:g} s; the order may still execute: check get_portfolio"
    return f"no answer in {tool_s:g} s; go on without it or ask again"
