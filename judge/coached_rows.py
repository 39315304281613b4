"""What the leaderboard says of coached agents: their returns mix several texts. Pure."""

from collections.abc import Sequence

from arena.messages import LeaderboardRow
from judge.formatting import joined_names


def coached_text(row: LeaderboardRow) -> str:
    """Return "coached: 3 versions, see Coaching"; "" for an agent that played by one text."""
    return f"coached: {row.versions:,} versions, see Coaching" if row.versions else ""


def coached_warning(rows: Sequence[LeaderboardRow]) -> str:
    """Return a sentence about returns that mix versions; "" without any."""
    names = [row.agent for row in rows if row.versions]
    if not names:
        return ""
    return (
        f"The text of {joined_names(names)} was changed during the season: "
        f"{'its return mixes' if len(names) == 1 else 'their returns mix'} versions. The report's "
        "chapter on coaching has each version's own."
    )
