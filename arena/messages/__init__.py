"""Every message that travels through the arena's topics.

market      Product, Ticker, MarketSnapshot
context     ContextItem
chat        ChatRequest, ChatReply, LlmCall
tools       ToolCall, ToolResult, ToolOffered, OpenAccount
account     Epoch, StateDigest, AccountOpened, OrderDecided
turns       TurnStarted, Turn, AgentSpec, Rules
judging     Evaluation
books       Drift
ops         Heartbeat, Halt, Resume, PassOver, ProcessCommand, DeadLetter
"""

from arena.messages.account import (
    AccountEvent,
    AccountOpened,
    Epoch,
    ListingUsed,
    OrderDecided,
    Posting,
    QuoteUsed,
    RejectReason,
    Source,
    StateDigest,
)
from arena.messages.base import Message, MessagePart, Utc
from arena.messages.books import Drift
from arena.messages.chat import (
    AGENT,
    LASTING_CAUSES,
    Asker,
    CallOutcome,
    Cause,
    ChatMessage,
    ChatReply,
    ChatRequest,
    JsonObject,
    LlmCall,
    PromptSize,
    RequestedCall,
    Sampling,
    ToolSchema,
    Usage,
    WireForm,
)
from arena.messages.context import ContextItem, ContextKind, Mood
from arena.messages.gates import (
    MISSED,
    WAKE_CAUSES,
    AskedFor,
    Gates,
    SkippedFor,
    SkippedSnapshots,
)
from arena.messages.judging import (
    Claim,
    DeadEntry,
    Detectable,
    Estimate,
    Evaluation,
    LeaderboardRow,
    Repeat,
    WalletAmounts,
)
from arena.messages.market import (
    Candle,
    CandleWindow,
    IndicatorWindow,
    MarketSnapshot,
    Product,
    ProductView,
    Side,
    Ticker,
)
from arena.messages.ops import (
    DeadLetter,
    Halt,
    Heartbeat,
    PassOver,
    ProcessCommand,
    Resume,
)
from arena.messages.tools import OpenAccount, QuoteSeen, ToolCall, ToolOffered, ToolResult
from arena.messages.turns import (
    SINGLE,
    AgentSpec,
    HeldPosition,
    Pacing,
    Portfolio,
    Round,
    Rules,
    Turn,
    TurnOutcome,
    TurnStarted,
)

__all__ = [
    "AGENT",
    "LASTING_CAUSES",
    "MISSED",
    "SINGLE",
    "WAKE_CAUSES",
    "AccountEvent",
    "AccountOpened",
    "AgentSpec",
    "AskedFor",
    "Asker",
    "CallOutcome",
    "Candle",
    "CandleWindow",
    "Cause",
    "ChatMessage",
    "ChatReply",
    "ChatRequest",
    "Claim",
    "ContextItem",
    "ContextKind",
    "DeadEntry",
    "DeadLetter",
    "Detectable",
    "Drift",
    "Epoch",
    "Estimate",
    "Evaluation",
    "Gates",
    "Halt",
    "Heartbeat",
    "HeldPosition",
    "IndicatorWindow",
    "JsonObject",
    "LeaderboardRow",
    "ListingUsed",
    "LlmCall",
    "MarketSnapshot",
    "Message",
    "MessagePart",
    "Mood",
    "OpenAccount",
    "OrderDecided",
    "Pacing",
    "PassOver",
    "Portfolio",
    "Posting",
    "ProcessCommand",
    "Product",
    "ProductView",
    "PromptSize",
    "QuoteSeen",
    "QuoteUsed",
    "RejectReason",
    "Repeat",
    "RequestedCall",
    "Resume",
    "Round",
    "Rules",
    "Sampling",
    "Side",
    "SkippedFor",
    "SkippedSnapshots",
    "Source",
    "StateDigest",
    "Ticker",
    "ToolCall",
    "ToolOffered",
    "ToolResult",
    "ToolSchema",
    "Turn",
    "TurnOutcome",
    "TurnStarted",
    "Usage",
    "Utc",
    "WalletAmounts",
    "WireForm",
]
