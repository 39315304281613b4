"""An agent's turns: the whole transcript of one decision, and what it cost."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from arena.messages.base import (
    CURRENCY_FIELD,
    SOURCE_FIELD,
    Currency,
    Message,
    Part,
    Utc,
    is_none,
)
from arena.messages.chat import CallOutcome, ChatMessage, PromptSize, Usage
from arena.money import WireDecimal

TurnOutcome = Literal["completed", "max_rounds", "failed", "expired", "aborted"]

Pacing = Literal["real-time", "lock-step"]
"""Whether the market waits: in lock-step it moves on when every turn on a snapshot has ended."""


class HeldPosition(Part):
    """One position as the executor told it.

    Attributes:
        quantity: Base units. average_cost: Cash per base unit, fees included.
        bid: What a seller got when it was told; None where no price was known.
        held_s: Venue seconds since entry, weighted by quantity; None where unknown.
    """

    product_id: str = Field(max_length=64)
    quantity: WireDecimal
    average_cost: WireDecimal
    bid: WireDecimal | None = None
    held_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Portfolio(Part):
    """An account as the executor told it.

    Attributes:
        cash_usd: What the agent may spend.
        scraped_usd: Profit that was set aside: the agent's, but not to be traded with.
        positions: Products it holds.
        currency: Of all amounts.
    """

    cash_usd: WireDecimal
    scraped_usd: WireDecimal = Decimal(0)
    positions: tuple[HeldPosition, ...] = ()
    currency: Currency = CURRENCY_FIELD


class Round(Part):
    """One model call of a turn and the tool calls it asked for.

    Attributes:
        model_ms: From sending the request to its reply in the inbox.
        tools_ms: From sending the tool calls to the last result in the inbox.
        tool_call_ids: Ids of the calls in order, as in `account.events` and `ToolResult`.
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


class TurnStarted(Message):
    """Evidence that a turn was begun; a `Turn` with the same id must follow it.

    Written beside the first `ChatRequest` and acked before the first tool call, so a crash can
    be told from a turn that never was.
    """

    turn_id: str
    agent: str
    snapshot_id: str
    snapshot_offset: int
    as_of: Utc
    started_at: Utc


class Turn(Message):
    """One whole decision of an agent on one snapshot.

    Attributes:
        replayed: True where a model's reply was a recorded one.
        prompt_sha256: Hash of the rendered system and user text; the text itself is in `messages`.
        messages: The whole conversation: system, user, assistant and tool messages.
        skipped_snapshots: Older snapshots that were passed over since the last turn.
        outcome: "completed"; "max_rounds" where the model never stopped asking for tools;
            "failed" or "expired" where the model gave no usable answer; "aborted" where the
            process died during the turn.
        cause: A `Cause` if the turn gave no usable decision.
        prompt_size: Of the prompt. left_out: what it does not show for its size, in words.
        final_text: The model's closing words, cut at a bound.
        memory: What the next turns' prompts may say of this one, one line.
        portfolio: The account as the agent knows it after this turn, which the next prompt
            repeats; None where it was never told. portfolio_as_of: venue time of the snapshot
            it answered when it was told.
        usage: Sum over the rounds; cost None where a price is unknown.
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


class AgentSpec(Message):
    """An agent on the roster, under the key "agent/<name>".

    Attributes:
        kind: "agent" competes; "baseline" is there to compare with.
        prompt_sha256: Hash of the strategy's system prompt.
        seed: Of its sampling, where it has one.
        prompt_size: How much of the market its prompts show.
        source: Folder and name of the file that the strategy was read from; "" for a shipped one.
        source_sha256: Of that file.
    """

    agent: str
    strategy: str
    node: str
    kind: Literal["agent", "baseline"] = "agent"
    prompt_sha256: str = ""
    prompt_version: int = 1
    tools: tuple[str, ...] = ()
    cadence: int = 1
    seed: int | None = None
    prompt_size: PromptSize = "full"
    source: str = SOURCE_FIELD
    source_sha256: str = SOURCE_FIELD
    joined_at: Utc


class Rules(Message):
    """The rules of a season: money rules that the executor applies, and the planned length.

    Stated in every `Epoch`, and published on the roster under the key "rules".

    Attributes:
        fee_bps: Taker fee. slippage_bps: added against the taker at the fill.
        price_age_s_max: An older price is refused. collar_bps: the most that the price may have
            moved from the one the agent saw.
        pacing: In "lock-step" the age of a price is measured in venue time.
        planned_snapshots: How many snapshots the season is to have; None if it has no planned
            end. When the judge looks depends on it.
        currency: What accounts hold, and what every product is quoted in.
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
    at: Utc
