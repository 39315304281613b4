"""Decides what a command means for a process, and whether it is obeyed. Pure."""

from collections import OrderedDict
from typing import Literal, NamedTuple

from arena.messages import ProcessCommand
from arena.runs import ProcessState
from arena.supervision import COMMAND_AGE_S_MAX, Action

Step = Literal["start", "stop", "restart", "nothing"]
"""What is done: "restart" ends a running process and starts it when it has ended."""
IDS_MAX = 1_024
"""Newest command ids that are remembered."""


class ReceivedCommand(NamedTuple):
    """A command for this supervisor, as read from the topic.

    Attributes:
        command: The command.
        age_s: Seconds since its append, by the broker's clock; negative if it seems to be from
            the future.
    """

    command: ProcessCommand
    age_s: float


class StepChoice(NamedTuple):
    """What to do with a process.

    Attributes:
        step: What is done.
        text: For "nothing": why nothing is to be done.
    """

    step: Step
    text: str = ""


def choose_step(action: Action, state: ProcessState, *, ending: Action | None) -> StepChoice:
    """Choose what a command means for a process in a state.

    Args:
        action: What the command asks for.
        state: The state of the process.
        ending: The command that is ending the process now, "stop" or "restart"; None if none is.
    """
    if ending is not None:
        return StepChoice("stop" if action == "stop" else "restart")
    if state == "running":
        already = StepChoice("nothing", "it was running already")
        return already if action == "start" else StepChoice(action)
    if action != "stop":
        return StepChoice("start")
    if state in ("waiting", "restarting"):
        return StepChoice("stop")
    if state == "stopped":
        return StepChoice("nothing", "it was stopped already")
    why = "it had been given up" if state == "given_up" else "it had finished"
    return StepChoice("nothing", f"it did not run: {why}")


class CommandFilter:
    """Remembers which commands were received, so that each is obeyed at most once."""

    def __init__(self) -> None:
        """Start without any."""
        self._ids: OrderedDict[str, None] = OrderedDict()

    def is_new(self, command: ProcessCommand) -> bool:
        """True if the id of a command was not seen before; it is remembered."""
        if command.command_id in self._ids:
            return False
        self._ids[command.command_id] = None
        if len(self._ids) > IDS_MAX:
            self._ids.popitem(last=False)
        return True


def refusal_of(received: ReceivedCommand) -> str:
    """Why a command is too old to be obeyed, or seems to be from the future; "" if it is not."""
    if received.age_s > COMMAND_AGE_S_MAX:
        return (
            f"it was issued {received.age_s:.0f} s before it was read, and a command older than "
            f"{COMMAND_AGE_S_MAX:.0f} s is not obeyed"
        )
    if received.age_s < -COMMAND_AGE_S_MAX:
        return f"it was issued {-received.age_s:.0f} s in the future, by the broker's clock"
    return ""
