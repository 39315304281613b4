"""The roster as it was when a recorded turn began: agents, tools on offer, rules. Pure.

`arena.roster` is compacted, so an old export may hold only its newest records. The rules of every
time are in the epochs of the account log, too.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from arena.bus.base import Record
from arena.messages import AgentSpec, Epoch, Rules, ToolOffered
from routers.replay_inbox import message_in

LATE_STATES = 4
"""A router reads the roster a little later than it was written: states to try after the one that
was there when a turn began."""

State = tuple[dict[str, ToolOffered], Rules | None]


class RosterOfTheTime:
    """The roster after each of its records.

    Attributes:
        specs: Agent -> what it announced itself to be, oldest first.
    """

    def __init__(self, records: Iterable[Record], epochs: Iterable[Record] = ()) -> None:
        """Take all records.

        Args:
            records: Of `arena.roster`.
            epochs: Records of `account.events` that may state rules.
        """
        self.specs: dict[str, list[AgentSpec]] = defaultdict(list)
        said: list[ToolOffered | Rules] = []
        for record in records:
            message = message_in(record)
            if isinstance(message, AgentSpec):
                self.specs[message.agent].append(message)
            elif isinstance(message, ToolOffered | Rules):
                said.append(message)
        known = {message for message in said if isinstance(message, Rules)}
        stated = (_stated(record) for record in epochs)
        said += dict.fromkeys(rules for rules in stated if rules is not None and rules not in known)
        said.sort(key=lambda message: message.at)
        self._times = [message.at for message in said]
        self._states: list[State] = [({}, None)]
        for message in said:
            offers, rules = self._states[-1]
            if isinstance(message, Rules):
                self._states.append((offers, message))
            else:
                self._states.append((offers | {message.name: message}, rules))

    def spec_at(self, agent: str, moment: datetime) -> AgentSpec:
        """Who an agent had announced itself to be at a moment."""
        specs = self.specs[agent]
        return next((s for s in reversed(specs) if s.joined_at <= moment), specs[0])

    def states_at(self, moment: datetime) -> Iterator[State]:
        """The state at a moment, then those around it, likelier ones first."""
        at = sum(time <= moment for time in self._times)
        yield self._states[at]
        yield from self._states[at + 1 : at + 1 + LATE_STATES]
        yield from reversed(self._states[max(0, at - LATE_STATES) : at])

    def first_offers(self, tools: frozenset[str]) -> dict[str, ToolOffered]:
        """The oldest offers that are still known and name all of these tools, else none."""
        return next((offers for offers, _ in self._states if offers.keys() >= tools), {})


def _stated(record: Record) -> Rules | None:
    message = message_in(record)
    return message.rules if isinstance(message, Epoch) else None
