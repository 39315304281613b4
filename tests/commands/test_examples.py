"""The example arenas are arenas, and the demo's is what the demo runs."""

from pathlib import Path

import pytest

from arena.commands.compete_spec import competition_toml
from arena.commands.demo_spec import BASELINES, STRATEGIES, demo_toml
from arena.errors import UsageError
from arena.spec import load_spec, parse_spec
from arena.supervisor.plan import Surroundings, plan
from tests.commands.cli import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
AROUND = Surroundings(launcher=("arena",), environ={}, directory=ROOT / "examples")


def test_the_examples_that_the_documents_name_exist() -> None:
    """One model, several models, the live market, a model on this machine, the demo."""
    names = {path.stem for path in EXAMPLES}

    assert names >= {"single-model", "multi-model", "live", "local-model", "demo"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_can_be_planned(path: Path) -> None:
    """Every file is valid and names strategies that are shipped."""
    spec = load_spec(path)

    processes = plan(spec, AROUND)

    shipped = {p.stem for p in (ROOT / "routers" / "strategies").glob("*.py")}
    assert {agent.strategy for agent in spec.agents} <= shipped
    assert len({p.name for p in processes}) == len(processes)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_key_reaches_only_the_chat_nodes_that_need_it(path: Path) -> None:
    """Every other process starts without the variables that hold keys."""
    spec = load_spec(path)
    keys = {node.api_key_env for node in spec.chat_nodes}
    needed = {f"chat-node-{n.name}": {n.api_key_env} for n in spec.chat_nodes if not n.scripted}

    for process in plan(spec, AROUND):
        assert keys - process.without == needed.get(process.name, set())


def test_the_demo_runs_its_example() -> None:
    """`examples/demo.toml` is the text that `arena demo` runs."""
    assert (ROOT / "examples" / "demo.toml").read_text(encoding="utf-8") == demo_toml()


def test_the_contest_that_is_shipped_is_the_one_that_is_written() -> None:
    """`examples/competition.toml` is the text of `arena compete new`."""
    path = "examples/competition.toml"

    assert (ROOT / path).read_text(encoding="utf-8") == competition_toml(path=path)


def test_the_demo_has_three_strategies_and_three_baselines() -> None:
    """Two scripted chat nodes, six agents, the baselines in one process."""
    spec = parse_spec(demo_toml(), path="demo")

    assert [a.strategy for a in spec.agents] == [*STRATEGIES, *BASELINES]
    assert all(node.scripted for node in spec.chat_nodes)
    assert len(spec.processes()) == 4


def test_an_unknown_player_is_refused() -> None:
    """`arena demo --agents` names what can be chosen."""
    with pytest.raises(UsageError, match="'genius' is no strategy of the demo; choose from"):
        demo_toml(strategies=["genius"])
