"""Inputs and effects of a turn, the types around `routers.kinds`.

Inputs: the agent (`ResolvedAgent`), snapshot and prompt (`TurnInput`), bounds (`Limits`), and time
(`Now`). Effects: `SendRequest`, `SendToolCalls`, `FinishTurn`. Pure: reads and writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from pydantic import JsonValue

from arena.messages import (
    AccountCheck,
    ChatRequest,
    MarketSnapshot,
    OwnerWords,
    PromptSize,
    QuoteSeen,
    ToolCall,
    ToolOffered,
    ToolSchema,
    Turn,
    TurnStarted,
)
from arena.messages.tools import ORDER_TOOLS, TRADE_TOOL
from routers.portfolio import KnownPortfolio
from routers.prompt_sizes import FULL, PROMPT_FORMS, PromptForm, sized_schema
from routers.strategy import Strategy

SMALL_EXITS = ("stop_loss_pct", "take_profit_pct", "trailing_pct", "exit_after")
"""The optional arguments of `execute_trade` in compact and tiny prompts, in their order. Such
prompts offer exits with an entry, and nothing else of these."""


class Now(NamedTuple):
    """An instant: wall time for stamps, monotonic seconds for durations."""

    wall: datetime
    monotonic_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a turn.

    Attributes:
        rounds: Tool rounds; after the last one the turn ends as "max_rounds".
        decision_s: Time for the whole turn; the deadline of every model call.
        tool_s: How long to wait for the results of one round.
        grace_s: How long to wait after the deadline for the chat node's own "expired" reply.
    """

    rounds: int = 4
    decision_s: float = 60.0
    tool_s: float = 10.0
    grace_s: float = 5.0


@dataclass(frozen=True, slots=True)
class ResolvedAgent:
    """An agent with the tools that it was offered: the same for all of its turns.

    Attributes:
        name: The agent's name.
        node: Its chat node.
        schemas: The tools as the model sees them, in the strategy's order.
        account_tools: Names of the tools that run in the account's single writer.
        form: The bounds of its prompts.
    """

    name: str
    node: str
    strategy: Strategy
    limits: Limits = Limits()
    schemas: tuple[ToolSchema, ...] = ()
    account_tools: frozenset[str] = frozenset()
    form: PromptForm = FULL

    @classmethod
    def of(
        cls,
        name: str,
        node: str,
        strategy: Strategy,
        limits: Limits,
        offers: Iterable[ToolOffered],
        size: PromptSize = "full",
    ) -> "ResolvedAgent":
        """Resolve an agent: of the offered tools it gets those that its strategy names."""
        form = PROMPT_FORMS[size]
        found = {o.name: o for o in offers if o.name in strategy.tools}
        return cls(
            name=name,
            node=node,
            strategy=strategy,
            limits=limits,
            schemas=tuple(
                _shown_schema(found[tool], strategy, form)
                for tool in strategy.tools
                if tool in found and (form is FULL or tool not in ORDER_TOOLS)
            ),
            account_tools=frozenset(o.name for o in found.values() if o.touches_account),
            form=form,
        )


def _shown_schema(offer: ToolOffered, strategy: Strategy, form: PromptForm) -> ToolSchema:
    """The schema of a tool for prompts of a size; without arguments that a strategy does not use.

    The optional arguments of `execute_trade` are for strategies that use them. A small
    prompt has no room for all of them, nor for their descriptions.
    """
    parameters = dict(offer.parameters)
    properties, required = parameters.get("properties"), parameters.get("required")
    if offer.name == TRADE_TOOL and isinstance(properties, dict) and isinstance(required, list):
        shown: dict[str, JsonValue] = {n: part for n, part in properties.items() if n in required}
        if not set(ORDER_TOOLS) & set(strategy.tools):
            parameters["properties"] = shown
        elif form is not FULL:
            for name in SMALL_EXITS:
                part = properties.get(name)
                if isinstance(part, dict):
                    shown[name] = {"type": part.get("type")}
            parameters["properties"] = shown
    described = ToolSchema(name=offer.name, description=offer.description, parameters=parameters)
    return sized_schema(described, form)


@dataclass(frozen=True, slots=True)
class Asked:
    """Why a gated agent was asked, for its `TurnStarted` and `Turn`, whose fields these are."""

    asked: str = ""
    asked_by: str = ""
    mids: Mapping[str, Decimal] = field(default_factory=dict)
    calls_max: int | None = None
    read_to: Mapping[str, int] = field(default_factory=dict)


NOT_GATED = Asked()


@dataclass(frozen=True, slots=True)
class TurnInput:
    """What a turn starts with: the snapshot, its offset, and the rendered prompt.

    Attributes:
        skipped: Snapshots that were skipped since the agent's last turn.
        known: The account as the agent knows it from earlier turns.
        left_out: Describes what the prompt leaves out because of its size.
        context: Ids of the items of dated context that the prompt shows.
        asked: Why the agent was asked.
        checked: What the account was asked for before the turn; None for nothing.
        heard_seq: The agent was told of all closed orders up to this sequence number.
        version: Version of the strategy's text.
        owner: The owner's words that the prompt shows; None for none.
    """

    snapshot: MarketSnapshot
    snapshot_offset: int
    skipped: int
    system: str
    user: str
    known: KnownPortfolio | None = None
    left_out: str = ""
    context: tuple[str, ...] = ()
    asked: Asked = NOT_GATED
    checked: AccountCheck | None = None
    heard_seq: int = 0
    version: str = ""
    owner: OwnerWords | None = None


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Ask the model; the first request comes with the record that the turn has started."""

    request: ChatRequest
    started: TurnStarted | None = None


@dataclass(frozen=True, slots=True)
class SendToolCalls:
    """Run these calls, all at once.

    Attributes:
        account: For `account.commands`, in the model's order.
        stateless: For `tools.calls`.
    """

    account: tuple[ToolCall, ...]
    stateless: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class FinishTurn:
    """Record the turn; it is the last effect."""

    turn: Turn


Effect = SendRequest | SendToolCalls | FinishTurn


def aborted_turn(started: TurnStarted, agent: ResolvedAgent, now: datetime) -> Turn:
    """The record that ends a turn whose process died."""
    return Turn(
        turn_id=started.turn_id,
        turn_kind=agent.strategy.turn_kind,
        agent=agent.name,
        strategy=agent.strategy.name,
        node=agent.node,
        snapshot_id=started.snapshot_id,
        snapshot_offset=started.snapshot_offset,
        as_of=started.as_of,
        prompt_version=agent.strategy.prompt_version,
        prompt_size=agent.form.size,
        outcome="aborted",
        error="the router stopped during this turn; an order it sent is carried out at most once",
        memory=f"{started.as_of:%H:%M} cut off by a restart: an order may have been carried out",
        started_at=started.started_at,
        ended_at=now,
        asked=started.asked,
        asked_by=started.asked_by,
        version=started.version,
        owner=started.owner,
    )


def asked_again(started: TurnStarted) -> Asked:
    """Why a turn was started that is run again."""
    return Asked(started.asked, started.asked_by, started.mids, started.calls_max, started.read_to)


def quotes_seen(snapshot: MarketSnapshot, arguments: str) -> dict[str, QuoteSeen]:
    """The best prices in the snapshot for the products that the arguments name."""
    named = arguments.upper()
    return {
        view.product_id: QuoteSeen(bid=view.ticker.best_bid, ask=view.ticker.best_ask)
        for view in snapshot.products
        if view.ticker is not None and view.product_id.upper() in named
    }


def no_answer_text(tool_s: float, *, account: bool) -> str:
    """The text for the model about a call whose result did not come in time."""
    if account:
        return f"no answer in {tool_s:g} s; the order may still execute: check get_portfolio"
    return f"no answer in {tool_s:g} s; go on without it or ask again"
