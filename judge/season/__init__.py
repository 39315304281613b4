"""A season: the records of a contest folded into arrays. Pure.

Reads records of arena.roster, market.snapshots, account.events, agent.turns and llm.calls.
"""

from arena import topics
from judge.season.assumptions import Assumptions
from judge.season.builder import SeasonBuilder
from judge.season.types import (
    Entry,
    FilledOrder,
    FloatArray,
    LlmSpend,
    RejectedOrder,
    Season,
    TurnSummary,
    log_returns,
)

SEASON_TOPICS = (
    topics.ROSTER.name,
    topics.SNAPSHOTS.name,
    topics.EVENTS.name,
    topics.TURNS.name,
    topics.LLM_CALLS.name,
)
"""The topics a season is made of; records of other topics are ignored."""

__all__ = [
    "SEASON_TOPICS",
    "Assumptions",
    "Entry",
    "FilledOrder",
    "FloatArray",
    "LlmSpend",
    "RejectedOrder",
    "Season",
    "SeasonBuilder",
    "TurnSummary",
    "log_returns",
]
