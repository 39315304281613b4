"""What is halted: `arena.control` as one line and as rows of the standings document. Pure."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue
from rich.text import Text

from arena.kill_switch import ALL_AGENTS, HALTED_COUNT, KillSwitch
from arena.messages import Heartbeat
from dashboard import text
from dashboard.grid import fit
from dashboard.palette import ALARM


@dataclass(frozen=True, slots=True)
class HaltRow:
    """One halt.

    Attributes:
        scope: An agent, or "all". since: wall time, None if unknown. by: who asked.
        obeyed: True where the executor says so in its heartbeat.
        unread: The place of a record that cannot be read and so halts; "" for a halt.
    """

    scope: str
    since: datetime | None
    reason: str
    by: str
    obeyed: bool
    unread: str = ""


class HaltsView(KillSwitch):
    """The kill switch as the executor folds it, and what of it is obeyed."""

    def rows(self, executors: list[Heartbeat]) -> tuple[HaltRow, ...]:
        """The halts, everybody's first.

        Args:
            executors: Newest heartbeats of the living processes that may be executors; those that
                say nothing of halts are none.
        """
        said = [beat.details for beat in executors if "halted" in beat.details]
        count = len(self.scopes())
        return tuple(
            HaltRow(
                scope=stop.name,
                since=stop.at,
                reason=stop.why,
                by=stop.by,
                obeyed=bool(said) and all(_is_obeyed(stop.name, one, count) for one in said),
                unread=stop.unread,
            )
            for stop in self.in_force()
        )


def _is_obeyed(name: str, details: dict[str, JsonValue], count: int) -> bool:
    """True if an executor names the halt, or names only some of as many halts as there are."""
    halted = details["halted"]
    return isinstance(halted, list) and (name in halted or details.get(HALTED_COUNT) == count)


def halted_line(halts: tuple[HaltRow, ...], now: datetime, width: int) -> list[Text]:
    """One line that says whose orders are refused; nothing where nobody's are."""
    if not halts:
        return []
    words = "; ".join(_words(row, now) for row in halts)
    return [fit(Text(f"HALTED {words}", style=ALARM), width)]


def _words(row: HaltRow, now: datetime) -> str:
    whose = "everybody" if row.scope == ALL_AGENTS else text.one_line(row.scope, 40)
    reason = f": {text.one_line(row.reason, 80)}" if row.reason else ""
    unheard = "" if row.obeyed else " (no executor confirms it)"
    if row.since is None:
        return f"{whose} by a record that cannot be read, {row.unread}{unheard}{reason}"
    since = row.since.astimezone(now.tzinfo)
    return f"{whose} since {since:%H:%M:%S}{unheard}{reason}"


def halted_document(halts: tuple[HaltRow, ...]) -> JsonValue:
    """The halts in the standings document."""
    return [
        {
            "scope": row.scope,
            "since": None if row.since is None else row.since.isoformat(),
            "reason": row.reason,
            "by": row.by,
            "obeyed": row.obeyed,
            "unread": row.unread,
        }
        for row in halts
    ]
