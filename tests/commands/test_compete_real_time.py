"""A contest in real time: a simulated exchange at speed, snapshots counted, a report at the end."""

import asyncio
import json
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import MarketSnapshot, Message
from arena.settings import Settings
from arena.supervisor.runs import newest_run
from connectors.tails import read_to_end
from tests.commands.contests import Contests, wait_for

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


def snapshots_of(settings: Settings) -> list[MarketSnapshot]:
    """Everything in the topic of the newest run's snapshots."""
    run = newest_run(settings.home)
    assert run is not None
    prefixed = settings.override(prefix=run[1].prefix)
    return [m for m in asyncio.run(read_snapshots(prefixed)) if isinstance(m, MarketSnapshot)]


async def read_snapshots(settings: Settings) -> list[Message]:
    """`market.snapshots` from its first record to its last."""
    bus = KafkaBus(settings, client_id="reader")
    await bus.start()
    reader = await bus.log_reader(topics.SNAPSHOTS.name)
    found = [record.message() for record in await read_to_end(reader)]
    await reader.close()
    await bus.close()
    return found


@pytest.mark.timeout(200)
def test_a_contest_that_is_gone_on_with_finds_its_market_where_it_was(
    settings: Settings, tmp_path: Path
) -> None:
    """Market time stands still meanwhile, though seconds of ours are minutes of its own."""
    spec = tmp_path / "live.toml"
    spec.write_text(SPEC.replace(f"snapshots = {SNAPSHOTS}", f"snapshots = {3 * SNAPSHOTS}"))
    contests = Contests(settings, spec)
    first = contests.start(str(spec))
    wait_for(lambda: newest_run(settings.home) is not None)
    wait_for(lambda: len(snapshots_of(settings)) >= SNAPSHOTS)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=60)
    assert 130 == first.returncode, output
    before = snapshots_of(settings)
    run = newest_run(settings.home)
    assert run is not None
    found = contests.outcome("--resume", run[0].name)

    after = snapshots_of(settings)
    steps = [(b.as_of - a.as_of).total_seconds() for a, b in pairwise(after)]
    assert ("done", 3 * SNAPSHOTS) == (found["ended"], found["snapshots"])
    assert before == after[: len(before)]
    assert 0 < min(steps)
    assert steps[len(before) - 1] < 120
    assert {0} == {snapshot.rewinds for snapshot in after}


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
