"""`arena backtest sweep` with its real processes."""

import json
from pathlib import Path
from typing import Any

from operations.commands.backtest_sweep import new_file
from tests.operations.backtest.test_backtest import DEADLINE_S, SPEC, environment
from tests.warm_commands import run_arena


def swept(home: Path, *words: str) -> dict[str, Any]:
    """Run a sweep; what `--json` says of it."""
    spec, file = home / "contest.toml", home / "sweep.json"
    spec.write_text(SPEC)
    ended = run_arena(
        "backtest",
        "sweep",
        str(spec),
        *words,
        "--json",
        str(file),
        env=environment(home),
        cwd=home,
        timeout_s=DEADLINE_S,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Best in sample: " in ended.stdout
    found: dict[str, Any] = json.loads(file.read_text())  # Any: JSON
    return found


def test_the_result_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    """Each point is a backtest of its own, and no run is left behind."""
    flags = ("--set", "risk.max_symbol_exposure_pct=5,90", "--snapshots", "70")
    one, two = (swept(tmp_path, *flags, "--jobs", jobs) for jobs in ("1", "2"))
    assert (one.pop("jobs"), two.pop("jobs")) == (1, 2)
    for found in (one, two):
        del found["seconds"]
        for point in found["points"]:
            del point["seconds"]
    assert one == two
    assert [point["set"] for point in one["points"]] == [
        {"risk.max_symbol_exposure_pct": value} for value in (5, 90)
    ]
    assert len({point["account_digest"] for point in one["points"]}) == 2
    assert not list((tmp_path / "runs").glob("*"))


def test_seeds_are_markets_and_settings_are_candidates(tmp_path: Path) -> None:
    """The best of several markets is luck, so no seed is named as the best candidate."""
    grid = ("--set", "market.seed=1,2", "--set", "risk.max_symbol_exposure_pct=5,90")
    found = swept(tmp_path, *grid, "--snapshots", "8")
    assert (found["episodes"], len(found["points"])) == (2, 4)
    names = [one["name"] for one in found["candidates"] if not one["baseline"]]
    assert sorted(names) == [f"scalper-rules max_symbol_exposure_pct={value}" for value in (5, 90)]
    assert not any("seed" in one["name"] for one in found["candidates"])


def test_wrong_values_are_refused_before_anything_runs(tmp_path: Path) -> None:
    """The error is that of the specification, with the value."""
    spec = tmp_path / "contest.toml"
    spec.write_text(SPEC)
    for flag, words in (
        ("risk.max_symbol_exposure=5", "max_symbol_exposure"),
        ("risk.max_symbol_exposure_pct=ten", "ten"),
    ):
        ended = run_arena(
            "backtest", "sweep", str(spec), "--set", flag, env=environment(tmp_path), cwd=tmp_path
        )
        assert ended.returncode == 2
        assert words in ended.stderr


def test_sweeps_that_end_in_the_same_second_have_a_file_each(tmp_path: Path) -> None:
    """The second one gets a number."""
    names = [new_file(tmp_path, "2026-01-31T12-00-00").name for _ in range(3)]
    assert ["", "-2", "-3"] == [name[len("2026-01-31T12-00-00") : -len(".json")] for name in names]
