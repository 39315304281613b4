"""Built-in rules play the baselines of an ARENA.toml, whatever chat node they name."""

from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.messages import AgentSpec
from arena.strategy_files import describe_in, describe_shipped
from operations.commands.messages_text import models_text
from operations.commands.up_conflicts import name_clashes
from operations.specs.arena_spec import ArenaSpec, load_spec, parse_spec
from operations.supervisor.plan import router_command
from tests.routers.builders import WALL

MODEL = '[[chat_nodes]]\nname = "gpt"\nmodel_id = "gpt-5-nano"\n'
RULES = '[[chat_nodes]]\nname = "rules"\nmodel_id = "scripted"\n'
CONTEST = '[market]\nsource = "replay"\n[competition]\nsnapshots = 3\n'
TOML_BASELINE = 'name = "metronome"\nprompt = "Tick."\nkind = "baseline"\n'
PY_STRATEGY = """\
from routers.strategy import Strategy

STRATEGY = Strategy(name="{name}", prompt="Trade.", kind="{kind}")
"""


def agent(strategy: str, node: str = "gpt", name: str = "one") -> str:
    """An [[agents]] table."""
    return f'[[agents]]\nname = "{name}"\nstrategy = "{strategy}"\nchat_node = "{node}"\n'


def spec_of(folder: Path, text: str) -> ArenaSpec:
    """The specification in a file of a folder."""
    path = folder / "ARENA.toml"
    path.write_text(text, encoding="utf-8")
    return load_spec(path)


@pytest.mark.parametrize("strategy", ["cash", "random", "buy_and_hold", "buy-and-hold"])
@pytest.mark.parametrize("before", ["", CONTEST])
def test_shipped_baseline_is_moved_off_a_model(strategy: str, before: str) -> None:
    """It moves to an added scripted node, and a line says so; other agents stay."""
    text = before + MODEL + agent(strategy) + agent("momentum", name="two")
    spec = parse_spec(text, path="x.toml")
    by_name = {one.name: one.chat_node for one in spec.agents}

    assert ("baselines", "gpt") == (by_name["one"], by_name["two"])
    assert ["scripted"] == [n.model_id for n in spec.chat_nodes if n.name == "baselines"]
    assert {"one": "gpt"} == spec.rerouted
    assert "whatever chat node their table names: one (not gpt)" in models_text(spec)


def test_baseline_on_a_scripted_node_stays() -> None:
    """Nothing is added or printed."""
    spec = parse_spec(RULES + agent("cash", "rules"), path="x.toml")

    assert [("one", "rules")] == [(a.name, a.chat_node) for a in spec.agents]
    assert ["rules"] == [n.name for n in spec.chat_nodes]
    assert "baseline" not in models_text(spec).lower()


def test_baseline_is_moved_off_the_rules_of_another_strategy() -> None:
    """A node that plays momentum for all agents does not play cash."""
    nodes = RULES.replace('"scripted"', '"scripted:momentum"')

    assert {"one": "rules"} == parse_spec(nodes + agent("cash", "rules"), path="x.toml").rerouted


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("own.toml", TOML_BASELINE),
        ("own.py", PY_STRATEGY.format(name="metronome", kind="baseline")),
    ],
)
def test_baseline_file_with_rules_is_moved(tmp_path: Path, file: str, content: str) -> None:
    """A file with kind = "baseline" is a baseline if its name has rules."""
    (tmp_path / file).write_text(content, encoding="utf-8")

    assert {"one": "gpt"} == spec_of(tmp_path, MODEL + agent(file)).rerouted


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("own.toml", TOML_BASELINE.replace("metronome", "mine")),
        ("own.py", PY_STRATEGY.format(name="mine", kind="baseline")),
    ],
)
def test_baseline_without_rules_is_refused(tmp_path: Path, file: str, content: str) -> None:
    """The error lists the existing rules."""
    (tmp_path / file).write_text(content, encoding="utf-8")

    with pytest.raises(UsageError, match=r"agent one: .*'mine' has none; there are rules for"):
        spec_of(tmp_path, MODEL + agent(file))


def test_strategy_listed_as_a_baseline_needs_rules(tmp_path: Path) -> None:
    """A strategy under `baselines` without rules is refused."""
    (tmp_path / "mine.toml").write_text('name = "mine"\nprompt = "Hm."\n', encoding="utf-8")

    with pytest.raises(UsageError, match="'mine' has none"):
        spec_of(tmp_path, CONTEST + 'baselines = ["mine.toml"]\n')


def test_router_knows_an_agent_listed_as_a_baseline() -> None:
    """It does not compete."""
    spec = parse_spec(CONTEST + 'baselines = ["momentum", "cash"]\n', path="x.toml")
    (agents,) = spec.processes().values()

    assert ["--kind", "baseline"] == router_command(agents, Path())[3:5]


def test_model_named_baselines_is_refused_if_rules_need_the_name() -> None:
    """The error names the node and its model."""
    nodes = MODEL + MODEL.replace('"gpt"', '"baselines"')

    with pytest.raises(UsageError, match="chat node 'baselines' serves gpt-5-nano"):
        parse_spec(nodes + agent("cash"), path="x.toml")


def test_reserved_agent_name_is_refused() -> None:
    """The operator has an account, all is the scope of a halt, and shadow agents have a prefix."""
    with pytest.raises(UsageError, match="shadow agents; choose another name"):
        parse_spec(MODEL + agent("momentum", name="shadow-x"), path="x.toml")
    with pytest.raises(UsageError, match="account of `arena tools call`"):
        parse_spec(MODEL + agent("momentum", name="operator"), path="x.toml")
    with pytest.raises(UsageError, match="'all' is the scope of a halt of all agents"):
        parse_spec(MODEL + agent("momentum", name="all"), path="x.toml")


def test_misspelt_chat_node_lists_the_closest() -> None:
    """The error lists the known names, the closest first."""
    with pytest.raises(UsageError, match="the name 'gtp'; there is gpt, a"):
        parse_spec(MODEL.replace('"gpt"', '"a"') + MODEL + agent("cash", "gtp"), path="x.toml")


@pytest.mark.parametrize(
    ("file", "content", "found"),
    [
        ("a.py", "STRATEGY = make()", None),
        ("a.py", "STRATEGY = Strategy(name=NAME, kind='baseline')", None),
        ("a.py", "def broken(", None),
        ("a.py", "STRATEGY: S = Strategy(name='x', prompt='p')", ("x", "agent")),
        ("a.toml", "name = ", None),
        ("a.toml", 'name = "x"\nkind = 3', None),
        ("a.toml", 'name = "x"', ("x", "agent")),
        ("missing.py", "", None),
    ],
)
def test_strategy_file_is_described_without_running_it(
    tmp_path: Path, file: str, content: str, found: tuple[str, str] | None
) -> None:
    """Plain text is read; only the router knows the rest."""
    (tmp_path / file.replace("missing", "other")).write_text(content, encoding="utf-8")

    assert found == describe_in(tmp_path)(file)


@pytest.mark.parametrize(
    ("strategy", "node", "count"),
    [("momentum", "gpt", 0), ("scalper", "gpt", 1), ("momentum", "other", 1)],
)
def test_name_with_another_strategy_or_chat_node_clashes(
    strategy: str, node: str, count: int
) -> None:
    """The roster's strategy and chat node must be the file's; an unknown name is free."""
    nodes = MODEL + MODEL.replace('"gpt"', '"other"')
    spec = parse_spec(nodes + agent("momentum") + agent("momentum", name="new"), path="x.toml")
    before = AgentSpec(agent="one", strategy=strategy, node=node, joined_at=WALL)
    found = name_clashes(spec, {"one": before}, describe_shipped)

    assert count == len(found)
    if found:
        assert [f"one was {strategy}@{node} and would be momentum@gpt"] == found
