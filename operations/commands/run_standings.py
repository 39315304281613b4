"""The standings of a run that has stopped, as the dashboard folds them from its topics.

A run that is stopped half-way has standings, too. Reading them can be cut short: a second Ctrl-C
ends it at once.
"""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from signal import SIGKILL

from arena.errors import ArenaError
from arena.plural import counted
from arena.runs import ProcessRecord
from arena.settings import Settings
from arena.visible_text import one_line
from operations.commands import messages_text as words
from operations.commands.supervised_run import LAUNCHER, process_environment
from operations.processes.stop_signals import StopSignals

DEADLINE_S = 60.0
STOPPED_DEADLINE_S = 20.0
"""After Ctrl-C a person waits for less."""
POLL_S = 0.1
SAID_CHARS_MAX = 400
NOT_ONE = "stopped before the first snapshot, so without standings"


def read_standings(
    settings: Settings,
    *,
    deadline_s: float,
    hurried: Callable[[], bool] = lambda: False,
    remedy: str = "the records are kept; arena dashboard --once reads them again",
) -> words.Document | None:
    """What the dashboard folds from the topics, once every process has ended.

    Args:
        settings: Broker and prefix of the run.
        deadline_s: Wait for so long.
        hurried: HaltConfirmation ten times a second; True ends the wait.
        remedy: What to do if they cannot be read.

    Returns:
        The standings document; None if the wait was cut short.

    Raises:
        ArenaError: They could not be read.
    """
    asked = subprocess.Popen(
        [*LAUNCHER, "dashboard", "--once", "--json"],
        env=os.environ | process_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the process that waits
    )
    said = errors = ""
    try:
        for _ in range(int(deadline_s / POLL_S)):
            with suppress(subprocess.TimeoutExpired):
                said, errors = asked.communicate(timeout=POLL_S)
                break
            if hurried():
                return None
    finally:
        if asked.poll() is None:
            os.killpg(asked.pid, SIGKILL)
            asked.communicate()
    with suppress(ValueError):
        if isinstance(document := json.loads(said), dict):
            return document
    # Its remedies are for a person who named a broker; here the broker is that of the run.
    why = errors.strip().removeprefix("arena: ").partition("; ")[0] or said
    raise ArenaError(
        "the standings could not be read: "
        f"{one_line(why, SAID_CHARS_MAX) or f'no answer in {deadline_s:.0f} s'}",
        remedy=remedy,
    )


def so_far(settings: Settings, signals: StopSignals) -> list[str]:
    """The standings of a run that has ended or was stopped, as lines; or why there are none.

    Args:
        settings: Broker and prefix of the run.
        signals: What asked to stop; a second Ctrl-C returns no lines at once.
    """
    if signals.hurried:
        return []
    stopped = signals.received is not None
    try:
        document = read_standings(
            settings,
            deadline_s=STOPPED_DEADLINE_S if stopped else DEADLINE_S,
            hurried=lambda: signals.hurried,
        )
    except ArenaError as error:
        return [str(error)]
    if document is None:
        return []
    return interim_lines(document)


def interim_lines(document: words.Document) -> list[str]:
    """The table under its title; one line if nothing was published. Pure."""
    count = document.get("snapshots")
    if not isinstance(count, int) or not count:
        return [NOT_ONE]
    snapshots = counted(count, "snapshot")
    return [f"Standings so far, after {snapshots}:", *words.standings_table(document)]


def given_up(processes: Sequence[ProcessRecord]) -> list[str]:
    """Processes that could not be kept up, a line each. Pure."""
    return [
        one_line(f"{one.name} could not be kept up: {one.note}; read {one.log}", 1_000)
        for one in processes
        if one.state == "given_up"
    ]
