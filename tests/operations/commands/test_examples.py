"""The example arenas are valid, and the demo runs its example."""

from pathlib import Path

import pytest

from arena.errors import DependencyMissing, UsageError
from operations.commands import local_llm
from operations.commands.compete_spec import competition_toml
from operations.commands.demo_spec import BASELINES, STRATEGIES, demo_toml
from operations.commands.messages_text import models_text
from operations.specs.arena_spec import load_spec, parse_spec
from operations.supervisor.plan import LaunchContext, plan, require_keys
from routers.strategy import load_strategy
from tests.operations.commands.cli import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
CONTEXT = LaunchContext(launcher=("arena",), environ={}, directory=ROOT / "examples")


def test_examples_named_in_the_documents_exist() -> None:
    """One model, several models, the live market, a local model, the demo."""
    names = {path.stem for path in EXAMPLES}

    assert names >= {"single-model", "multi-model", "live", "local-model", "demo"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_can_be_planned(path: Path) -> None:
    """Every file is valid and names shipped strategies, or a file of the examples that loads."""
    spec = load_spec(path)

    processes = plan(spec, CONTEXT)

    shipped = {p.stem for p in (ROOT / "routers" / "strategies").glob("*.py")}
    for strategy in {agent.strategy for agent in spec.agents} - shipped:
        assert load_strategy(str(path.parent / strategy)).tools
    assert len({p.name for p in processes}) == len(processes)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_key_reaches_only_the_chat_nodes_that_need_it(path: Path) -> None:
    """Other processes do not get the variables with keys."""
    spec = load_spec(path)
    keys = {node.api_key_env for node in spec.chat_nodes}
    needed = {f"chat-node-{n.name}": {n.api_key_env} for n in spec.chat_nodes if not n.keyless}

    for process in plan(spec, CONTEXT):
        assert keys - process.without == needed.get(process.name, set())


def test_demo_runs_its_example() -> None:
    """`examples/demo.toml` is the text that `arena demo` runs."""
    assert (ROOT / "examples" / "demo.toml").read_text(encoding="utf-8") == demo_toml()


def test_shipped_contest_is_the_one_of_compete_new() -> None:
    """`examples/competition.toml` is the text of `arena compete new`."""
    path = "examples/competition.toml"

    assert (ROOT / path).read_text(encoding="utf-8") == competition_toml(path=path)


def test_demo_has_three_strategies_and_three_baselines() -> None:
    """Two scripted chat nodes, six agents, the baselines in one process."""
    spec = parse_spec(demo_toml(), path="demo")

    assert [a.strategy for a in spec.agents] == [*STRATEGIES, *BASELINES]
    assert all(node.scripted for node in spec.chat_nodes)
    assert len(spec.processes()) == 4


def test_unknown_strategy_of_the_demo_is_refused() -> None:
    """The error of `arena demo --agents` lists the choices."""
    with pytest.raises(UsageError, match="'genius' is not a strategy of the demo; choose from"):
        demo_toml(strategies=["genius"])


def test_demo_of_the_local_model_adds_two_agents() -> None:
    """They use their own keyless chat node, and a line names their model; scripted agents stay."""
    spec = parse_spec(demo_toml(local=True, strategies=["momentum", "cash"]), path="demo")

    thinking = {agent.name: agent.chat_node for agent in spec.agents}
    assert {"momentum-smollm2": "tiny", "scalper-smollm2": "tiny"} == {
        name: node for name, node in thinking.items() if node == "tiny"
    }
    assert {"momentum", "cash"} <= thinking.keys()
    assert "local:smollm2 (a real 135 M model; it trades at random)" in models_text(spec)
    require_keys(spec, {})


def test_missing_local_model_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only if a chat node needs it; the remedy is one command."""
    monkeypatch.setattr(local_llm, "PACKAGES", ("no_such_package",))
    local_llm.require_local_llm(parse_spec(demo_toml(), path="demo"))

    with pytest.raises(DependencyMissing, match="run `scripts/setup local-llm`"):
        local_llm.require_local_llm(parse_spec(demo_toml(local=True), path="demo"))
