"""Plugin folders: what is found in them without running any of it, and what a run may load."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.findings import FindingState
from arena.plugin_options import PluginChoice
from arena.plugins import NO_PLUGINS, Plugins, find_plugins, split_folders
from arena.strategy_files import describe_in, shipped_strategies
from operations.commands.doctor_machine import spec_findings
from operations.commands.plugins import load_spec_for_run
from operations.specs.arena_spec import parse_spec
from operations.supervisor.plan import LaunchContext, plan
from routers.strategy import shipped_names

EVIL = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
TOOL = f'{EVIL}from trading_tools import tool\n\n@tool\ndef mine() -> str:\n    """Say."""\n'
STRATEGY = f"{EVIL}STRATEGY = Strategy(name='own-py', prompt='p')\n"
SPEC = """
[[chat_nodes]]
name = "rules"
model_id = "scripted"
[[agents]]
name = "a"
strategy = "{strategy}"
chat_node = "rules"
"""


def folder_of(path: Path, **files: str) -> Path:
    """A folder with files; the last "_" of a name stands for the dot."""
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (path / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARENA_PLUGINS", "OPENAI_API_KEY", "INITIAL_CASH", "DAILY_TOKEN_BUDGET"):
        monkeypatch.delenv(name, raising=False)


def test_files_are_found_and_hashed_and_not_run(tmp_path: Path) -> None:
    """Tools, strategies and their names; papers and hidden files are neither."""
    folder = folder_of(
        tmp_path / "own",
        tool_py=TOOL,
        player_py=STRATEGY,
        broken_py="def (",
        patient_md="Wait.",
        fast_toml='name = "fast-one"\nprompt = "Go."',
        README_md="Read me.",
        requirements_txt="numpy",
        _helper_py=EVIL,
    )
    found = find_plugins([folder, folder])

    assert ["broken.py", "tool.py"] == [Path(one.path).name for one in found.tools]
    assert ("fast-one", "own-py", "patient") == found.names
    assert folder / "patient.md" == found.strategy("patient")
    assert folder / "fast.toml" == found.strategy("fast_one")
    assert sha256(TOOL.encode()).hexdigest() == found.tools[1].sha256
    assert "own/tool.py" == found.tools[1].label
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"momentum_md": "p"}, "strategy 'momentum' has the name of a built-in strategy"),
        ({"a_toml": 'name = "buy-and-hold"'}, "has the name of a built-in strategy"),
        ({"a_md": "p", "b_toml": 'name = "a"'}, "both have a strategy named 'a'"),
    ],
)
def test_strategy_that_takes_a_name_is_refused(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    """Two strategies cannot have one name."""
    with pytest.raises(UsageError, match=message):
        find_plugins([folder_of(tmp_path / "own", **files)])


def test_missing_plugin_folder_is_named(tmp_path: Path) -> None:
    """The error has the variable or flag that named the folder."""
    (tmp_path / "file.py").touch()
    with pytest.raises(UsageError, match=r"nope \(ARENA_PLUGINS\) does not exist"):
        find_plugins(split_folders("nope"))
    with pytest.raises(UsageError, match=r"--plugins\) is a file, not a folder"):
        find_plugins([tmp_path / "file.py"], named_by="--plugins")
    assert () == split_folders("") == find_plugins(split_folders(" ")).folders


def test_shipped_strategies_are_known_without_loading_them() -> None:
    """A plugin cannot take the name of any of them."""
    assert set(shipped_names()) == shipped_strategies()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SPEC.format(strategy="momentum") + '[plugins]\nfolders = ["own"]\n',
            r"line 10: \[plugins\] names own, and its code would run.*add --allow-plugins",
        ),
        (
            SPEC.format(strategy="own/player.py"),
            r"agent a plays own/player\.py, and its code would run.*add --allow-plugins",
        ),
    ],
)
def test_file_runs_no_code_unless_it_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    """A specification may be a stranger's."""
    folder = folder_of(tmp_path / "own", player_py=STRATEGY, tool_py=TOOL)
    path = tmp_path / "x.toml"
    with pytest.raises(UsageError, match=message):
        load_spec_for_run(text, path, tmp_path, PluginChoice())
    loaded = load_spec_for_run(text, path, tmp_path, PluginChoice(allow=True))

    assert loaded.files
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("hodl", r"agent a: strategy 'hodl' is not known; choose from brainrot.*patient, or give"),
        ("nope.md", r"agent a: the strategy file nope\.md does not exist; paths are relative to"),
    ],
)
def test_missing_strategy_is_reported_before_start(
    tmp_path: Path, strategy: str, message: str
) -> None:
    """The names that there are, those of plugins with them."""
    folder = folder_of(tmp_path / "own", patient_md="Wait.")
    with pytest.raises(UsageError, match=message):
        load_spec_for_run(
            SPEC.format(strategy=strategy), tmp_path / "x", tmp_path, PluginChoice((folder,))
        )


@pytest.mark.parametrize(
    ("files", "own", "message"),
    [
        (
            {"slow_toml": 'name = "slow"\nprompt = "p"\nevery = "10m"\non_move_pct = 0.2'},
            'quiet_max = "2m"',
            r"with the gates in slow\.toml: quiet_max is '2m', shorter than every = '10m'",
        ),
        ({"slow_toml": 'name = "slow"\nprompt = "p"'}, 'quiet_max = "2m"', "add it"),
        ({"slow_md": '+++\nevery = "soon"\n+++\nWait.'}, "", r"slow\.md: every is 'soon'; write"),
        ({}, 'quiet_max = "2m"', "agent a: quiet_max is '2m' without on_move_pct; add it"),
    ],
)
def test_gates_that_do_not_fit_the_strategy_are_reported_before_start(
    tmp_path: Path, files: dict[str, str], own: str, message: str
) -> None:
    """By the start and by the doctor; the router was the first to say it."""
    folder_of(tmp_path, **files)
    strategy = next((name.replace("_", ".") for name in files), "momentum")
    text = f"{SPEC.format(strategy=strategy)}{own}\n"
    with pytest.raises(UsageError, match=message):
        load_spec_for_run(text, tmp_path / "x", tmp_path, PluginChoice())
    spec = parse_spec(text, path="x", describe=describe_in(tmp_path))
    (found,) = [one for one in spec_findings(spec, tmp_path, {}) if one.check == "gates"]

    assert found.state is FindingState.BROKEN
    assert re.search(message, found.detail)


def test_move_in_code_need_not_be_a_literal(tmp_path: Path) -> None:
    """Only the router knows it, because the file does not run before."""
    code = "STRATEGY = Strategy(name='own', prompt='p', on_move_pct=MOVE)\n"
    folder_of(tmp_path, own_py=f"from routers.strategy import Strategy\nMOVE = 0.5\n{code}")
    text = f"{SPEC.format(strategy='own.py')}quiet_max = '45m'\n"

    assert load_spec_for_run(text, tmp_path / "x", tmp_path, PluginChoice(allow=True)).files


def planned(tmp_path: Path, plugins: Plugins, strategy: str = "momentum") -> dict[str, str]:
    """The commands of an arena by the names of its processes."""
    text = SPEC.format(strategy=strategy)
    loaded = load_spec_for_run(text, tmp_path / "x", tmp_path, PluginChoice(plugins.folders))
    context = LaunchContext(
        launcher=("arena",), environ={}, directory=tmp_path, plugins=loaded.plugins
    )
    return {process.name: " ".join(process.argv) for process in plan(loaded.spec, context)}


def test_tools_of_plugins_run_beside_the_executor(tmp_path: Path) -> None:
    """Only their own process gets the folder; routers get one strategy."""
    folder = folder_of(tmp_path / "own", tool_py=TOOL, patient_md="Wait.")
    plain = planned(tmp_path, NO_PLUGINS)
    found = planned(tmp_path, find_plugins([folder]), "patient")
    with_plugins = [name for name, words in found.items() if "--plugins" in words]

    assert "tool-server" not in plain
    assert "--only" not in plain["tools"]
    assert ["tool-server"] == with_plugins
    assert found["tools"].endswith("--only executor")
    assert f"--only stateless --name tool-server --plugins {folder}" in found["tool-server"]
    assert f"--strategy {folder / 'patient.md'}" in found["router-a"]


def test_only_chat_nodes_see_unnamed_keys(tmp_path: Path) -> None:
    """Even if every model is scripted: the tool server runs external code."""
    loaded = load_spec_for_run(
        SPEC.format(strategy="cash"), tmp_path / "x", tmp_path, PluginChoice()
    )
    context = LaunchContext(launcher=("arena",), environ={}, directory=tmp_path)

    for process in plan(loaded.spec, context):
        assert {"OPENAI_API_KEY", "LLM_API_KEY"} <= process.without
