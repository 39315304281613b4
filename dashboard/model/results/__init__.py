"""Answers of the read model: what the terminal, the page and REST all show. Pure.

Amounts and quantities are decimals and strings in JSON, in the `currency` beside them;
fields that end in `_usd` are in the main currency of the arena, except `cost_usd`, the cost of
models, which is always in US dollars. Percentages end in `_pct`: 0.41 is 0.41 %. Shares of the
judge are numbers: 0.02 is 2 %. Times are aware and in UTC. None means unknown. Fields are only ever
added.
"""

from dashboard.model.results.activity import (
    Activity,
    CallsWaiting,
    CauseCount,
    ModelNode,
    VenueFeed,
)
from dashboard.model.results.agents import AgentDetail
from dashboard.model.results.base import Kind, Result
from dashboard.model.results.health import (
    AgentCosts,
    CommandResult,
    Costs,
    Health,
    ProcessHealth,
    Runs,
    RunSummary,
    SupervisedResult,
    SupervisorResult,
)
from dashboard.model.results.markets import (
    Candles,
    ContextNote,
    ContextNotes,
    EquityCurveResult,
    EquityCurves,
    LatestMarket,
    PortfolioResult,
    Position,
    Positions,
    Price,
    PriceBar,
    PriceHistory,
    Prices,
    Symbols,
    Trade,
    TradePage,
)
from dashboard.model.results.standings import (
    Agents,
    AgentStanding,
    DeadAgentResult,
    GatesResult,
    HaltResult,
    Halts,
    Judged,
    Leaderboard,
    Market,
    RulesResult,
    WalletStanding,
)
from dashboard.model.results.trace import Trace, TraceCheck, TracePart, TraceStep
from dashboard.model.results.turns import (
    RenderedPrompt,
    RoundResult,
    ToolCallResult,
    TurnDetail,
    TurnPage,
    TurnSummary,
)
from dashboard.model.results.verdicts import Verdict, VerdictRow

__all__ = [
    "Activity",
    "AgentCosts",
    "AgentDetail",
    "AgentStanding",
    "Agents",
    "CallsWaiting",
    "Candles",
    "CauseCount",
    "CommandResult",
    "ContextNote",
    "ContextNotes",
    "Costs",
    "DeadAgentResult",
    "EquityCurveResult",
    "EquityCurves",
    "GatesResult",
    "HaltResult",
    "Halts",
    "Health",
    "Judged",
    "Kind",
    "LatestMarket",
    "Leaderboard",
    "Market",
    "ModelNode",
    "PortfolioResult",
    "Position",
    "Positions",
    "Price",
    "PriceBar",
    "PriceHistory",
    "Prices",
    "ProcessHealth",
    "RenderedPrompt",
    "Result",
    "RoundResult",
    "RulesResult",
    "RunSummary",
    "Runs",
    "SupervisedResult",
    "SupervisorResult",
    "Symbols",
    "ToolCallResult",
    "Trace",
    "TraceCheck",
    "TracePart",
    "TraceStep",
    "Trade",
    "TradePage",
    "TurnDetail",
    "TurnPage",
    "TurnSummary",
    "VenueFeed",
    "Verdict",
    "VerdictRow",
    "WalletStanding",
]
