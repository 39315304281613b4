"""`arena backtest lookahead`: checks a backtest for look-ahead.

Plays a contest on all data, then again on data that end at sampled times, and compares what both
wrote up to there, byte for byte. Writes nothing but temporary files.

Exit codes: 0 nothing looks ahead, 1 something does, 2 wrong usage, 130 after Ctrl-C.
"""

import contextlib
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from arena import logs
from arena.atomic_files import require_writable, write_atomic
from arena.durations import elapsed_text
from arena.errors import EXIT_NO, ArenaError
from arena.plural import counted
from arena.settings import Settings
from operations.backtest.cut_data import CutRun, play_cut
from operations.backtest.lookahead import Leak, find_leak, sampled
from operations.backtest.point import Point
from operations.commands.contest_flags import (
    JsonFile,
    PricesFlag,
    SetFlag,
    SpecFile,
)
from operations.commands.env_setup import load_env_beside
from operations.commands.live_line import LiveLine
from operations.specs.set_values import single_values

SAMPLES = 5
SNAPSHOTS = 300
"""Snapshots that are checked by default: what looks ahead usually does so at every one."""


def backtest_lookahead(
    spec: SpecFile,
    samples: Annotated[
        int, typer.Option("--samples", min=1, max=1_000, help="Times at which the data end.")
    ] = SAMPLES,
    snapshots: Annotated[
        int | None,
        typer.Option("--snapshots", min=2, help="Snapshots that are checked. [all, at most 300]"),
    ] = None,
    prices: PricesFlag = None,
    sets: SetFlag = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the sampled times.")] = 1,
    json_file: JsonFile = None,
) -> None:
    """Check that nothing in a backtest looks ahead: prompts, indicators, context, decisions.

    The contest is played on all data, and on data that end at sampled times. Up to there both must
    write the same. The first record that differs is named, with its field and both values.

    Example: arena backtest lookahead examples/backtest.toml
    """
    require_writable(json_file, "--json")
    load_env_beside(spec)
    point = Point(0, spec, single_values(sets or ()), tuple(prices or ()), snapshots)
    began_s = time.monotonic()
    settings = Settings().override(log_level="ERROR")
    logs.configure(settings, node="lookahead")
    line = LiveLine(sys.stdout)
    with TemporaryDirectory(prefix="arena-lookahead-") as folder:
        checked, leaks = _checked(point, settings, Path(folder), samples, seed, line)
    seconds = time.monotonic() - began_s
    if json_file is not None:
        document = {
            "spec": str(spec),
            "snapshots": checked.snapshots,
            "planned_snapshots": checked.planned,
            "cuts": list(checked.cuts),
            "leaks": [{"cut": one.cut, "what": one.what, "text": one.text} for one in leaks],
            "seconds": round(seconds, 1),
        }
        write_atomic(json_file, json.dumps(document, indent=2) + "\n")
    for leak in leaks:
        print(f" Looks ahead: {leak.text}, if the data end at {leak.cut}.")
    checked_text = (
        f"{checked.range_text} of {counted(checked.agents, 'agent')}, data cut "
        f"at {counted(len(checked.cuts), 'time')}, in {elapsed_text(seconds)}"
    )
    if leaks:
        changed = f"{counted(len(leaks), 'cut')} of {len(checked.cuts)} changed the past"
        print(f" {changed}: {checked_text}.")
        raise typer.Exit(EXIT_NO)
    print(f" Nothing looks ahead: {checked_text}.")


class Checked:
    """What was checked.

    Attributes:
        snapshots: Snapshots of the run on all data.
        planned: Snapshots of the contest.
        agents: Its agents.
        cuts: Venue times at which the data ended.
    """

    def __init__(self, snapshots: int, planned: int, agents: int) -> None:
        """Begin without a cut."""
        self.snapshots = snapshots
        self.planned = planned
        self.agents = agents
        self.cuts: list[str] = []

    @property
    def range_text(self) -> str:
        """Which snapshots were checked: "60 snapshots", "the first 300 of 8,760 snapshots"."""
        if self.snapshots == self.planned:
            return counted(self.snapshots, "snapshot")
        return f"the first {self.snapshots:,} of {counted(self.planned, 'snapshot')}"


def _checked(
    point: Point, settings: Settings, folder: Path, samples: int, seed: int, line: LiveLine
) -> tuple[Checked, list[Leak]]:
    most = point.snapshots or SNAPSHOTS
    line.show("playing on all data")
    leaks: list[Leak] = []
    with contextlib.closing(play_cut(point, settings, folder, CutRun(most=most))) as whole:
        checked = Checked(whole.snapshots, whole.planned, whole.agents)
        numbers = sampled(whole.snapshots, samples, seed)
        for done, number in enumerate(numbers):
            line.show(f"{done}/{len(numbers)} times at which the data end")
            as_of = whole.as_of(number)
            checked.cuts.append(as_of)
            try:
                run = CutRun(most=most, last=number)
                with contextlib.closing(play_cut(point, settings, folder, run)) as cut:
                    leak = find_leak(whole.cluster, cut.cluster, as_of)
            except ArenaError as error:
                why = f"it fails without later data: {error}"
                leak = Leak(as_of, "the run", "all agents", (why,))
            leaks += [leak] if leak is not None else []
        line.end(f"{len(numbers)}/{len(numbers)} times at which the data end")
    return checked, leaks
