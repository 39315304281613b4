"""The halts in `arena.control`, and which of them the executors confirm. Pure."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from arena.kill_switch import HALTED_COUNT, KillSwitch
from arena.messages import Heartbeat


@dataclass(frozen=True, slots=True)
class HaltRow:
    """One halt.

    Attributes:
        scope: An agent, or "all".
        since: Wall time of the halt; None if unknown.
        reason: The reason given with the halt.
        by: The user or command that halted.
        obeyed: True if the executors confirm it in their heartbeats.
        unread: Topic and offset of an unreadable record, which halts its scope; "" for a halt.
    """

    scope: str
    since: datetime | None
    reason: str
    by: str
    obeyed: bool
    unread: str = ""


class HaltsView(KillSwitch):
    """The kill switch as the executor folds it, and which halts are obeyed."""

    def rows(self, executors: list[Heartbeat]) -> tuple[HaltRow, ...]:
        """The halts, the one of all agents first.

        Args:
            executors: Newest heartbeats of the running processes that may be executors; those
                without the detail "halted" are not.
        """
        confirmed = [beat.details for beat in executors if "halted" in beat.details]
        count = len(self.scopes())
        return tuple(
            HaltRow(
                scope=stop.name,
                since=stop.at,
                reason=stop.why,
                by=stop.by,
                obeyed=bool(confirmed)
                and all(_is_obeyed(stop.name, one, count) for one in confirmed),
                unread=stop.unread,
            )
            for stop in self.active_halts()
        )


def _is_obeyed(name: str, details: dict[str, JsonValue], count: int) -> bool:
    """True if an executor names the halt, or counts as many halts as there are."""
    halted = details["halted"]
    return isinstance(halted, list) and (name in halted or details.get(HALTED_COUNT) == count)
