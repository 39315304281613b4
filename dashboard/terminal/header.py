"""The lines above and below every screen: market, feed, broker, errors, cost. Pure."""

from rich.text import Text

from arena.plural import counted
from dashboard import text
from dashboard.labels import market_text, shadow_text, spending_text
from dashboard.model.frame import Frame
from dashboard.model.rows import ReadStatus
from dashboard.terminal.feed_text import feed_text
from dashboard.terminal.grid import spread
from dashboard.terminal.palette import ALARM, QUIET, WARNING

UNREAD_MANY = 1_000
"""Unread records from which on the header shows their number."""


def header_line(frame: Frame, width: int, title: str, read_status: ReadStatus) -> Text:
    """The first line; the least important items are dropped first if it is too short."""
    summary = frame.summary
    market = Text(market_text(summary), style=WARNING if summary.simulated else "bold")
    words, style = feed_text(summary, frame.now, read_status.ended)
    items = [
        Text(title, style="bold"),
        market,
        Text(f"{frame.now:%H:%M:%S} {text.offset_text(frame.now)}"),
        Text(f"snapshot {text.count(summary.snapshots)}"),
        Text(words, style=style),
        _broker(read_status),
    ]
    if summary.venue_now is not None:
        items.append(Text(f"market {summary.venue_now:%Y-%m-%d %H:%M:%S} UTC", style=QUIET))
    return spread(items, width, droppable=(6, 0, 3, 2))


def _broker(read_status: ReadStatus) -> Text:
    if read_status.silent_s is not None:
        return Text(f"broker SILENT {text.age(read_status.silent_s)}", style=ALARM)
    if read_status.read_share is not None:
        return Text(f"reading {read_status.read_share:.0%}", style=WARNING)
    if read_status.unread > UNREAD_MANY:
        return Text(f"{text.short_count(read_status.unread)} behind", style=WARNING)
    return Text("broker ok")


def health_parts(frame: Frame, width: int, read_status: ReadStatus) -> list[Text]:
    """Errors and costs, most important first."""
    summary = frame.summary
    silent = [row for row in frame.processes if row.state == "silent" and not read_status.ended]
    parts: list[Text] = []
    if silent:
        parts.append(Text(f"{len(silent)} silent", style=ALARM))
    if summary.dead_letters:
        parts.append(Text(counted(summary.dead_letters, "dead letter"), style=WARNING))
    if summary.malformed:
        parts.append(Text(f"{text.count(summary.malformed)} unreadable", style=WARNING))
    errors = summary.llm_errors
    parts.append(Text(counted(errors, "error"), style=WARNING if errors else ""))
    cost = spending_text(summary)
    if width < 120 and summary.unpriced:
        cost = "$ unknown" if summary.cost_usd is None else f"{text.cost(summary.cost_usd)}+?"
    parts.append(Text(cost))
    if width >= 120 and (trials := shadow_text(summary)):
        parts.append(Text(trials))
    if width >= 100:
        lags = [row.lag for row in frame.processes if row.lag is not None and row.alive]
        parts.append(Text(f"{text.short_count(summary.tokens)} tokens"))
        parts.append(Text(f"lag {text.count(max(lags, default=0))}"))
        alive = sum(row.alive for row in frame.processes)
        parts.append(Text(counted(alive, "process", "processes")))
    return parts
