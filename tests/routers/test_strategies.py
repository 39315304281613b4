"""The contract of all shipped strategies, and strategies from users' files."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.errors import UsageError
from arena.ids import NAME_PATTERN
from arena.messages import Sampling
from arena.plugins import find_plugins
from arena.strategy_files import PROMPT_TOOLS
from routers.agent_config import AgentConfig, spec_of
from routers.cli_strategies import app
from routers.prompt import HOUSE_RULES
from routers.strategy import PROMPT_BYTES_MAX, load_shipped, load_strategy, shipped_names
from routers.turn_types import Limits

TOML = """
name = "mine"
prompt = "Buy on Mondays."
tools = ["execute_trade"]
cadence = 3
[sampling]
temperature = 0.5
"""


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_strategy_is_valid(name: str) -> None:
    """Each has its file's name, a real prompt, distinct tools and a cadence."""
    strategy = load_strategy(name)

    assert name == strategy.name
    assert NAME_PATTERN.fullmatch(strategy.name)
    assert 100 < len(strategy.prompt.encode()) < PROMPT_BYTES_MAX
    assert len(set(strategy.tools)) == len(strategy.tools)
    assert strategy.cadence >= 1
    assert strategy.kind in ("agent", "baseline")


@pytest.mark.parametrize("name", shipped_names())
def test_trading_agent_can_read_its_portfolio(name: str) -> None:
    """A strategy with the trading tool also has the portfolio tool."""
    tools = load_strategy(name).tools

    assert "execute_trade" not in tools or "get_portfolio" in tools


def test_shipped_agents_and_baselines() -> None:
    """Three strategies compete, three baselines are for comparison."""
    kinds = {name: load_strategy(name).kind for name in shipped_names()}

    assert {
        "momentum": "agent",
        "brainrot": "agent",
        "scalper": "agent",
        "buy_and_hold": "baseline",
        "random": "baseline",
        "cash": "baseline",
    } == kinds


def test_shared_rules_name_costs_quantities_and_the_closing_line() -> None:
    """Every strategy's prompt explains fees, stale prices, base units and the closing line."""
    for word in ("{costs}", "stale=yes", "base units", "Reasoning:", "best_ask", "gap"):
        assert word in HOUSE_RULES


def test_name_may_have_dashes() -> None:
    """The spelling with dashes finds the module."""
    assert "buy_and_hold" == load_strategy("buy-and-hold").name


def test_unknown_name_lists_the_strategies() -> None:
    """The error lists every shipped strategy."""
    with pytest.raises(UsageError, match=r"no strategy 'hodl'.*momentum.*scalper"):
        load_strategy("hodl")


def test_toml_file_is_a_strategy(tmp_path: Path) -> None:
    """Name, prompt, tools, cadence and sampling come from the file."""
    path = tmp_path / "mine.toml"
    path.write_text(TOML)
    strategy = load_strategy(str(path))

    assert ("mine", "Buy on Mondays.", ("execute_trade",), 3) == (
        strategy.name,
        strategy.prompt,
        strategy.tools,
        strategy.cadence,
    )
    assert Sampling(temperature=0.5) == strategy.sampling


def test_python_file_is_a_strategy(tmp_path: Path) -> None:
    """A module with a STRATEGY may be anywhere."""
    path = tmp_path / "own.py"
    path.write_text(
        "from routers.strategy import Strategy\n"
        'STRATEGY = Strategy(name="own", prompt="Hold.", tools=())\n'
    )

    assert "own" == load_strategy(str(path)).name


@pytest.mark.parametrize(
    ("text", "expected_text"),
    [
        ("name = 'x'", "lacks prompt"),
        ("prompt = 'x'", "lacks name"),
        ("name = 'x'\nprompt = ' '", "prompt is empty"),
        ("name = 'x'\nprompt = 'p'\ncolour = 1", "unknown key colour"),
        ("name = 'x'\nprompt = 'p'\ntools = 'execute_trade'", "write a list"),
        ("name = 'x'\nprompt = 'p'\ntools = [1]", "names"),
        ("name = 'x'\nprompt = 'p'\ncadence = 0", "cadence is 0"),
        ("name = 'x'\nprompt = 'p'\ncadence = true", "cadence is True"),
        ("name = 'x'\nprompt = 'p'\nkind = 'bot'", "kind is 'bot'"),
        ("name = 'a b'\nprompt = 'p'", "strategy name 'a b'"),
        ("name = 7\nprompt = 'p'", "name is 7"),
        ("name = 'x'\nprompt = 'p'\n[sampling]\ntemperature = 'hot'", "sampling.temperature"),
        ("name = ", "is not valid TOML"),
    ],
)
def test_bad_toml_file_says_what_to_change(tmp_path: Path, text: str, expected_text: str) -> None:
    """Every mistake is a usage error that names the field."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=expected_text):
        load_strategy(str(path))


@pytest.mark.parametrize("text", ["STRATEGY = 3", "import no_such_module_here", "def"])
def test_bad_python_file_is_a_usage_error(tmp_path: Path, text: str) -> None:
    """A file without a strategy, or one that cannot be loaded, is a usage error."""
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"bad\.py"):
        load_strategy(str(path))


def test_missing_file_is_named() -> None:
    """The error has the path."""
    with pytest.raises(UsageError, match=r"cannot read nowhere\.toml"):
        load_strategy("nowhere.toml")


def test_too_long_prompt_is_refused(tmp_path: Path) -> None:
    """The error has the bound."""
    path = tmp_path / "long.toml"
    path.write_text(f"name = 'x'\nprompt = '{'p' * (PROMPT_BYTES_MAX + 1)}'")
    with pytest.raises(UsageError, match="at most 20,000"):
        load_strategy(str(path))


@pytest.mark.parametrize("suffix", [".md", ".txt"])
def test_prompt_file_is_a_strategy(tmp_path: Path, suffix: str) -> None:
    """Its file's name is its name; fields may come before it, and its hash is on the roster."""
    path = tmp_path / f"wait{suffix}"
    text = '\ufeff+++\r\ntools = ["get_portfolio"]\r\ncadence = 3\r\n+++\r\n\r\nWait.\r\n'
    path.write_bytes(text.encode())
    found = load_strategy(str(path))
    agent_config = AgentConfig("a", "n", found, Limits(), 3)
    listed = spec_of(agent_config, datetime(2026, 1, 1, tzinfo=UTC))

    assert ("wait", ("get_portfolio",), 3) == (found.name, found.tools, found.cadence)
    assert "Wait." == found.prompt.strip()
    assert f"{tmp_path.name}/wait{suffix}" == listed.source
    assert sha256(path.read_bytes()).hexdigest() == listed.source_sha256
    path.write_text("Only words.\n")
    assert (PROMPT_TOOLS, 1) == (load_strategy(str(path)).tools, load_strategy(str(path)).cadence)


@pytest.mark.parametrize(
    ("text", "expected_text"),
    [
        ("", "prompt is empty"),
        ("---\ncadence: 2\n---\nBuy.", r"starts with ---; write its fields as TOML between"),
        ("+++\ncadence = 2\nBuy.", r"have no end; add \+\+\+"),
        ("+++\ncadence = \n+++\nBuy.", r"is not valid TOML.*line 2"),
        ("+++\nprompt = 'x'\n+++\nBuy.", r"write the prompt after the second \+\+\+"),
        ("+++\ncolour = 1\n+++\nBuy.", "unknown key colour"),
        ("+++\nsource = 'x'\n+++\nBuy.", "unknown key source"),
    ],
)
def test_bad_prompt_file_says_what_to_change(tmp_path: Path, text: str, expected_text: str) -> None:
    """Every mistake is a usage error that names the file."""
    path = tmp_path / "bad.md"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"bad\.md.*{expected_text}"):
        load_strategy(str(path))


def test_recorded_name_never_loads_a_file(tmp_path: Path) -> None:
    """Records may come from strangers: a replay loads only shipped strategies."""
    path = tmp_path / "evil.py"
    path.write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    for name in (str(path), str(path.with_suffix("")), "evil"):
        with pytest.raises(UsageError, match="no shipped strategy"):
            load_shipped(name)
    assert not (tmp_path / "ran").exists()


def test_strategies_are_written_checked_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`new` writes a file that `check`, `list` and a router accept, and overwrites nothing."""
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    written = run(app, ["new", "patient"])
    again = [run(app, ["new", name]).exception for name in ("patient", "buy-and-hold", "a b")]
    (tmp_path / "plugins" / "bad.toml").write_text("name = 'bad'")
    checked = run(app, ["check", "plugins", "--json"])
    fine = run(app, ["check", "plugins/patient.md"])
    listed = json.loads(run(app, ["list", "--plugins", "plugins", "--json"]).stdout)
    found = load_strategy("patient", find_plugins([Path("plugins")]))

    assert (0, 1, 0) == (written.exit_code, checked.exit_code, fine.exit_code)
    assert ["UsageError"] * 3 == [type(error).__name__ for error in again]
    assert [True, False] == ["error" in one for one in json.loads(checked.stdout)]
    assert [*shipped_names(), "patient"] == [one["name"] for one in listed]
    assert ("patient", "plugins/patient.md") == (found.name, found.source)
