"""A contest in real time: a simulated exchange at speed, snapshots counted, a report at the end."""

import asyncio
import json
import signal
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import MarketSnapshot, Message, Turn
from arena.read_topic import read_list
from arena.runs import newest_run
from arena.settings import Settings
from connectors.simulator.simulator_state import read_state
from tests.operations.commands.contests import Contests, wait_for

SNAPSHOTS = 6
SPEED = 60
SPEC = f"""\
[arena]
name = "live"
products = ["BTC-USD", "SOL-USD"]

[market]
source = "exchange"
speed = {SPEED}
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
decision_deadline_s = 120

[[agents]]
name = "patient"
strategy = "momentum"
chat_node = "rules"
every = "2h"
"""


def snapshots_of(settings: Settings) -> list[MarketSnapshot]:
    """All records of `market.snapshots` of the newest run."""
    found = records_of(settings, topics.SNAPSHOTS.name)
    return [one for one in found if isinstance(one, MarketSnapshot)]


def patient_decided(settings: Settings) -> bool:
    """True if a turn of the agent that is asked every two hours ran to its end.

    The contest ends before its next one, so an agent that was cut off in it would be dead.
    """
    found = records_of(settings, topics.TURNS.name)
    turns = [one for one in found if isinstance(one, Turn) and one.agent == "patient"]
    return any(one.outcome != "aborted" for one in turns)


def records_of(settings: Settings, topic: str) -> list[Message]:
    """A topic of the newest run, from its first record to its last."""
    run = newest_run(settings.home)
    assert run is not None
    return asyncio.run(read_messages(settings.override(prefix=run[1].prefix), topic))


async def read_messages(settings: Settings, topic: str) -> list[Message]:
    """A topic from its first record to its last."""
    bus = KafkaBus(settings, client_id="reader")
    await bus.start()
    reader = await bus.log_reader(topic)
    found = [record.message() for record in await read_list(reader)]
    await reader.close()
    await bus.close()
    return found


def venue_times(directory: Path) -> list[datetime]:
    """The market time at each start of the exchange."""
    lines = (directory / "logs" / "exchange.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines if '"listening"' in line]
    return [datetime.fromisoformat(entry["venue_time"]) for entry in entries]


@pytest.mark.timeout(200)
def test_real_time_contest_is_resumed_and_ends_with_a_report(
    settings: Settings, tmp_path: Path
) -> None:
    """The market advances by itself, but not while the contest is stopped."""
    spec = tmp_path / "live.toml"
    spec.write_text(SPEC)
    contests = Contests(settings, spec)
    first = contests.start(str(spec))
    wait_for(lambda: newest_run(settings.home) is not None)
    wait_for(lambda: len(snapshots_of(settings)) >= 2 and patient_decided(settings))
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=60)
    run = newest_run(settings.home)
    assert (130, True) == (first.returncode, run is not None), output
    assert run is not None
    before, left = snapshots_of(settings), read_state(run[0] / "market.json")
    found = contests.outcome("--resume", run[0].name)
    after = snapshots_of(settings)
    figures = json.loads((run[0] / "report" / "figures.json").read_text())

    assert left is not None
    assert 0 <= venue_times(run[0])[1].timestamp() - left.venue_s < 2 * SPEED
    assert before == after[: len(before)]
    assert all(one.as_of < other.as_of for one, other in pairwise(after))
    assert {0} == {snapshot.rewinds for snapshot in after}
    assert "done" == found["ended"]
    assert SNAPSHOTS <= found["snapshots"] <= len(after)
    assert 2 <= found["turns"] <= 2 * len(after) + 1
    entries = {one["name"]: one["gates"] for one in figures["entries"]}
    assert entries["patient"] == found["gates"]["patient"]
    assert sum(found["gates"]["patient"]["skipped"].values()) >= SNAPSHOTS - 1
    assert found["seconds"] < 100, "the quiet agent's deadline was waited for"
    assert {"brainrot-rules", "cash", "patient"} == {
        row["agent"] for row in figures["evaluation"]["rows"]
    }
    report = (run[0] / "report" / "index.html").read_text(encoding="utf-8")
    assert "brainrot-rules" in report
    assert report.rstrip().endswith("</html>")
    assert (run[0] / "frames.jsonl.zst").stat().st_size > 0
