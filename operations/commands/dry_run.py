"""`--dry-run`: print what a contest or a backtest would ask of its models."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from arena.atomic_files import write_atomic
from arena.model_prices import load_prices
from arena.tables import print_table
from operations.backtest.estimate import COLUMNS
from operations.commands.compete_start import Contest


def edit_for_estimate(
    path: Path, prices: Sequence[Path], snapshots: int | None
) -> Callable[[str], str]:
    """The change of a contest's text with which its first snapshot can be played at once."""
    # Imported here, as below: a contest over Kafka does not need what a backtest loads.
    from operations.backtest.point import Point, edit_of

    return edit_of(Point(0, path, {}, tuple(prices), snapshots))


def print_estimate(contest: Contest, json_file: Path | None) -> int:
    """Print the estimate of a contest in lock-step, and remove its empty folder.

    Args:
        contest: The contest.
        json_file: The file of `--json`; None for none.
    """
    from operations.backtest.dry_run import estimate_run

    try:
        found = estimate_run(contest, load_prices())
    finally:
        shutil.rmtree(contest.directory, ignore_errors=True)
    print(" A dry run: nothing is asked, and nothing is kept.\n")
    print_table(COLUMNS, found.rows, remarks=found.remarks)
    if json_file is not None:
        write_atomic(json_file, json.dumps(found.document(), indent=2) + "\n")
        print(f" Written: {json_file}")
    return 0
