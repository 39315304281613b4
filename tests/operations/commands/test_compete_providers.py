"""One contest with every provider profile: tool calls, faults and a broken call."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.settings import Settings
from tests.chat_nodes.provider_profiles import PROVIDERS
from tests.operations.commands.cli import ROOT
from tests.operations.commands.contests import Contests

SNAPSHOTS = 2
SPEC = """\
[arena]
name = "providers"
products = ["BTC-USD"]

[market]
source = "replay"
{nodes}
[competition]
snapshots = {snapshots}
baselines = []
judge = false
"""
NODE = """
[[chat_nodes]]
name = "{name}"
model_id = "model-of-{name}"
base_url = "http://127.0.0.1:{port}/{name}/v1"
api_key_env = "A_KEY_NOBODY_HAS"
max_completion_tokens = 500
options = {{ temperature = 0.5, seed = 7 }}

[[agents]]
name = "momentum-{name}"
strategy = "momentum"
chat_node = "{name}"
process = "agents"
"""


@pytest.fixture
def port() -> Iterator[str]:
    """Port of a server that imitates all providers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chat_nodes.provider_server"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.communicate()


@pytest.mark.timeout(200)
def test_every_provider_plays_a_contest(settings: Settings, tmp_path: Path, port: str) -> None:
    """Every agent's turns end as decisions, and every model's orders are filled."""
    names = sorted(PROVIDERS)
    nodes = "".join(NODE.format(name=name, port=port) for name in names)
    spec = tmp_path / "providers.toml"
    spec.write_text(SPEC.format(nodes=nodes, snapshots=SNAPSHOTS))

    outcome = Contests(settings, spec).outcome(str(spec), "--no-check")

    entries = {e["node"]: e for e in json.loads(Path(outcome["figures"]).read_text())["entries"]}
    assert ("done", len(names) * SNAPSHOTS) == (outcome["ended"], outcome["turns"])
    assert [] == outcome["dead"]
    assert dict.fromkeys(names, (SNAPSHOTS, SNAPSHOTS)) == {
        name: (entry["decisions"], entry["trades"]) for name, entry in entries.items()
    }
    logs = {n: (directory(outcome) / f"chat-node-{n}.log").read_text() for n in names}
    assert {"azure", "gemini", "groq", "lmstudio", "mistral", "openai"} == {
        name for name, log in logs.items() if "request adapted to the provider" in log
    }
    assert all("model call retried" in log for log in logs.values())


def directory(outcome: dict[str, Any]) -> Path:
    """The folder of a run's logs."""
    return Path(outcome["directory"]) / "logs"
