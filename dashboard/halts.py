"""What is halted: `arena.control` as one line and as rows of the standings document. Pure."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue
from rich.text import Text

from arena.messages import Halt, Heartbeat, Resume
from dashboard import text
from dashboard.grid import fit
from dashboard.palette import ALARM

EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class HaltRow:
    """One halt.

    Attributes:
        scope: An agent, or "all". since: wall time. by: who asked.
        obeyed: True where the executor says so in its heartbeat.
    """

    scope: str
    since: datetime
    reason: str
    by: str
    obeyed: bool


class Halts:
    """The newest word per scope.

    Attributes:
        standing: Scope -> the halt that stands.
    """

    def __init__(self) -> None:
        """Nobody is halted."""
        self.standing: dict[str, Halt] = {}

    def note(self, message: Halt | Resume) -> None:
        """Take in a record; the newest of a scope counts."""
        scope = message.agent or EVERYBODY
        if isinstance(message, Halt):
            self.standing[scope] = message
        else:
            self.standing.pop(scope, None)

    def rows(self, executors: list[Heartbeat]) -> tuple[HaltRow, ...]:
        """The halts, everybody's first.

        Args:
            executors: Newest heartbeats of the living processes that may be executors; those that
                say nothing of halts are none.
        """
        scopes = sorted(self.standing, key=lambda scope: (scope != EVERYBODY, scope))
        return tuple(_row(scope, self.standing[scope], executors) for scope in scopes)


def _row(scope: str, halt: Halt, executors: list[Heartbeat]) -> HaltRow:
    said = [beat.details["halted"] for beat in executors if "halted" in beat.details]
    return HaltRow(
        scope=scope,
        since=halt.at,
        reason=halt.reason,
        by=halt.by,
        obeyed=bool(said) and all(isinstance(one, list) and scope in one for one in said),
    )


def halted_line(halts: tuple[HaltRow, ...], now: datetime, width: int) -> list[Text]:
    """One line that says whose orders are refused; nothing where nobody's are."""
    if not halts:
        return []
    words = "; ".join(_words(row, now) for row in halts)
    return [fit(Text(f"HALTED {words}", style=ALARM), width)]


def _words(row: HaltRow, now: datetime) -> str:
    whose = "everybody" if row.scope == EVERYBODY else text.one_line(row.scope, 40)
    reason = f": {text.one_line(row.reason, 80)}" if row.reason else ""
    since = row.since.astimezone(now.tzinfo)
    unheard = "" if row.obeyed else " (no executor confirms it)"
    return f"{whose} since {since:%H:%M:%S}{unheard}{reason}"


def halted_document(halts: tuple[HaltRow, ...]) -> JsonValue:
    """The halts in the standings document."""
    return [
        {
            "scope": row.scope,
            "since": row.since.isoformat(),
            "reason": row.reason,
            "by": row.by,
            "obeyed": row.obeyed,
        }
        for row in halts
    ]
