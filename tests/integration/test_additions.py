"""A venue, a tool, a strategy, a kind and a model provider, added to a copy of the source tree.

Each is made from its template and put in one place; nothing else in the copy is changed.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("arena", "dashboard", "judge", "ledger", "operations", "pyproject.toml")
CHANGED = ("chat_nodes", "connectors", "routers", "trading_tools", "tests/connectors")
FIXTURES = "tests/connectors/fixtures"
ANSWER = 'message = {"role": "assistant", "content": "I hold."}'
ASKS_FOR_TOOL = """message: dict[str, object] = {"role": "assistant", "content": "I hold."}
        if not any(sent.role == "tool" for sent in request.messages):
            asked = {"name": "repeat", "arguments": '{"word": "hold", "times": 2}'}
            message["tool_calls"] = [{"id": "1", "type": "function", "function": asked}]"""
PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path

from arena import logs, topics
from arena.settings import Settings
from chat_nodes.model import ModelSettings
from chat_nodes.model_types import open_model
from chat_nodes.process import ChatNodeOptions
from operations.one_process import Member, run_on_virtual_time
from routers.cli import agent_configs, parse_agent
from routers.process import RouterOptions
from routers.turn_types import Limits
from tests.integration.test_one_process import START, members, records_of

settings = Settings(home=Path(sys.argv[1]), log_level="WARNING")
logs.configure(settings, node="one-process")
replay, executor, *_ = members(3)
name = sys.argv[2].partition("=")[0]
agent = parse_agent(sys.argv[2])
limits = Limits(rounds=4, decision_s=60.0, tool_s=60.0)
cluster = run_on_virtual_time(
    [
        replace(replay, options=replace(replay.options, agents=(name,))),
        executor,
        Member("chat-node", "echo", ChatNodeOptions(open_model(ModelSettings("echo:any")))),
        Member("router", name, RouterOptions(tuple(
            agent_configs([agent], limits, None, "lock-step", None)
        ))),
    ],
    settings,
    start=START,
)
turns = [r.message() for r in records_of(cluster, topics.TURNS.name) if r.kind == "Turn"]
print(json.dumps([
    [turn.outcome, *(message.content for message in turn.messages if message.role == "tool")]
    for turn in turns
]))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree with one more of each; what is not changed is linked."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "tests").mkdir()
    for path in (ROOT / "tests").iterdir():
        if path.name not in {"connectors", "__pycache__"}:
            (tree / "tests" / path.name).symlink_to(path)
    for name in SHARED:
        (tree / name).symlink_to(ROOT / name)
    for name in CHANGED:
        no_caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tree / name, ignore=no_caches)
    venues = tree / "connectors/venues"
    shutil.copytree(venues / "_template", venues / "acme")
    for path in (venues / "acme").iterdir():
        _copy(path, path, {"venues._template": "venues.acme", '"template"': '"acme"'})
    _copy(tree / FIXTURES / "template_frames.jsonl", tree / FIXTURES / "acme_frames.jsonl")
    _copy_template(tree / "trading_tools/catalogue", "repeat", {"_template": "repeat"})
    tools = {'"template"': '"patient"', '"get_portfolio"': '"repeat"'}
    _copy_template(tree / "routers/strategies", "patient", tools)
    paired = {'"template"': '"paired"', "cadence=1": 'turn_kind="pair"'}
    _copy_template(tree / "routers/strategies", "paired", paired)
    _copy_template(tree / "routers/kinds", "pair", {})
    _copy_template(tree / "chat_nodes/providers", "echo", {ANSWER: ASKS_FOR_TOOL})
    return tree


def _copy_template(folder: Path, name: str, changes: dict[str, str]) -> None:
    """Add a module to a folder."""
    _copy(folder / "_template.py", folder / f"{name}.py", changes)


def _copy(source: Path, target: Path, changes: dict[str, str] | None = None) -> None:
    """Copy a file with other words."""
    text = source.read_text()
    for old, new in (changes or {}).items():
        text = text.replace(old, new)
    target.write_text(text)


def _run(tree: Path, *words: str) -> str:
    """Run Python in a tree, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_venue_is_one_folder(tree: Path) -> None:
    """It is a command, and the contract of venues holds for it."""
    contract = ("tests/connectors/venues/test_contract.py", "-k", "acme")
    _run(tree, "-m", "pytest", *contract, "-n", "0", "-p", "no:cacheprovider")  # fails without one

    assert "acme" in _run(tree, "-m", "arena", "connector", "--help")


def test_tool_strategy_and_provider_are_one_file_each(tree: Path, tmp_path: Path) -> None:
    """An agent of the strategy asks the provider, which asks for the tool, in every turn."""
    turns = json.loads(_run(tree, "-c", PROGRAM, str(tmp_path), "pat=patient@echo"))

    assert 3 == len(turns)
    assert all(["completed", "hold hold"] == turn for turn in turns)


def test_kind_of_turns_is_one_file(tree: Path, tmp_path: Path) -> None:
    """A strategy names it, and its two roles ask the model in every turn."""
    turns = json.loads(_run(tree, "-c", PROGRAM, str(tmp_path), "two=paired@echo"))

    assert [["completed"]] * 3 == turns
