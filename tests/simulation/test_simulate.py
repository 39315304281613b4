"""`arena simulate`: seeds hold, a seed is the same again, and faults that are planted are found."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arena.errors import ArenaError
from operations.simulation import planted
from operations.simulation.export import export_logs
from operations.simulation.patches import apply_patch
from operations.simulation.plan import Fault
from operations.simulation.run import plan_of
from operations.simulation.shorten import shortest
from operations.simulation.world import World

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 50
PACKAGES = ("arena", "trading_tools")
"""Where the planted bugs are."""


# Any: a JSON document.
def simulated(folder: Path, *flags: str, hash_seed: str = "0") -> tuple[int, dict[str, Any]]:
    """The exit code and the figures of a run."""
    figures = folder / f"figures-{hash_seed}.json"
    done = subprocess.run(
        [sys.executable, "-m", "arena", "simulate", *flags, "--json", str(figures)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert figures.exists(), done.stderr
    document: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))
    return done.returncode, document


@pytest.mark.timeout(600)
def test_fixed_seeds_hold(tmp_path: Path) -> None:
    """Every invariant holds after the faults of each seed, and the faults hit something."""
    code, found = simulated(tmp_path, "--seeds", str(SEEDS), "--snapshots", "15")

    assert (0, SEEDS, []) == (code, found["seeds"], found["failed"]), found["failures"]
    assert found["faults"] > SEEDS
    assert found["restarts"] > 0


@pytest.mark.timeout(300)
def test_a_seed_is_the_same_in_another_process(tmp_path: Path) -> None:
    """The trace has the same lines, whatever the hash seed."""
    traces = []
    for hash_seed in ("1", "99"):
        trace = tmp_path / f"trace-{hash_seed}"
        flags = ("--seed", "8", "--snapshots", "10", "--trace", str(trace))
        assert 0 == simulated(tmp_path, *flags, hash_seed=hash_seed)[0]
        traces.append(trace.read_text(encoding="utf-8"))

    assert traces[0] == traces[1]
    assert " append account.events[" in traces[0]


def test_planted_bugs_fit_the_code(tmp_path: Path) -> None:
    """Each patch changes a module that can still be compiled; there are five."""
    for name, patch in planted.patches().items():
        folder = tmp_path / name
        for package in PACKAGES:
            shutil.copytree(ROOT / package, folder / package)
        text = patch.read_text(encoding="utf-8")
        apply_patch(folder, text)
        changed = folder / text.splitlines()[1].removeprefix("+++ b/")
        source = changed.read_text(encoding="utf-8")
        compile(source, str(changed), "exec")
        assert source != (ROOT / changed.relative_to(folder)).read_text(encoding="utf-8")

    assert 5 == len(planted.patches())


@pytest.mark.timeout(600)
def test_a_planted_bug_is_found() -> None:
    """The order of the seeds is that of the command; the other bugs are found by --planted."""
    patch = planted.patches()["order_id_at_random"]

    assert planted.find(patch, range(1, 21), 2, 3, 50) is not None


def test_a_patch_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    """A hunk must match exactly."""
    (tmp_path / "one.py").write_text("a = 1\n", encoding="utf-8")

    with pytest.raises(ArenaError, match="does not fit one.py"):
        apply_patch(tmp_path, "--- a/one.py\n+++ b/one.py\n@@ -1 +1 @@\n-a = 2\n+a = 3\n")


def test_records_of_a_simulation_can_be_exported(tmp_path: Path) -> None:
    """So that the commands that read exports can look at what a seed left."""
    plan = plan_of(1, 2, 3)
    world = World(plan)
    world.run()
    export_logs(world.cluster, tmp_path / "records")

    manifest = json.loads((tmp_path / "records" / "manifest.json").read_text(encoding="utf-8"))
    assert {"account.events", "agent.turns"} <= set(manifest["topics"])


@pytest.mark.parametrize("needed", [(), (3,), (0, 7), (2, 3, 4)])
def test_faults_are_shortened_to_those_that_matter(needed: tuple[int, ...]) -> None:
    """Those after the last that matters go first, then the others, one by one."""
    faults = tuple(Fault(n, 0, "crash", 0.5, 1.0, keeps=True) for n in range(10))

    left = shortest(faults, lambda plan: set(needed) <= {fault.at for fault in plan})

    assert needed == tuple(fault.at for fault in left)


def test_many_agents_are_counted(tmp_path: Path) -> None:
    """Each agent reads each snapshot, in a consumer group of its own."""
    code, found = simulated(tmp_path, "--agents", "30", "--snapshots", "2")

    assert (0, 30, 60, 30 + 3) == (code, found["agents"], found["turns"], found["groups"])
    assert {"topic": "market.snapshots", "readers": 31} == found["widest_fan_out"]
    snapshots, inboxes = found["by_topic"]["market.snapshots"], found["by_topic"]["agent.inbox."]
    assert (2, 2 * 31) == (snapshots["messages"], snapshots["deliveries"])
    assert (30, 1) == (inboxes["topics"], inboxes["readers"])
    assert inboxes["messages"] == inboxes["deliveries"]
    assert found["per_turn"]["messages"] > 5
    assert found["per_turn"]["cpu_ms"] > 0
