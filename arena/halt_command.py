"""Halts and resumes agents for `arena halt`, `arena resume` and the page.

Writes `arena.control`; reads `arena.heartbeats`, and `arena.roster` to refuse unknown agents.
"""

from dataclasses import dataclass

from pydantic import JsonValue

from arena.bus.base import Bus
from arena.halt_confirmation import HaltConfirmation, append_and_confirm, newest_heartbeats
from arena.kill_switch import KillSwitch
from arena.messages import Halt, Resume
from arena.reported_losses import halt_for_lost_records
from arena.roster import read_agents, read_halted, read_kill_switch
from arena.unknown_names import unknown_name

EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class HaltOutcome:
    """What became of a halt or resume.

    Attributes:
        message: The record that was written.
        confirmation: Which shards confirmed it.
        unread: Halts of unreadable records, one line each.
        still_halted: The halt of all agents that still covers a resumed agent; () without one.
    """

    message: Halt | Resume
    confirmation: HaltConfirmation
    unread: tuple[str, ...]
    still_halted: tuple[str, ...]

    @property
    def what(self) -> str:
        """What was done: "halted" or "resumed"."""
        return "halted" if isinstance(self.message, Halt) else "resumed"

    @property
    def whose(self) -> str:
        """The agent, or "everybody"."""
        return self.message.agent or EVERYBODY

    def unconfirmed_text(self, wait_s: float) -> str:
        """What was not confirmed and what that means; "" if every owner confirmed.

        Args:
            wait_s: Seconds that it was waited for.
        """
        if not self.confirmation.unconfirmed:
            return ""
        reasons = "; ".join(self.confirmation.unconfirmed.values())
        verb = type(self.message).__name__.lower()
        effect = "filled" if isinstance(self.message, Halt) else "refused"
        return (
            f"the {verb} of {self.whose} was not confirmed within {wait_s:g} s: {reasons}; "
            f"orders may still be {effect}"
        )

    def document(self) -> dict[str, JsonValue]:
        """The outcome as JSON."""
        return {
            self.what: self.message.agent or "all",
            **self.confirmation.document(),
            "unreadable": [*self.unread],
            "still_halted": [*self.still_halted],
        }


async def halt_or_resume(bus: Bus, message: Halt | Resume, wait_s: float) -> HaltOutcome:
    """Write a halt or resume, and wait until the owners of its shards confirm it.

    Args:
        bus: Connected.
        message: The halt or resume.
        wait_s: Seconds to wait.

    Raises:
        UsageError: There is no such agent; nothing was written.
    """
    if message.agent is not None:
        await require_agent(bus, message.agent)
    confirmation = await append_and_confirm(bus, message, wait_s)
    active = await read_halts(bus)
    all_halted = active.halt_of_all() if isinstance(message, Resume) and message.agent else None
    still_halted = () if all_halted is None else (all_halted.line,)
    return HaltOutcome(message, confirmation, tuple(active.unread_lines()), still_halted)


async def read_halts(bus: Bus) -> KillSwitch:
    """Return the active halts, also those of executors because records of the topic are lost."""
    switch = await read_kill_switch(bus)
    switch.lost = halt_for_lost_records(await newest_heartbeats(bus), switch)
    return switch


async def require_agent(bus: Bus, name: str) -> None:
    """Require that an agent is on the roster, or is halted; nothing is written.

    An empty roster allows every name: the agent may start later.

    Raises:
        UsageError: The roster has only other agents; the error lists them, the closest name first.
    """
    agents = await read_agents(bus)
    if not agents or name in agents or name in await read_halted(bus):
        return
    raise unknown_name("agent", name, agents, remedy="nothing was changed")
