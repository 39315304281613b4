"""`arena backtest sweep`: a grid of settings, each a backtest, with the statistics a search owes.

Runs the points in processes of their own, as many at once as asked; the result does not depend on
how many. Writes `<home>/sweeps/<time>.json` and keeps no records of the points.

Exit codes: 0 done, 1 a point failed, 2 wrong usage, 130 after Ctrl-C.
"""

import contextlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime
from importlib import import_module
from itertools import count as counting
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.atomic_files import require_writable, write_atomic
from arena.command_exit import print_failure
from arena.durations import elapsed_text
from arena.errors import EXIT_NO, UsageError
from arena.plural import counted
from arena.settings import Settings
from operations.backtest.point import (
    PlayedPoint,
    Point,
    edit_of,
    leave_signals_to_parent,
    play_point,
)
from operations.backtest.window_lengths import windows_of
from operations.commands.aligned_lines import aligned_lines
from operations.commands.compete_start import new_contest
from operations.commands.contest_flags import (
    JsonFile,
    PricesFlag,
    SnapshotsFlag,
    SpecFile,
)
from operations.commands.env_setup import load_env_beside
from operations.commands.live_line import LiveLine
from operations.specs.set_values import SEED, episodes_of, grid_of, label_of, without_seed

ROOM_OF_CANDIDATES = "judge.sweep.candidates"
ROOM_OF_VERDICT = "judge.sweep.verdict"
ROOM_OF_TEXT = "judge.sweep.text"
SWEEPS = "sweeps"


Train = Annotated[
    str | None,
    typer.Option("--train", metavar="TIME", help="Market time in which a window chooses."),
]
Test = Annotated[
    str | None,
    typer.Option("--test", metavar="TIME", help="Market time after it that measures."),
]
Step = Annotated[
    str | None,
    typer.Option("--step", metavar="TIME", help="From window to window. [that of --test]"),
]


def backtest_sweep(
    spec: SpecFile,
    sets: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="TABLE.KEY=V1,V2",
            help="Values of a key of SPEC; several flags make a grid.",
        ),
    ],
    prices: PricesFlag = None,
    snapshots: SnapshotsFlag = None,
    train: Train = None,
    test: Test = None,
    step: Step = None,
    confidence: Annotated[
        float, typer.Option("--confidence", min=0.5, max=0.99, help="Confidence of the intervals.")
    ] = 0.90,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, max=256, help="Points at once. [one per processor]"),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Run a contest at every point of a grid, and judge all points together.

    The best of many looks good by luck: its Sharpe ratio is deflated by the number of distinct
    candidates. With --train and --test every window chooses the best candidate, and the next one
    measures it.

    Example: arena backtest sweep mine.toml --set competition.every=1h,4h,1d
    """
    require_writable(json_file, "--json")
    load_env_beside(spec)
    grid = grid_of(sets)
    files = tuple(prices or ())
    points = [Point(n, spec, values, files, snapshots) for n, values in enumerate(grid)]
    interval_s = _first_interval(points[0])
    windows = windows_of(train, test, step, interval_s)
    settings, episodes = episodes_of(grid)
    _require_one_market(windows, episodes)
    count = min(jobs or os.cpu_count() or 1, len(points))
    began_s = time.monotonic()
    played = _played(points, count)
    labels = [label_of(values) for values in grid]
    if failed := [one for one in played if one.error]:
        for one in failed:
            print_failure(f"{labels[one.number]}: {one.error}")
        raise typer.Exit(EXIT_NO)
    verdict = import_module(ROOM_OF_VERDICT)
    candidates = [candidate for one in played for candidate in one.candidates]
    options = verdict.SweepOptions(confidence=confidence, windows=windows)
    if episodes > 1:
        joined = import_module(ROOM_OF_CANDIDATES).joined_episodes
        candidates = joined(candidates, settings, episodes)
        labels = [label_of(without_seed(values)) for values in grid]
    result = verdict.judge_sweep(candidates, labels, interval_s, options)
    seconds = time.monotonic() - began_s
    facts = {
        "spec": str(spec),
        "points": [_point(one, grid[one.number]) for one in played],
        "jobs": count,
        "seconds": round(seconds, 1),
        "episodes": episodes,
        "turns": sum(one.turns for one in played),
        "bars": sum(one.bars for one in played),
    }
    _report(result, facts, json_file)


def _require_one_market(windows: object, episodes: int) -> None:
    if windows is not None and episodes > 1:
        raise UsageError(
            f"{SEED} has several values, and windows need one market",
            remedy="run one sweep per seed, or leave out --train and --test",
        )


def _report(result: Any, facts: Mapping[str, Any], json_file: Path | None) -> None:
    """Print the result and write it; Any: another room's type, and a JSON tree."""
    text = import_module(ROOM_OF_TEXT)
    written = _write({**facts, **text.sweep_document(result)}, json_file)
    if facts["episodes"] > 1:
        print(f" {facts['episodes']} markets by {SEED}: a season is all of them, one by one.")
    for line in text.sweep_lines(result):
        print(f" {line}".rstrip())
    for line in aligned_lines(text.sweep_rows(result), right={2, 4, 5}):
        print(f" {line}")
    points, seconds = counted(len(facts["points"]), "point"), elapsed_text(facts["seconds"])
    print(f"\n {points}, {facts['jobs']} at once, in {seconds}.")
    print(f" Written: {written}")


def _first_interval(point: Point) -> float:
    """Check the specification with the first point's values; seconds between two snapshots."""
    contest = new_contest(
        point.spec,
        prices=point.prices,
        snapshots=point.snapshots,
        settings=Settings(),
        edit=edit_of(point),
    )
    shutil.rmtree(contest.directory, ignore_errors=True)
    return contest.spec.arena.interval_s


def _played(points: Sequence[Point], jobs: int) -> list[PlayedPoint]:
    """Play all points; in their order, whatever order they ended in."""
    line = LiveLine(sys.stdout)
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=leave_signals_to_parent)
    began_s = time.monotonic()
    played: list[PlayedPoint] = []
    try:
        for ended in as_completed([pool.submit(play_point, point) for point in points]):
            played.append(ended.result())
            line.show(_progress(len(played), len(points), time.monotonic() - began_s))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    line.end(_progress(len(played), len(points), time.monotonic() - began_s))
    pool.shutdown()
    return sorted(played, key=lambda one: one.number)


def _progress(done: int, total: int, elapsed_s: float) -> str:
    left = elapsed_text((total - done) * elapsed_s / done) if done else ""
    return f"{done}/{total} points{f'  {left} left' if left and done < total else ''}"


def _point(one: PlayedPoint, values: dict[str, Any]) -> dict[str, Any]:  # Any: a JSON tree
    return {
        "set": {key: _plain(value) for key, value in values.items()},
        "account_digest": one.digest,
        "bars": one.bars,
        "turns": one.turns,
        "seconds": round(one.seconds, 1),
    }


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | str) else str(value)


def _write(document: dict[str, Any], json_file: Path | None) -> Path:
    """Write the result to the home, and to the file of `--json`."""
    text = json.dumps(document, indent=2) + "\n"
    folder = Settings().home / SWEEPS
    folder.mkdir(parents=True, exist_ok=True)
    path = new_file(folder, f"{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}")
    for each in _unique((path, json_file)):
        write_atomic(each, text)
    return json_file or path


def new_file(folder: Path, name: str) -> Path:
    """Create an empty file of a sweep; sweeps that end in the same second get "-2", "-3", ..."""
    for number in counting(1):
        path = folder / f"{name}{f'-{number}' if number > 1 else ''}.json"
        with contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
            break
    return path


def _unique(paths: Iterable[Path | None]) -> list[Path]:
    return list(dict.fromkeys(path for path in paths if path is not None))
