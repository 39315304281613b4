"""What a command means for a process, and which commands are obeyed."""

from datetime import UTC, datetime

import pytest

from arena.messages import ProcessCommand
from arena.runs import ProcessState
from arena.supervision import COMMAND_AGE_S_MAX, Action
from operations.supervisor.command_steps import (
    IDS_MAX,
    CommandFilter,
    ReceivedCommand,
    Step,
    choose_step,
    refusal_of,
)

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def command(number: int) -> ProcessCommand:
    """A command with an id of its own."""
    return ProcessCommand(
        command_id=f"command-{number:08d}",
        host="alpha",
        run="r",
        process="judge",
        action="stop",
        by="cli/alpha",
        issued_at=NOW,
    )


@pytest.mark.parametrize(
    ("state", "ending", "start", "stop", "restart"),
    [
        ("running", None, "nothing", "stop", "restart"),
        ("running", "stop", "restart", "stop", "restart"),
        ("running", "restart", "restart", "stop", "restart"),
        ("waiting", None, "start", "stop", "start"),
        ("restarting", None, "start", "stop", "start"),
        ("stopped", None, "start", "nothing", "start"),
        ("finished", None, "start", "nothing", "start"),
        ("given_up", None, "start", "nothing", "start"),
    ],
)
def test_step_follows_from_action_and_state(
    state: ProcessState, ending: Action | None, start: Step, stop: Step, restart: Step
) -> None:
    """Every action in every state; "nothing" has a reason."""
    actions: tuple[Action, ...] = ("start", "stop", "restart")
    found = [choose_step(action, state, ending=ending) for action in actions]

    assert [start, stop, restart] == [choice.step for choice in found]
    assert all(bool(choice.text) == (choice.step == "nothing") for choice in found)


def test_each_id_is_new_once() -> None:
    """A copy of a command is found, also after many others; the oldest ids are forgotten."""
    seen = CommandFilter()

    assert all(seen.is_new(command(n)) for n in range(IDS_MAX))
    assert not any(seen.is_new(command(n)) for n in range(IDS_MAX))
    assert seen.is_new(command(IDS_MAX))
    assert seen.is_new(command(0))


@pytest.mark.parametrize(
    ("age_s", "refusal"),
    [
        (0.0, ""),
        (COMMAND_AGE_S_MAX, ""),
        (-COMMAND_AGE_S_MAX, ""),
        (75.0, "it was issued 75 s before it was read, and a command older than 60 s"),
        (-75.0, "it was issued 75 s in the future, by the broker's clock"),
    ],
)
def test_only_commands_of_the_last_minute_are_obeyed(age_s: float, refusal: str) -> None:
    """The refusal says how old the command is."""
    found = refusal_of(ReceivedCommand(command(1), age_s))

    assert found.startswith(refusal)
    assert bool(refusal) == bool(found)
