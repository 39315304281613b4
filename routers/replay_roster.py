"""The roster as it was when a recorded turn started: agents, offered tools, rules. Pure.

`arena.roster` is compacted, so an export may have only its newest records. Earlier rules are also
in the epochs of the account log.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from arena.bus.base import Record
from arena.messages import AgentSpec, Epoch, Rules, ToolOffered, Turn
from routers.prompt_text import CONTEXT

LATE_STATES = 4
"""How many later states to try: a router may read the roster a little after it was written."""
OTHER_RULES_MAX = 32
"""Then states with other rules are tried: hosts have clocks of their own, so times can mislead."""

State = tuple[dict[str, ToolOffered], Rules | None]


class RosterHistory:
    """The roster after each of its records.

    Attributes:
        specs: Agent -> its specs, oldest first.
    """

    def __init__(self, records: Iterable[Record], epochs: Iterable[Record] = ()) -> None:
        """Fold all records.

        Args:
            records: Records of `arena.roster`.
            epochs: Records of `account.events` that may state rules.
        """
        self.specs: dict[str, list[AgentSpec]] = defaultdict(list)
        messages: list[ToolOffered | Rules] = []
        for record in records:
            message = record.message_or_none()
            if isinstance(message, AgentSpec):
                self.specs[message.agent].append(message)
            elif isinstance(message, ToolOffered | Rules):
                messages.append(message)
        known = {m.model_dump_json() for m in messages if isinstance(m, Rules)}
        stated: dict[str, Rules] = {}
        for record in epochs:
            if (rules := _rules_in_epoch(record)) is not None:
                stated.setdefault(rules.model_dump_json(), rules)
        messages += [rules for text, rules in stated.items() if text not in known]
        messages.sort(key=lambda message: message.at)
        self._times = [message.at for message in messages]
        self._states: list[State] = [({}, None)]
        for message in messages:
            offers, rules = self._states[-1]
            if isinstance(message, Rules):
                self._states.append((offers, message))
            else:
                self._states.append((offers | {message.name: message}, rules))

    def spec_at(self, agent: str, moment: datetime) -> AgentSpec:
        """The spec of an agent at a moment, or its oldest one if that is later."""
        specs = self.specs[agent]
        return next((s for s in reversed(specs) if s.joined_at <= moment), specs[0])

    def states_at(self, moment: datetime) -> Iterator[State]:
        """The state at a moment, then the states around it, most likely first."""
        at = sum(time <= moment for time in self._times)
        yield self._states[at]
        yield from self._states[at + 1 : at + 1 + LATE_STATES]
        yield from reversed(self._states[max(0, at - LATE_STATES) : at])
        near = self._states[max(0, at - LATE_STATES) : at + 1 + LATE_STATES]
        yield from self._with_other_rules(at, [rules for _, rules in near])

    def _with_other_rules(self, at: int, tried: list[Rules | None]) -> Iterator[State]:
        """A state for each further rules, the nearest first; at most `OTHER_RULES_MAX`."""
        numbers = sorted(range(len(self._states)), key=lambda n: (abs(n - at), n))
        most = len(tried) + OTHER_RULES_MAX
        for number in numbers:
            state = self._states[number]
            if state[1] not in tried and len(tried) < most:
                tried.append(state[1])
                yield state

    def first_offers(self, tools: frozenset[str]) -> dict[str, ToolOffered]:
        """The oldest known offers that include all of these tools, or none."""
        return next((offers for offers, _ in self._states if offers.keys() >= tools), {})


def shown_parts(spec: AgentSpec, turn: Turn) -> tuple[str, ...]:
    """The parts of the snapshot that the prompt of a turn shows: `Strategy.shows`.

    Args:
        spec: The agent at the start of the turn, or the oldest one that is known.
        turn: The turn; if it is older than the spec, its own ids of context decide.
    """
    if spec.joined_at <= turn.started_at:
        return spec.shows
    others = tuple(part for part in spec.shows if part != CONTEXT)
    return (*others, CONTEXT) if turn.context else others


def _rules_in_epoch(record: Record) -> Rules | None:
    message = record.message_or_none()
    return message.rules if isinstance(message, Epoch) else None
