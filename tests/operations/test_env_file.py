"""The `.env` of a folder, and the variables of the arena."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.command_exit import SUPERVISED_VARIABLE
from arena.environment import GROUPS, KNOWN, MODEL_KEYS, example_text, named_variables
from arena.errors import UsageError
from arena.settings import KafkaAccess, Settings
from operations.commands import env_setup
from operations.env_file import parse_env, read_env_file
from operations.specs.arena_spec import parse_spec
from operations.specs.environment_defaults import environment_notes, with_environment_defaults
from tests.test_house import SHIPPED

ROOT = Path(__file__).resolve().parents[2]
INTERNAL = {
    "ARENA_SUPERVISED", "ARENA_ENV_READ", "ARENA_STEP", "ARENA_FAULT", "ARENA_FAULT_CLOCK",
    "ARENA_CHECK_PROMPT", "ARENA_BENCH_KEY",
}  # fmt: skip
"""Variables that processes of the arena, or its tests, set for each other."""
SPEC = """
[[chat_nodes]]
name = "m"
model_id = "gpt-x"
api_key_env = "OTHER_KEY"
max_completion_tokens = 300
extra_headers = { "X-A" = "env:A_HEADER" }
[[chat_nodes]]
name = "rules"
model_id = "scripted"
[[agents]]
name = "a"
strategy = "cash"
chat_node = "m"
"""


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(os.environ)
    for name in (*KNOWN, env_setup.READ_VARIABLE):
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


def all_variables() -> set[str]:
    """Every variable of `.env.example`."""
    return {one.name for group in GROUPS for one in group.variables}


def test_example_has_every_variable() -> None:
    """It has the settings under the names that pydantic reads, and is the generated text."""
    found = set()
    for kind in (Settings, KafkaAccess):
        prefix = str(kind.model_config["env_prefix"])
        for name, field in kind.model_fields.items():
            found.add(str(field.validation_alias or f"{prefix}{name}".upper()))
    found.discard("ARENA_ACCESS")

    assert set() == found - all_variables()
    assert example_text() == (ROOT / ".env.example").read_text(encoding="utf-8")


def test_code_reads_no_variable_that_the_example_lacks() -> None:
    """Every variable of the arena that the code reads is explained there."""
    pattern = re.compile(r'"((?:ARENA|KAFKA)_[A-Z][A-Z_]*)"|envvar="([A-Z_]+)"')
    written = {
        name
        for path in SHIPPED
        if "localbroker" not in path.parts and "operations" not in path.parts
        for pair in pattern.findall(path.read_text(encoding="utf-8"))
        for name in pair
        if name
    }

    assert set() == written - all_variables() - INTERNAL


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nexport B=2\n", {"A": "1", "B": "2"}),
        ("\ufeff", {}),
        ("A='x # y' # note\r\nB=\"a b\"\r\n", {"A": "x # y", "B": "a b"}),
        ("A=x # note\n#B=2\n\nC=", {"A": "x", "C": ""}),
        ("A=$HOME/${B}", {"A": "$HOME/${B}"}),
    ],
)
def test_lines_are_read_by_the_usual_rules(text: str, found: dict[str, str]) -> None:
    """Quotes, comments and `export` are read; `${...}` is not replaced."""
    assert found == parse_env(text.removeprefix("\ufeff"), ".env")


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n\nsecret words", 3), ("A='secret", 1), ("A=1\nsecret", 2), ("A='\0'", 1)],
)
def test_line_that_cannot_be_read_is_named_by_its_number(text: str, line: int) -> None:
    """The line may hold a secret, so its text is not shown."""
    with pytest.raises(UsageError, match=rf"\.env, line {line}\b") as refused:
        parse_env(text, ".env")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "keys", "is_set"),
    [
        ("ARENA_HOME", False, True),
        ("INITIAL_CASH", False, True),
        ("OPENAI_API_KEY", False, False),
        ("OPENAI_API_KEY", True, True),
        ("DEEPSEEK_API_KEY", True, True),
        ("DEEPSEEK_API_KEY", False, False),
        ("MY_CREDENTIAL", False, True),
        ("LD_PRELOAD", True, False),
        ("PYTHONPATH", True, False),
        ("ARENA_PLUGINS", True, False),
        ("ARENA_CACHE", True, False),
        ("JAVA_HOME", True, False),
        ("HTTPS_PROXY", True, False),
        ("ARENA_HOMES", True, False),
    ],
)
def test_file_sets_only_variables_of_the_arena(
    tmp_path: Path, name: str, keys: bool, is_set: bool
) -> None:
    """Variables that load code are ignored: the file may come with a stranger's specification."""
    named = {"MY_CREDENTIAL", "LD_PRELOAD", "PYTHONPATH", "ARENA_PLUGINS"}
    (tmp_path / ".env").write_text(f"{name}=x\n")
    found = read_env_file(tmp_path, {}, named, keys=keys)
    set_before = read_env_file(tmp_path, {name: ""}, named, keys=keys)

    assert found is not None
    assert set_before is not None
    assert (({name: "x"}, ()) if is_set else ({}, (name,))) == (found.new, found.ignored)
    assert {} == set_before.new


def test_folder_named_env_is_ignored(tmp_path: Path) -> None:
    """People keep virtual environments in `.env`; a file that is not text is refused."""
    (tmp_path / ".env").mkdir()
    assert read_env_file(tmp_path, {}) is None
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".env").write_bytes(b"A=\xff")
    with pytest.raises(UsageError, match="is not UTF-8"):
        read_env_file(tmp_path / "a", {})


def test_file_beside_a_specification_is_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names are printed without values; supervised processes do not read the file."""
    path = tmp_path / "x.toml"
    path.write_text(SPEC)
    (tmp_path / ".env").write_text("OTHER_KEY=sk-1234567\nA_HEADER=h-7654321\nUNUSED_KEY=u-111\n")
    os.environ[SUPERVISED_VARIABLE] = "1"
    env_setup.load_env_beside(path)
    assert "OTHER_KEY" not in os.environ
    del os.environ[SUPERVISED_VARIABLE]
    env_setup.load_env_beside(path)
    env_setup.load_env_beside(path)
    notes = capsys.readouterr().err

    assert ("sk-1234567", "h-7654321") == (os.environ["OTHER_KEY"], os.environ["A_HEADER"])
    assert "UNUSED_KEY" not in os.environ
    assert 1 == notes.count("2 variables: OTHER_KEY, A_HEADER")
    assert "UNUSED_KEY not read" in notes
    assert not re.search("1234567|7654321|u-111", notes)


def test_specification_that_is_not_a_regular_file_is_not_read(tmp_path: Path) -> None:
    """A device does not fill the memory and a pipe does not block; the `.env` is read."""
    os.environ.pop(SUPERVISED_VARIABLE, None)
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-1234567\n")
    (tmp_path / "device.toml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "ARENA.toml")
    env_setup.load_env_beside(tmp_path / "ARENA.toml")
    env_setup.load_env_beside(tmp_path / "device.toml")

    assert "sk-1234567" == os.environ["OPENAI_API_KEY"]


@pytest.mark.parametrize("command", ["alerts", "dashboard", "chat-node"])
def test_addresses_of_receivers_are_read_by_alerts_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """They are secrets: no other command gets them from a `.env`."""
    os.environ.pop(SUPERVISED_VARIABLE, None)
    (tmp_path / ".env").write_text("ARENA_ALERTS='json://host/secret slack://a/b/c'\n")
    monkeypatch.chdir(tmp_path)
    env_setup.load_env_here(command)

    wanted = "json://host/secret slack://a/b/c" if command == "alerts" else None
    assert wanted == os.environ.get("ARENA_ALERTS")


def test_addresses_of_receivers_are_read_beside_a_specification(tmp_path: Path) -> None:
    """`arena up` reads them, and the variables that the file names, for its process of alerts."""
    os.environ.pop(SUPERVISED_VARIABLE, None)
    (tmp_path / ".env").write_text("ARENA_ALERTS=json://a\nMY_HOOK=json://b\nOTHER=json://c\n")
    (tmp_path / "ARENA.toml").write_text(SPEC + '[alerts]\nto = ["env:MY_HOOK"]\n')
    env_setup.load_env_beside(tmp_path / "ARENA.toml")

    assert ("json://a", "json://b") == (os.environ["ARENA_ALERTS"], os.environ["MY_HOOK"])
    assert "OTHER" not in os.environ


def test_other_names_of_variables_are_applied() -> None:
    """The key's other name; cash and tokens that the file does not set."""
    environ = {"LLM_API_KEY": "k", "INITIAL_CASH": "2500.50", "DAILY_TOKEN_BUDGET": "1000"}
    env_setup.apply_aliases(environ)
    spec = parse_spec(SPEC, path="x")
    found = with_environment_defaults(spec, environ)
    own = with_environment_defaults(
        parse_spec(SPEC + "[rules]\nstarting_cash = 7\n", path="x"), environ
    )

    assert "k" == environ["OPENAI_API_KEY"]
    assert ("2500.50", "7") == (str(found.rules.starting_cash), str(own.rules.starting_cash))
    budgets = {node.name: node.daily_token_budget for node in found.chat_nodes}
    assert {"m": 1000, "rules": None, "baselines": None} == budgets
    assert 2 == len(environment_notes(spec, environ))


def test_minutes_of_history_are_those_of_the_file_or_the_variable() -> None:
    """The variable counts if the file has no number of its own."""
    environ = {"HISTORICAL_MINUTES": "600"}
    env_setup.apply_aliases(environ)
    spec = parse_spec(SPEC, path="x")
    own = parse_spec(SPEC + "[features]\nhistory_minutes = 90\n", path="x")

    assert 600 == with_environment_defaults(spec, environ).features.history_minutes
    assert 90 == with_environment_defaults(own, environ).features.history_minutes
    assert ["HISTORICAL_MINUTES: 600 minutes of candles, or more if indicators need them"] == (
        environment_notes(spec, environ)
    )
    assert [] == environment_notes(own, environ)


@pytest.mark.parametrize(
    "environ",
    [
        {"INITIAL_CASH": "lots"},
        {"INITIAL_CASH": "-1"},
        {"INITIAL_CASH": "nan"},
        {"DAILY_TOKEN_BUDGET": "1e6"},
        {"DAILY_TOKEN_BUDGET": "9" * 5_000},
        {"DAILY_TOKEN_BUDGET": "100"},
        {"HISTORICAL_MINUTES": "0"},
        {"HISTORICAL_MINUTES": "an hour"},
        {"HISTORICAL_MINUTES": "4321"},
    ],
)
def test_invalid_value_is_refused(environ: dict[str, str]) -> None:
    """The error names the variable."""
    with pytest.raises(UsageError, match=next(iter(environ))):
        env_setup.apply_aliases(environ)
        with_environment_defaults(parse_spec(SPEC, path="x"), environ)


def test_specification_names_variables_in_keys_and_headers() -> None:
    """Both are found in the text."""
    tables = {"chat_nodes": [{"api_key_env": "A_KEY", "extra_headers": {"X": "env:B"}}], "c": 1}

    assert {"A_KEY", "B"} == set(named_variables(tables))
    assert MODEL_KEYS <= KNOWN
