"""Checks that the simulator finds bugs: each patch is applied to a copy, and seeds run there.

The patches are in `tests/simulation/planted`: one bug each. A bug is found by the first seed that
fails in the copy. No seed is chosen for a bug.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import arena
from arena.errors import ArenaError, UsageError
from operations.commands.live_line import LiveLine
from operations.simulation.patches import apply_patch

ROOT = Path(arena.__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "simulation" / "planted"
PACKAGES = (
    "arena",
    "chat_nodes",
    "connectors",
    "dashboard",
    "judge",
    "ledger",
    "operations",
    "routers",
    "trading_tools",
)


def patches(folder: Path = FOLDER) -> dict[str, Path]:
    """Name of each planted bug -> its patch.

    Raises:
        UsageError: There are none: this is not a source tree.
    """
    found = {path.stem: path for path in sorted(folder.glob("*.patch"))}
    if not found:
        raise UsageError(f"{folder} has no patches", remedy="run --planted in a source tree")
    return found


def find_all(
    seeds: range, jobs: int, agents: int, snapshots: int, line: LiveLine
) -> dict[str, int | None]:
    """Name of each planted bug -> the seed that found it, or None.

    Args:
        seeds: The seeds that may be used for each bug.
        jobs: Seeds that run at once.
        agents: Number of agents.
        snapshots: Number of snapshots.
        line: Shows which bug is looked for.
    """
    found: dict[str, int | None] = {}
    for name, patch in patches().items():
        found[name] = find(patch, seeds, jobs, agents, snapshots)
        words = "not found" if found[name] is None else f"found by seed {found[name]}"
        line.print_above(f"{name}: {words}")
    return found


def find(patch: Path, seeds: range, jobs: int, agents: int, snapshots: int) -> int | None:
    """The first seed that fails in a copy with a patch; None if none does.

    Raises:
        ArenaError: The patch does not fit, or the run in the copy ended with an error.
    """
    with tempfile.TemporaryDirectory(prefix="arena-planted-") as folder:
        copy, figures = Path(folder) / "copy", Path(folder) / "figures.json"
        copy_packages(copy)
        apply_patch(copy, patch.read_text(encoding="utf-8"))
        argv = [sys.executable, "-P", "-m", "arena", "simulate", "--first-failure", "--no-shorten"]
        numbers = {
            "--seeds": len(seeds),
            "--first-seed": seeds.start,
            "--jobs": jobs,
            "--agents": agents,
            "--snapshots": snapshots,
        }
        for flag, number in numbers.items():
            argv += [flag, str(number)]
        environ = os.environ | {"PYTHONPATH": str(copy)}
        done = subprocess.run(
            [*argv, "--json", str(figures)],
            cwd=copy,
            env=environ,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if not figures.exists():
            raise ArenaError(f"{patch.stem}: {done.stderr.strip()[-500:]}")
        failed = json.loads(figures.read_text(encoding="utf-8"))["failed"]
    return min(failed, default=None)


def copy_packages(target: Path) -> None:
    """Copy the packages of the arena to a new folder."""
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
