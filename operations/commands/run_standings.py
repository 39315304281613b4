"""The standings of a run that has stopped, as the dashboard folds them from its topics.

A run that is stopped early has standings, too. A second Ctrl-C cancels reading them.
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
from operations.commands import messages_text
from operations.commands.supervised_run import LAUNCHER, process_environment
from operations.processes.stop_signals import StopSignals

DEADLINE_S = 60.0
STOPPED_DEADLINE_S = 20.0
"""Shorter, because a person waits after Ctrl-C."""
POLL_S = 0.1
REASON_CHARS_MAX = 400
NO_SNAPSHOTS_TEXT = "There are no standings, because the topics hold no snapshot of the run."


def read_standings(
    settings: Settings,
    *,
    deadline_s: float,
    cancelled: Callable[[], bool] = lambda: False,
    remedy: str = "the records are kept; arena dashboard --once reads them again",
) -> messages_text.Document | None:
    """Return the standings that the dashboard folds from the topics of a run that has ended.

    Args:
        settings: Broker and prefix of the run.
        deadline_s: Seconds to wait.
        cancelled: Called ten times a second; True ends the wait.
        remedy: The remedy of the error.

    Returns:
        The standings document; None if the wait was cancelled.

    Raises:
        ArenaError: The standings could not be read.
    """
    process = subprocess.Popen(
        [*LAUNCHER, "dashboard", "--once", "--json"],
        env=os.environ | process_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C must reach only the process that waits
    )
    output = errors = ""
    try:
        for _ in range(int(deadline_s / POLL_S)):
            with suppress(subprocess.TimeoutExpired):
                output, errors = process.communicate(timeout=POLL_S)
                break
            if cancelled():
                return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, SIGKILL)
            process.communicate()
    with suppress(ValueError):
        if isinstance(document := json.loads(output), dict):
            return document
    # Its remedy is for a person who named a broker; here it is the broker of the run.
    reason = errors.strip().removeprefix("arena: ").partition("; ")[0] or output
    raise ArenaError(
        "the standings could not be read: "
        f"{one_line(reason, REASON_CHARS_MAX) or f'no answer in {deadline_s:.0f} s'}",
        remedy=remedy,
    )


def interim_standings(settings: Settings, signals: StopSignals) -> list[str]:
    """The standings of a run that has ended or was stopped, as lines; or why there are none.

    Args:
        settings: Broker and prefix of the run.
        signals: The signals received; a second Ctrl-C returns no lines at once.
    """
    if signals.hurried:
        return []
    stopped = signals.received is not None
    try:
        document = read_standings(
            settings,
            deadline_s=STOPPED_DEADLINE_S if stopped else DEADLINE_S,
            cancelled=lambda: signals.hurried,
        )
    except ArenaError as error:
        return [str(error)]
    if document is None:
        return []
    return interim_lines(document)


def interim_lines(document: messages_text.Document) -> list[str]:
    """The title and the table; one line if no snapshot was published. Pure."""
    count = document.get("snapshots")
    if not isinstance(count, int) or not count:
        return [NO_SNAPSHOTS_TEXT]
    snapshots = counted(count, "snapshot")
    return [f"Standings so far, after {snapshots}:", *messages_text.standings_table(document)]


def given_up_lines(processes: Sequence[ProcessRecord]) -> list[str]:
    """The processes that were given up, a line each. Pure."""
    return [
        one_line(f"{one.name} could not be kept running: {one.note}; read {one.log}", 1_000)
        for one in processes
        if one.state == "given_up"
    ]
