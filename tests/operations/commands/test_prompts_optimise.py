"""`arena prompts optimise` on a run's records: a better text for a strategy bad on purpose."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from arena.bus.exported import ExportedBus
from arena.prompt_versions import version_of
from arena.runs import newest_run
from arena.settings import Settings
from judge.prompts.lint import lint
from judge.prompts.search.read_recorded import read_recorded
from judge.prompts.search.recorded import RecordedPrompt
from judge.prompts.templates import DECISIONS
from operations.commands.prompts_optimise import _cut
from routers.strategy import load_strategy
from tests.operations.commands.cli import ROOT, environment
from tests.operations.commands.contests import BROKERLESS, DEADLINE_S, backtested
from tests.warm_commands import run_arena

RECKLESS = ROOT / "examples" / "strategies" / "reckless.toml"
SNAPSHOTS = 90
SPEC = f"""\
[arena]
name = "searched"
products = ["BTC-USD", "ETH-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "mad"
strategy = "{RECKLESS}"
chat_node = "rules"

[competition]
snapshots = {SNAPSHOTS}
pacing = "lock-step"
baselines = ["cash"]
prompts = "coached"
judge = false
"""


def search(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    """`arena prompts optimise` with these words."""
    known = environment(settings)
    env = {name: value for name, value in known.items() if name != "ARENA_PREFIX"}
    return run_arena("prompts", "optimise", *words, env=env, timeout_s=DEADLINE_S)


async def _recorded(records: Path) -> tuple[RecordedPrompt, ...]:
    bus = ExportedBus(records)
    await bus.start()
    try:
        return await read_recorded(bus, "mad")
    finally:
        await bus.close()


@pytest.mark.timeout(200)
def test_better_text_is_found_in_the_records_of_a_contest(
    tmp_path: Path,
) -> None:
    """Without a key: scripted rules answer. The same search gives the same text."""
    spec = tmp_path / "searched.toml"
    spec.write_text(SPEC)
    settings = Settings(home=tmp_path, bootstrap_servers=BROKERLESS)
    backtested(spec, tmp_path)
    run = newest_run(settings.home)
    assert run is not None
    words = ("--run", run[0].name, "--budget-calls", "200", "--json")

    found = search(settings, "mad", *words)
    assert 0 == found.returncode, found.stderr
    result = json.loads(found.stdout)
    text = Path(result["file"]).read_text()
    own = load_strategy(str(RECKLESS)).prompt
    assert ("better", False, True) == (result["result"], result["proposed"], result["scripted"])
    assert version_of(text) == result["candidate"]
    assert DECISIONS["figures"] in text
    assert [] == lint(text, own)
    assert result["search"]["to"] < result["held_out"]["from"]
    assert 120 < result["calls"] <= 200
    assert result["held_out"]["difference"]["low"] > 0

    again = search(settings, "mad", *words, "--snapshots", str(run[0] / "records"))
    assert result == json.loads(again.stdout)

    prompts = asyncio.run(_recorded(run[0] / "records"))
    assert SNAPSHOTS == len(prompts)
    for one in prompts:
        shown = one.turn.messages[: 1 + len(one.shown)]
        assert shown == one.messages(own, _cut), "the text in force gives the recorded prompt"

    small = search(settings, "mad", "--run", run[0].name, "--budget-calls", "50")
    assert (2, True) == (small.returncode, "at least 195" in small.stderr), small.stderr
