"""The state of the price feed as text. Pure.

If the feed is silent, the text says why: the run has ended, or the venue cannot be reached. Bans
and other connectors are shown while prices come, too.
"""

from datetime import datetime

from rich.text import Text

from dashboard import text
from dashboard.labels import ended_text
from dashboard.model.rows import ArenaSummary
from dashboard.terminal.grid import wrap
from dashboard.terminal.palette import ALARM, QUIET, WARNING

FEED_SILENT_S = 15.0
NOTICE_LINES_MAX = 2
"""Most lines of each of the two texts."""


def feed_text(summary: ArenaSummary, now: datetime, ended: str = "") -> tuple[str, str]:
    """The state of the feed, and the style of this text.

    Args:
        summary: The state of the arena.
        now: Wall time.
        ended: "ended 22:39" if the run that is shown has ended.
    """
    age_s, stale = summary.feed_age_s, len(summary.stale_products)
    if ended:
        return ended, QUIET
    if summary.feed_ended_at is not None and (age_s is None or age_s > FEED_SILENT_S):
        return f"feed {ended_text(summary.feed_ended_at, now)}", QUIET
    if age_s is None:
        return ("feed DOWN", ALARM) if summary.feed_down else ("no price yet", QUIET)
    if age_s > FEED_SILENT_S:
        word = "DOWN" if summary.feed_down else "SILENT"
        return f"feed {word} {text.age(age_s)}", ALARM
    if stale:
        return f"feed {text.age(age_s)}, {stale} stale", WARNING
    return f"feed {text.age(age_s)}", ""


def feed_notice(summary: ArenaSummary, width: int, ended: str = "") -> list[Text]:
    """What is wrong with the market data and what to do; no line after the end of the run."""
    if ended:
        return []
    return [
        line
        for words in (summary.feed_down, summary.market_warning)
        if words
        for line in wrap(text.one_line(words), width, style=WARNING, limit=NOTICE_LINES_MAX)
    ]
