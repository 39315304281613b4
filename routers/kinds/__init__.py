"""The kinds of turns: one module each; its name is the kind that a strategy names.

A kind is a state machine without I/O and without a clock (`TurnMachine`): events in, effects out. A
new kind is one file: copy `_template.py`. The module needs `create_turn(agent, turn_input)`, which
returns the machine; `routers.turn_records` makes the records that all kinds share. The names are
in `routers.strategy.turn_kinds`.

What every kind keeps, so that router, replay and audit need not know it:

- Only the turn's input and what arrives decide; the same input and arrivals give the same effects.
- The first effect is a `SendRequest` with the `TurnStarted`; the last one is a `FinishTurn`.
- `round` counts the requests of all roles of a turn from 0, and is the index of the request's
  `Round` in the `Turn`. Call ids follow from turn, round, stage and role.
- A request whose reply the turn did not wait for has a `Round` with the error `ENDED_BEFORE`.
- Requests in flight end in any order. After `wake_at_s`, `time_passed` stops waiting for something.
- It makes at most `limits.rounds` requests; caps on calls bound these, too. A kind that makes a
  fixed number of requests says so with `CALLS_MIN` in its module: no turn starts with fewer left.
- The messages of the `Turn` begin with the system and the user message of the input.

Pure: reads and writes nothing.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, Protocol

from arena.messages import ChatReply, ToolResult, TurnOutcome
from routers.turn_types import Effect, Now, ResolvedAgent, TurnInput


class AwaitedCall(NamedTuple):
    """A call that a turn waits for.

    Attributes:
        stage: Stage of the turn that made it, such as "analysis"; "" if the kind has no stages.
        role: Role that made it, such as "trader"; "" if the kind has no roles.
        is_tool: True for a tool call, False for a request to a model.
    """

    stage: str = ""
    role: str = ""
    is_tool: bool = False


class TurnMachine(Protocol):
    """One turn of an agent on a snapshot."""

    @property
    def turn_id(self) -> str:
        """Derived from agent and snapshot: the same turn has the same id in every process."""

    @property
    def wake_at_s(self) -> float:
        """Monotonic time at which `time_passed` will do something, in seconds."""

    @property
    def unmatched(self) -> int:
        """How many replies and results matched no pending call."""

    @property
    def done(self) -> bool:
        """True once the turn is finished."""

    @property
    def awaited(self) -> Mapping[str, AwaitedCall]:
        """The pending calls by id; several may be in flight at once."""

    def start(self, now: Now, *, again: bool = False) -> tuple[Effect, ...]:
        """Start the turn; `again` if its `TurnStarted` is in the log already."""

    def reply(self, reply: ChatReply, now: Now) -> tuple[Effect, ...]:
        """Handle a reply of a model."""

    def result(self, result: ToolResult, now: Now) -> tuple[Effect, ...]:
        """Handle the result of a tool call."""

    def time_passed(self, now: Now, *, note: str = "") -> tuple[Effect, ...]:
        """Stop waiting for what did not come in time.

        Args:
            now: The time.
            note: Appended to the error if the chat node did not answer.
        """

    def stop(self, now: Now, outcome: TurnOutcome, error: str) -> tuple[Effect, ...]:
        """End the turn from outside, because the process stops."""


def create_turn(agent: ResolvedAgent, turn_input: TurnInput) -> TurnMachine:
    """Create a turn of the kind that the agent's strategy names; call `start` to begin."""
    module = import_module(f"{__name__}.{agent.strategy.turn_kind}")
    created: TurnMachine = module.create_turn(agent, turn_input)
    return created


def calls_min(kind: str) -> int:
    """Model calls that a turn of a kind makes at least; 1 for a kind that is unknown."""
    try:
        return int(getattr(import_module(f"{__name__}.{kind}"), "CALLS_MIN", 1))
    except ImportError:
        return 1
