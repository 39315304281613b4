"""A season: the records of a contest folded into arrays. Pure.

Reads records of arena.roster, market.snapshots, account.events, agent.turns and llm.calls.
"""

from arena import topics
from judge.season.builder import SeasonBuilder
from judge.season.model import (
    Assumptions,
    Decision,
    Entry,
    Fill,
    FloatArray,
    LlmSpend,
    Rejection,
    Season,
    log_returns,
)

SEASON_TOPICS = (
    topics.ROSTER.name,
    topics.SNAPSHOTS.name,
    topics.EVENTS.name,
    topics.TURNS.name,
    topics.LLM_CALLS.name,
)
"""The topics a season is made of; records of others are passed over."""

__all__ = [
    "SEASON_TOPICS",
    "Assumptions",
    "Decision",
    "Entry",
    "Fill",
    "FloatArray",
    "LlmSpend",
    "Rejection",
    "Season",
    "SeasonBuilder",
    "log_returns",
]
