"""An agent's turns: transcript and cost of each decision; agents and rules on the roster."""

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from arena.messages.base import (
    CURRENCY_FIELD,
    SOURCE_FIELD,
    Currency,
    Message,
    MessagePart,
    Utc,
    is_empty,
    is_none,
)
from arena.messages.chat import CallOutcome, ChatMessage, PromptSize, Usage
from arena.messages.coaching import VERSION_FIELD, OwnerWords
from arena.messages.gates import Gates
from arena.messages.market import Side
from arena.messages.orders import OrderStatus, OrderType
from arena.money import WireDecimal

SINGLE = "single"
"""The kind of a turn that is one conversation with one model."""


def _is_single(value: object) -> bool:
    return value == SINGLE


# Any: pydantic's `Field` has the type of its field.
TURN_KIND_FIELD: Any = Field(default=SINGLE, max_length=64, exclude_if=_is_single)
"""Name of a module in `routers/kinds`; omitted for "single", as in older records."""

RosterKind = Literal["agent", "baseline", "shadow"]
PromptMode = Literal["frozen", "coached"]
COACHED: PromptMode = "coached"


def _is_coached(value: object) -> bool:
    return value == COACHED


# Any: pydantic's `Field` has the type of its field.
PROMPTS_FIELD: Any = Field(default=COACHED, exclude_if=_is_coached)

TurnOutcome = Literal["completed", "max_rounds", "failed", "expired", "aborted"]

Pacing = Literal["real-time", "lock-step"]
"""In lock-step the market waits until every turn on a snapshot has ended."""


class HeldPosition(MessagePart):
    """One position as the executor reported it.

    Attributes:
        quantity: Base units.
        average_cost: Cash per base unit, fees included.
        bid: The bid at the time of the report; None if no price was known.
        held_s: Venue seconds since entry, weighted by quantity; None if unknown.
    """

    product_id: str = Field(max_length=64)
    quantity: WireDecimal
    average_cost: WireDecimal
    bid: WireDecimal | None = None
    held_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class PortfolioOrder(MessagePart):
    """An open order as the executor reported it.

    Attributes:
        quantity: What is not filled yet of a limit order; None for an exit, which sells all.
        level: The limit, or the bid at which an exit fires; None for a time exit.
        trailing_pct: Distance of a trailing stop in percent; None for other types.
        ends_at: Venue time at which a limit order expires, or a time exit fires; None for never.
    """

    order_id: str = Field(max_length=64)
    order_type: OrderType
    product_id: str = Field(max_length=64)
    action: Side
    quantity: WireDecimal | None = Field(default=None, exclude_if=is_none)
    level: WireDecimal | None = Field(default=None, exclude_if=is_none)
    trailing_pct: WireDecimal | None = Field(default=None, exclude_if=is_none)
    ends_at: Utc | None = Field(default=None, exclude_if=is_none)


class OrderClosing(MessagePart):
    """How an order was closed, as the executor reported it.

    Attributes:
        status: "filled", "cancelled", "expired" or "rejected".
        reason: Of a rejection.
        cause: As in `OrderDecided`.
        quantity: What was filled in all; None for nothing.
        price: Of the last fill.
        realised: Profit of the last fill of a sell.
        realised_pct: The same in percent of the cost of what was sold.
        seq: Sequence number of its last event in the account log.
    """

    order_id: str = Field(max_length=64)
    order_type: OrderType
    product_id: str = Field(max_length=64)
    action: Side
    status: OrderStatus
    reason: str = Field(default="", max_length=64, exclude_if=is_empty)
    cause: str = Field(default="", max_length=64, exclude_if=is_empty)
    quantity: WireDecimal | None = Field(default=None, exclude_if=is_none)
    price: WireDecimal | None = Field(default=None, exclude_if=is_none)
    realised: WireDecimal | None = Field(default=None, exclude_if=is_none)
    realised_pct: WireDecimal | None = Field(default=None, exclude_if=is_none)
    seq: int = 0


class Portfolio(MessagePart):
    """An account as the executor reported it.

    Attributes:
        cash_usd: Cash that the agent can spend.
        scraped_usd: Profit that was set aside: part of the equity, but not available for trading.
        positions: The agent's positions.
        currency: Currency of all amounts.
        wallets: The agent's accounts in further currencies; they have none themselves.
        orders: The agent's open orders, of all currencies; the first ones of many.
        orders_open: How many there are if not all are in `orders`.
    """

    cash_usd: WireDecimal
    scraped_usd: WireDecimal = Decimal(0)
    positions: tuple[HeldPosition, ...] = ()
    currency: Currency = CURRENCY_FIELD
    wallets: "tuple[Portfolio, ...]" = Field(default=(), exclude_if=is_empty)
    orders: tuple[PortfolioOrder, ...] = Field(default=(), max_length=100, exclude_if=is_empty)
    orders_open: int = Field(default=0, exclude_if=is_empty)


class AccountCheck(MessagePart):
    """What the router asked about an account with open orders before it asked the agent.

    Attributes:
        call_id: The call of `get_portfolio`.
        portfolio: The account after everything that happened up to the snapshot.
        closings: What happened to the agent's orders since its last turn without its doing, oldest
            first: its prompt begins with it.
    """

    call_id: str
    portfolio: Portfolio
    closings: tuple[OrderClosing, ...] = ()


class Round(MessagePart):
    """One model call of a turn and its tool calls.

    Attributes:
        model_ms: Time from the request to its reply in the inbox.
        tools_ms: Time from the tool calls to the last result in the inbox.
        tool_call_ids: Ids of the calls in order, as in `account.events` and `ToolResult`.
        stage: Stage of the turn that asked; "" if its kind has none.
        role: Role that asked; "" if the kind has none.
    """

    call_id: str
    outcome: CallOutcome
    finish_reason: str = ""
    error: str = ""
    usage: Usage = Usage()
    model_ms: float = 0.0
    tools_ms: float = 0.0
    tool_call_ids: tuple[str, ...] = ()
    tools_ok: tuple[bool, ...] = ()
    stage: str = Field(default="", exclude_if=is_empty)
    role: str = Field(default="", exclude_if=is_empty)


class TurnStarted(Message):
    """Evidence of the start of a turn; a `Turn` with the same id must follow.

    Written with the first `ChatRequest` and acked before the first tool call, so that a crash can
    be distinguished from a turn that never started. `asked` to `calls_max` are for gated agents.

    Attributes:
        asked: `AskedFor`, why the agent was asked; "" if it has neither gates nor a cadence.
        asked_by: The record that was the cause, such as "arena.control[0]@7"; "" without one.
        mids: Product id -> mid in the snapshot, if `on_move_pct` is on.
        calls_max: Most model calls of the turn under the caps; None without caps.
        read_to: Topic -> offset up to which causes of `wake_on` were read; also of `prompts`, if
            the agent's text can be changed, and of `agent.feedback` the offset before which
            everything was used.
        version, owner: As in `Turn`.
    """

    turn_id: str
    agent: str
    snapshot_id: str
    snapshot_offset: int
    as_of: Utc
    started_at: Utc
    asked: str = Field(default="", exclude_if=is_empty)
    asked_by: str = Field(default="", exclude_if=is_empty)
    mids: dict[str, WireDecimal] = Field(default_factory=dict, exclude_if=is_empty)
    calls_max: int | None = Field(default=None, exclude_if=is_none)
    read_to: dict[str, int] = Field(default_factory=dict, exclude_if=is_empty)
    version: str = VERSION_FIELD
    owner: OwnerWords | None = Field(default=None, exclude_if=is_none)


class Turn(Message):
    """One complete decision of an agent on one snapshot.

    Attributes:
        turn_kind: Kind of the turn: a module of `routers/kinds`.
        replayed: True if a reply of the model was a recorded one.
        prompt_sha256: Hash of the rendered system and user text; the text is in `messages`.
        messages: The whole conversation: system, user, assistant and tool messages.
        skipped_snapshots: Number of snapshots that were skipped since the last turn.
        outcome: "completed"; "max_rounds" if the model never stopped calling tools; "failed" or
            "expired" if the model gave no usable answer; "aborted" if the process died in the turn.
        cause: A `Cause` if the turn gave no usable decision.
        prompt_size: Size of the prompt.
        left_out: Description of what the prompt omits for its size.
        final_text: The model's final text, cut at a limit.
        memory: One line about this turn for the prompts of later turns.
        portfolio: The account as the agent knows it after this turn, which the next prompt
            repeats; None if the agent never received it.
        portfolio_as_of: Venue time of the snapshot of the turn in which it was received.
        usage: Sum over the rounds; the cost is None if a price is unknown.
        context: Ids of the items of dated context that the prompt showed.
        asked, asked_by: As in `TurnStarted`.
        checked: The account at the start of the turn, if the router asked for it.
        heard_seq: The agent was told of all closed orders up to this sequence number.
        version: Version of the strategy's text (`arena.prompt_versions`); "" in older records.
        owner: The owner's words that the prompt showed; None for none.
    """

    turn_id: str
    agent: str
    strategy: str
    node: str
    model: str = ""
    scripted: bool = False
    replayed: bool = False
    snapshot_id: str
    snapshot_offset: int
    as_of: Utc
    prompt_sha256: str = ""
    prompt_version: int = 1
    messages: tuple[ChatMessage, ...] = ()
    rounds: tuple[Round, ...] = ()
    skipped_snapshots: int = 0
    outcome: TurnOutcome
    error: str = ""
    cause: str = ""
    prompt_size: PromptSize = "full"
    left_out: str = ""
    final_text: str = ""
    memory: str = ""
    portfolio: Portfolio | None = None
    portfolio_as_of: Utc | None = None
    usage: Usage = Usage()
    started_at: Utc
    ended_at: Utc
    snapshot_age_ms: float = 0.0
    total_ms: float = 0.0
    turn_kind: str = TURN_KIND_FIELD
    context: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    asked: str = Field(default="", exclude_if=is_empty)
    asked_by: str = Field(default="", exclude_if=is_empty)
    checked: AccountCheck | None = Field(default=None, exclude_if=is_none)
    heard_seq: int = Field(default=0, exclude_if=is_empty)
    version: str = VERSION_FIELD
    owner: OwnerWords | None = Field(default=None, exclude_if=is_none)


class AgentSpec(Message):
    """An agent on the roster, under the key "agent/<name>".

    Attributes:
        kind: "agent" competes; "baseline" is for comparison; "shadow" plays a text in a trial, and
            has an account but neither a rank nor an owner.
        turn_kind: Kind of its turns: a module of `routers/kinds`.
        prompt_sha256: Hash of the strategy's system prompt.
        seed: Seed of its sampling; None if it has none.
        prompt_size: How much of the market its prompts show.
        source: Folder and name of the strategy's file; "" for a shipped strategy.
        source_sha256: SHA-256 of that file.
        shows: Parts of the snapshot that its prompts show on request: "indicators", "context".
        gates: What holds it back from decisions; None if nothing but its cadence does.
        prompts: "frozen" if its text cannot be changed while it runs, as in most contests.
        shadow_of: The agent whose text a shadow agent tries; "" for any other.
    """

    agent: str
    strategy: str
    node: str
    kind: RosterKind = "agent"
    prompt_sha256: str = ""
    prompt_version: int = 1
    tools: tuple[str, ...] = ()
    cadence: int = 1
    seed: int | None = None
    prompt_size: PromptSize = "full"
    source: str = SOURCE_FIELD
    source_sha256: str = SOURCE_FIELD
    joined_at: Utc
    turn_kind: str = TURN_KIND_FIELD
    shows: tuple[str, ...] = Field(default=(), max_length=8, exclude_if=is_empty)
    gates: Gates | None = Field(default=None, exclude_if=is_none)
    prompts: PromptMode = PROMPTS_FIELD
    shadow_of: str = Field(default="", exclude_if=is_empty)

    @property
    def is_shadow(self) -> bool:
        """True for a shadow agent of a trial."""
        return self.kind == "shadow"

    @property
    def strategy_kind(self) -> Literal["agent", "baseline"]:
        """The kind of its strategy; a shadow agent's is "agent"."""
        return "baseline" if self.kind == "baseline" else "agent"


class Rules(Message):
    """The rules of a season: money rules that the executor applies, and the planned length.

    Stated in every `Epoch`, and published on the roster under the key "rules".

    Attributes:
        fee_bps: Taker fee.
        slippage_bps: Slippage against the taker at the fill.
        price_age_s_max: Limit of the age of a price.
        collar_bps: Limit of the price's move from the price that the agent saw.
        pacing: In "lock-step" the age of a price is measured in venue time.
        planned_snapshots: Planned number of snapshots, on which the judge's looks depend; None
            without a planned end.
        currency: Currency of the main accounts.
        wallets: Further currency -> starting cash of the accounts in it. Every product is quoted in
            one of these currencies.
    """

    starting_cash_usd: WireDecimal
    fee_schedule: str
    fee_bps: WireDecimal
    slippage_bps: WireDecimal
    price_age_s_max: float
    collar_bps: WireDecimal
    pacing: Pacing = "real-time"
    planned_snapshots: int | None = Field(default=None, ge=1, exclude_if=is_none)
    currency: Currency = CURRENCY_FIELD
    wallets: dict[Currency, WireDecimal] = Field(default_factory=dict, exclude_if=is_empty)
    at: Utc
