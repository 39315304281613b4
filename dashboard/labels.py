"""Names of models and markets, and what the models cost, as text for people. Pure."""

from datetime import datetime

from arena.plural import counted
from dashboard import text
from dashboard.model.rows import AgentRow, ArenaSummary

ENDED = "ended"
KILLED = "ended unexpectedly (killed?)"


def model_text(row: AgentRow) -> str:
    """The model's name; scripted rules are always marked as scripted."""
    if row.scripted is None:
        return f"({row.node})" if row.node else text.NO_VALUE
    name = text.one_line(row.model, 40)
    if row.scripted and "scripted" not in name:
        return f"{name} (scripted)".strip()
    return name or text.NO_VALUE


def market_text(summary: ArenaSummary) -> str:
    """Kind and speed of the market: "simulated, 60x", "recorded, lock-step", "live coinbase"."""
    if not summary.snapshots:
        return "no market yet"
    if not summary.simulated:
        return f"live {text.one_line(summary.venue, 20)}".strip()
    kind = "recorded" if summary.recorded else "simulated"
    if summary.lock_step:
        return f"{kind}, lock-step"
    speed = f"{summary.speed:g}x" if summary.speed != 1 else "real time"
    return f"{kind}, {speed}"


def spending_text(summary: ArenaSummary) -> str:
    """The cost of the models, with the calls of unknown price."""
    if summary.cost_usd is None:
        return f"{counted(summary.unpriced, 'call')} of unknown price"
    words = text.cost(summary.cost_usd)
    if summary.unpriced:
        words += f" + {counted(summary.unpriced, 'call')} of unknown price"
    return words


def shadow_text(summary: ArenaSummary) -> str:
    """How much of the cost is that of the shadow agents of trials; "" without any."""
    if not summary.shadow_calls:
        return ""
    known = summary.shadow_cost_usd
    return f"of which trials {'unknown' if known is None else text.cost(known)}"


def ended_text(ended_at: datetime | None, now: datetime) -> str:
    """When a run ended, in the zone of `now`: "ended 22:39", "ended 28 Nov 22:39".

    Args:
        ended_at: Wall time of the end; None if the run did not record it.
        now: Wall time, in the zone to use.
    """
    if ended_at is None:
        return KILLED
    at = ended_at.astimezone(now.tzinfo)
    day = "" if at.date() == now.date() else f"{at.day} {at:%b} "
    return f"{ENDED} {day}{at:%H:%M}"
