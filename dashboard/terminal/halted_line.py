"""The halts in force as one line. Pure."""

from datetime import datetime

from rich.text import Text

from arena.kill_switch import ALL_AGENTS
from dashboard import text
from dashboard.model.halts import HaltRow
from dashboard.terminal.grid import fit
from dashboard.terminal.palette import ALARM


def halted_line(halts: tuple[HaltRow, ...], now: datetime, width: int) -> list[Text]:
    """One line that names the halted agents; no line if there are none."""
    if not halts:
        return []
    words = "; ".join(_words(row, now) for row in halts)
    return [fit(Text(f"HALTED {words}", style=ALARM), width)]


def _words(row: HaltRow, now: datetime) -> str:
    scope = "all agents" if row.scope == ALL_AGENTS else text.one_line(row.scope, 40)
    reason = f": {text.one_line(row.reason, 80)}" if row.reason else ""
    note = "" if row.obeyed else " (no executor confirms it)"
    if row.since is None:
        return f"{scope} by an unreadable record, {row.unread}{note}{reason}"
    since = row.since.astimezone(now.tzinfo)
    return f"{scope} since {since:%H:%M:%S}{note}{reason}"
