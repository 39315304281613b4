"""One more of each, added to a copy of the source tree from its template.

A venue, a tool, a strategy, a kind of turns and a provider are put in one place, and nothing else
is changed. A message type is a file and two entries, a process kind a file and an entry.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("dashboard", "ledger", "operations", "pyproject.toml")
CHANGED = (
    *("arena", "chat_nodes", "connectors", "judge", "routers", "trading_tools"),
    "tests/connectors",
)
FIXTURES = "tests/connectors/fixtures"
ANSWER = 'message = {"role": "assistant", "content": "I hold."}'
ASKS_FOR_TOOL = """message: dict[str, object] = {"role": "assistant", "content": "I hold."}
        if not any(sent.role == "tool" for sent in request.messages):
            asked = {"name": "repeat", "arguments": '{"word": "hold", "times": 2}'}
            message["tool_calls"] = [{"id": "1", "type": "function", "function": asked}]"""
NEW_MESSAGE = {
    "from arena.messages.tools import": (
        "from arena.messages.snapshot_count import SnapshotCount\nfrom arena.messages.tools import"
    ),
    '    "StateDigest",\n': '    "SnapshotCount",\n    "StateDigest",\n',
}
NEW_TOPIC = {
    "TOPICS: tuple[TopicSpec, ...] = (": (
        'COUNTS = TopicSpec("market.counts", key="venue", messages=("SnapshotCount",))\n'
        "TOPICS: tuple[TopicSpec, ...] = (\n    COUNTS,"
    )
}
PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path

from arena import logs, topics
from arena.settings import Settings
from chat_nodes.model import ModelSettings
from chat_nodes.model_types import open_model
from chat_nodes.process import ChatNodeOptions
from judge.counter import CounterOptions
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
        Member("counter", "counter", CounterOptions()),
        Member("chat-node", "echo", ChatNodeOptions(open_model(ModelSettings("echo:any")))),
        Member("router", name, RouterOptions(tuple(
            agent_configs([agent], limits, None, "lock-step", None)
        ))),
    ],
    settings,
    start=START,
)
turns = [r.message() for r in records_of(cluster, topics.TURNS.name) if r.kind == "Turn"]
print(json.dumps({
    "turns": [
        [turn.outcome, *(sent.content for sent in turn.messages if sent.role == "tool")]
        for turn in turns
    ],
    "counts": [r.message().count for r in records_of(cluster, "market.counts")],
}))
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
    _copy_template(tree / "arena/messages", "snapshot_count", {})
    _edit(tree / "arena/messages/__init__.py", NEW_MESSAGE)
    _edit(tree / "arena/topics.py", NEW_TOPIC)
    example = ROOT / "examples/process_kind.py"
    _copy(example, tree / "judge/counter.py", {"messages._template": "messages.snapshot_count"})
    kinds = "KINDS: tuple[ProcessKind, ...] = ("
    entry = f"{_entry_in(example)}\n{kinds}\n    COUNTER,"
    _edit(tree / "arena/process_kinds.py", {kinds: entry})
    return tree


def _entry_in(path: Path) -> str:
    """The entry of a process kind that the docstring of a file shows."""
    lines = path.read_text().split("COUNTER = ", 1)[1].split("\n\n", 1)[0]
    return f"COUNTER = {lines}"


def _edit(path: Path, changes: dict[str, str]) -> None:
    """Replace words of a file, each of which it has once."""
    text = path.read_text()
    assert [1] * len(changes) == [text.count(old) for old in changes]
    _copy(path, path, changes)


def _copy_template(folder: Path, name: str, changes: dict[str, str]) -> None:
    """Add a module to a folder."""
    _copy(folder / "_template.py", folder / f"{name}.py", changes)


def _copy(source: Path, target: Path, changes: dict[str, str] | None = None) -> None:
    """Copy a file with other words."""
    text = source.read_text()
    for old, new in (changes or {}).items():
        text = text.replace(old, new)
    target.write_text(text)


@pytest.fixture(scope="module")
def played(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A short run of the copy, with everything that was added."""
    return _played(tree, tmp_path_factory.mktemp("home"), "pat=patient@echo")


def _played(tree: Path, home: Path, agent: str) -> dict[str, Any]:
    """A short run of one agent in a tree: outcomes and tool results of its turns, and counts."""
    found: dict[str, Any] = json.loads(_run(tree, "-c", PROGRAM, str(home), agent))
    return found


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


def test_tool_strategy_and_provider_are_one_file_each(played: dict[str, Any]) -> None:
    """An agent of the strategy asks the provider, which asks for the tool, in every turn."""
    assert [["completed", "hold hold"]] * 3 == played["turns"]


def test_kind_of_turns_is_one_file(tree: Path, tmp_path: Path) -> None:
    """A strategy names it, and its two roles ask the model in every turn."""
    assert [["completed"]] * 3 == _played(tree, tmp_path, "two=paired@echo")["turns"]


def test_process_kind_is_a_file_and_an_entry(tree: Path, played: dict[str, Any]) -> None:
    """It runs with the others, has a command, and may write its topic on a secure broker."""
    program = (
        "from arena.acls import may_write; from arena.topics import COUNTS;"
        "print(may_write('counter', COUNTS), may_write('judge', COUNTS))"
    )

    assert [1, 2, 3] == played["counts"]
    assert "Count snapshots." in _run(tree, "-m", "arena", "--help")
    assert "--every" in _run(tree, "-m", "arena", "counter", "--help")
    assert "True False" == _run(tree, "-c", program).strip()
