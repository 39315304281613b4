"""`arena prompts trial --live`, `--stop` and `--watch`: shadow agents in a running arena.

Exit codes: 0 promote, 1 keep, undecided, or nothing to stop, 130 after Ctrl-C.
"""

import asyncio
import sys
from importlib import import_module
from typing import NoReturn

from arena.command_sender import command_sender
from arena.durations import elapsed_text
from arena.errors import EXIT_NO, ArenaError
from arena.messages import TrialEnded, TrialStarted
from arena.node import run_async, run_node
from arena.output import print_note
from arena.prompt_log import append_prompt, read_prompts
from arena.prompt_trials import running_trial
from arena.prompt_versions import short_version
from arena.run_lookup import ArenaLocation, find_arena
from arena.trial_words import progress_text
from operations.commands.live_line import LiveLine
from operations.commands.supervised_run import arena_command
from operations.supervisor.supervisor import Change
from operations.trials.arena import TRIALS, TrialArena, arena_of
from operations.trials.begin import TrialAsked, begin_trial
from operations.trials.documents import print_trial, write_result
from operations.trials.live import TrialRun
from operations.trials.topics import Progress, TrialTopics

CLIENT = "arena-prompts-trial"


def try_live(run: str | None, asked: TrialAsked, *, as_json: bool) -> NoReturn:
    """Run a trial by shadow agents to its end, print its result, and exit."""
    with find_arena(None, None, run, start_broker=False) as location:
        arena = arena_of(location)
        run_async(lambda: _try(location, arena, asked, as_json=as_json))


async def _try(
    location: ArenaLocation, arena: TrialArena, asked: TrialAsked, *, as_json: bool
) -> None:
    bus, by = location.bus(CLIENT), command_sender()
    await bus.start()
    started: TrialStarted | None = None
    try:
        started = await begin_trial(bus, arena, asked, by)
        screen = _Screen(started, quiet=as_json)
        ended = await TrialRun(bus, arena, started, by, screen.show, screen.note).run()
        screen.end(ended)
        own = (await read_prompts(bus)).of(asked.agent)
    except asyncio.CancelledError:
        if started is not None:
            print_note(_still_open(started))
        raise
    finally:
        await bus.close()
    path = write_result(arena.directory / TRIALS / ended.trial_id, ended, started.snapshots)
    pending = own.pending is not None and own.pending.version == ended.challenger
    print_trial(ended, started.snapshots, is_pending=pending, as_json=as_json)
    if not as_json:
        print(f" Result: {path}")
    sys.exit(0 if ended.verdict == "promote" else EXIT_NO)


class _Screen:
    """Shows the progress of a trial on one line."""

    def __init__(self, started: TrialStarted, *, quiet: bool) -> None:
        self._started = started
        stream = sys.stderr if quiet else sys.stdout
        self._line = LiveLine(stream)
        names = len(started.names)
        self._line.print_above(
            f"Trial {started.trial_id} of {started.agent}: "
            f"{short_version(started.challenger)} against {short_version(started.champion)}, "
            f"{names} shadow agents, {started.snapshots} snapshots"
        )

    def show(self, found: Progress) -> None:
        """Show a state."""
        self._line.show(time_left_text(found, self._started.snapshots))

    def note(self, change: Change) -> None:
        """Show what happened to the process."""
        self._line.print_above(f"{change.name} {change.text}")

    def end(self, ended: TrialEnded) -> None:
        """Show the last state."""
        self._line.end(progress_text(ended.periods, self._started.snapshots))


def time_left_text(found: Progress, snapshots: int) -> str:
    """How far a trial is, and its remaining time: "34 of 60 snapshots, about 0:26 left"."""
    text = progress_text(found.done, snapshots)
    if found.silent:
        return f"{text}, waiting for the first decision of {', '.join(found.silent)}"
    if found.interval_s is None:
        return text
    return f"{text}, about {elapsed_text((snapshots - found.done) * found.interval_s)} left"


def _still_open(started: TrialStarted) -> str:
    command = f"{arena_command()} prompts trial {started.agent}"
    return (
        f"trial {started.trial_id} stays open; continue it: {command} --live; "
        f"end it: {command} --stop"
    )


def stop_live(run: str | None, agent: str) -> NoReturn:
    """End the running trial of an agent, and exit."""
    with find_arena(None, None, run, start_broker=False) as location:
        run_async(lambda: _stop(location, agent))


async def _stop(location: ArenaLocation, agent: str) -> None:
    bus, by = location.bus(CLIENT), command_sender()
    await bus.start()
    try:
        running = running_trial((await read_prompts(bus)).of(agent).trials)
        if running is None or running.started is None:
            raise ArenaError(
                f"no trial of {agent} is running", remedy=f"see `arena prompts list {agent}`"
            )
        known = TrialTopics(running.started)
        try:
            await known.open(bus)
            ended = known.fold.stopped(f"stopped by {by}", by, bus.clock.now())
        finally:
            await known.close()
        await append_prompt(bus, ended)
    finally:
        await bus.close()
    played = progress_text(ended.periods, running.started.snapshots)
    print(f"trial {running.trial_id} ended after {played}; its agents stop")


def watch_live(run: str | None, snapshots: int, repeats: int, bound_pct: float) -> NoReturn:
    """Try each pending proposal of the coach or the optimiser, one at a time, until a signal."""
    with find_arena(None, None, run, start_broker=False) as location:
        arena = arena_of(location)
        process = import_module("operations.trials.process")
        options = process.WatchOptions(arena, snapshots, repeats, bound_pct)
        run_node("trials", "trials", location.settings, process.serve, options)
