"""A contest in real time: a simulated exchange at speed, snapshots counted, a report at the end."""

import json
from pathlib import Path

import pytest

from arena.settings import Settings
from arena.supervisor.runs import newest_run
from tests.commands.contests import Contests

SNAPSHOTS = 5
SPEC = f"""\
[arena]
name = "live"
products = ["BTC-USD", "SOL-USD"]

[market]
source = "exchange"
speed = 60
record = true

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = {SNAPSHOTS}
pacing = "real-time"
strategies = ["brainrot"]
models = ["rules"]
baselines = ["cash"]
judge = false
"""


@pytest.mark.timeout(200)
def test_a_real_time_contest_ends_with_a_report(settings: Settings, tmp_path: Path) -> None:
    """The market moves on by itself; decisions and skipped snapshots make up the season."""
    spec = tmp_path / "live.toml"
    spec.write_text(SPEC)
    found = Contests(settings, spec).outcome(str(spec))
    run = newest_run(settings.home)
    assert run is not None
    figures = json.loads((run[0] / "report" / "figures.json").read_text())

    assert ("done", SNAPSHOTS) == (found["ended"], found["snapshots"])
    assert 2 <= found["turns"] <= 2 * SNAPSHOTS
    assert {"brainrot-rules", "cash"} == {row["agent"] for row in figures["evaluation"]["rows"]}
    assert (run[0] / "report" / "index.html").stat().st_size > 1_000_000
    assert (run[0] / "frames.jsonl.zst").stat().st_size > 0
