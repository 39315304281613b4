"""The lines above and below every screen: market, feed, broker, trouble, cost. Pure."""

from rich.text import Text

from arena.plural import counted
from dashboard import text
from dashboard.feed import feed_words
from dashboard.frame import Frame
from dashboard.grid import spread
from dashboard.palette import ALARM, QUIET, WARNING
from dashboard.rows import Link
from dashboard.standings import market_words, spending_words

BEHIND_MANY = 1_000


def header_line(frame: Frame, width: int, title: str, link: Link) -> Text:
    """The first line; what matters least is left out first if the line is too short."""
    standing = frame.standing
    market = Text(market_words(standing), style=WARNING if standing.simulated else "bold")
    words, style = feed_words(standing, frame.now, link.ended)
    items = [
        Text(title, style="bold"),
        market,
        Text(f"{frame.now:%H:%M:%S} {text.offset_text(frame.now)}"),
        Text(f"snapshot {text.count(standing.snapshots)}"),
        Text(words, style=style),
        _broker(link),
    ]
    if standing.venue_now is not None:
        items.append(Text(f"market {standing.venue_now:%Y-%m-%d %H:%M:%S} UTC", style=QUIET))
    return spread(items, width, droppable=(6, 0, 3, 2))


def _broker(link: Link) -> Text:
    if link.silent_s is not None:
        return Text(f"broker SILENT {text.age(link.silent_s)}", style=ALARM)
    if link.read_share is not None:
        return Text(f"reading {link.read_share:.0%}", style=WARNING)
    if link.behind > BEHIND_MANY:
        return Text(f"{text.short_count(link.behind)} behind", style=WARNING)
    return Text("broker ok")


def health_parts(frame: Frame, width: int, link: Link) -> list[Text]:
    """What goes wrong and what it costs, most important first."""
    standing = frame.standing
    silent = [row for row in frame.processes if row.life == "silent" and not link.ended]
    parts: list[Text] = []
    if silent:
        parts.append(Text(f"{len(silent)} silent", style=ALARM))
    if standing.dead_letters:
        parts.append(Text(counted(standing.dead_letters, "dead letter"), style=WARNING))
    if standing.malformed:
        parts.append(Text(f"{text.count(standing.malformed)} unreadable", style=WARNING))
    errors = standing.llm_errors
    parts.append(Text(counted(errors, "error"), style=WARNING if errors else ""))
    cost = spending_words(standing)
    if width < 120 and standing.unpriced:
        cost = "$ unknown" if standing.cost_usd is None else f"{text.cost(standing.cost_usd)}+?"
    parts.append(Text(cost))
    if width >= 100:
        lags = [row.lag for row in frame.processes if row.lag is not None and row.alive]
        parts.append(Text(f"{text.short_count(standing.tokens)} tokens"))
        parts.append(Text(f"lag {text.count(max(lags, default=0))}"))
        alive = sum(row.alive for row in frame.processes)
        parts.append(Text(counted(alive, "process", "processes")))
    return parts
