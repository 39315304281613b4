"""The `.env` of a folder, and the variables that the arena knows."""

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
"""Variables by which processes of the arena, or its tests, tell each other something."""
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


def test_the_example_has_every_variable() -> None:
    """Those of the settings, with their names as pydantic reads them, and it is as it is made."""
    found = set()
    for kind in (Settings, KafkaAccess):
        prefix = str(kind.model_config["env_prefix"])
        for name, field in kind.model_fields.items():
            found.add(str(field.validation_alias or f"{prefix}{name}".upper()))
    found.discard("ARENA_ACCESS")

    assert set() == found - all_variables()
    assert example_text() == (ROOT / ".env.example").read_text(encoding="utf-8")


def test_the_code_reads_no_variable_that_the_example_lacks() -> None:
    """Whatever looks like a variable of the arena in its code is explained there."""
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
    """Quotes, comments and `export`; nothing is put in place of `${...}`."""
    assert found == parse_env(text.removeprefix("\ufeff"), ".env")


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n\nsecret words", 3), ("A='secret", 1), ("A=1\nsecret", 2), ("A='\0'", 1)],
)
def test_a_line_that_cannot_be_read_is_named_by_its_number(text: str, line: int) -> None:
    """It may hold a secret, so it is not shown."""
    with pytest.raises(UsageError, match=rf"\.env, line {line}\b") as refused:
        parse_env(text, ".env")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "keys", "taken"),
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
def test_a_file_sets_what_the_arena_knows_and_no_code(
    tmp_path: Path, name: str, keys: bool, taken: bool
) -> None:
    """The file may have come with a stranger's specification, and so may the names in that."""
    named = {"MY_CREDENTIAL", "LD_PRELOAD", "PYTHONPATH", "ARENA_PLUGINS"}
    (tmp_path / ".env").write_text(f"{name}=x\n")
    found = read_env_file(tmp_path, {}, named, keys=keys)
    set_before = read_env_file(tmp_path, {name: ""}, named, keys=keys)

    assert found is not None
    assert set_before is not None
    assert (({name: "x"}, ()) if taken else ({}, (name,))) == (found.taken, found.left)
    assert {} == set_before.taken


def test_a_folder_of_that_name_is_not_the_file(tmp_path: Path) -> None:
    """People keep virtual environments in `.env`; a file that is not text is refused."""
    (tmp_path / ".env").mkdir()
    assert read_env_file(tmp_path, {}) is None
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".env").write_bytes(b"A=\xff")
    with pytest.raises(UsageError, match="is not UTF-8"):
        read_env_file(tmp_path / "a", {})


def test_the_file_beside_a_specification_is_read_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its names are said and no value; processes of a supervisor read none."""
    path = tmp_path / "x.toml"
    path.write_text(SPEC)
    (tmp_path / ".env").write_text("OTHER_KEY=sk-1234567\nA_HEADER=h-7654321\nUNUSED_KEY=u-111\n")
    os.environ[SUPERVISED_VARIABLE] = "1"
    env_setup.load_env_beside(path)
    assert "OTHER_KEY" not in os.environ
    del os.environ[SUPERVISED_VARIABLE]
    env_setup.load_env_beside(path)
    env_setup.load_env_beside(path)
    said = capsys.readouterr().err

    assert ("sk-1234567", "h-7654321") == (os.environ["OTHER_KEY"], os.environ["A_HEADER"])
    assert "UNUSED_KEY" not in os.environ
    assert 1 == said.count("2 variables: OTHER_KEY, A_HEADER")
    assert "left UNUSED_KEY" in said
    assert not re.search("1234567|7654321|u-111", said)


def test_what_is_no_arena_toml_is_not_read(tmp_path: Path) -> None:
    """A device does not fill the memory and a pipe is not waited for; the `.env` is read."""
    os.environ.pop(SUPERVISED_VARIABLE, None)
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-1234567\n")
    (tmp_path / "device.toml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "ARENA.toml")
    env_setup.load_env_beside(tmp_path / "ARENA.toml")
    env_setup.load_env_beside(tmp_path / "device.toml")

    assert "sk-1234567" == os.environ["OPENAI_API_KEY"]


def test_names_of_other_arenas_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """A key by another name, cash and tokens where the file says nothing, minutes of history."""
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
    env_setup.apply_aliases({"HISTORICAL_MINUTES": "600"})
    assert "299 minutes are loaded" in capsys.readouterr().err


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
    ],
)
def test_a_value_that_cannot_be_used_is_named(environ: dict[str, str]) -> None:
    """With the variable and what to set instead."""
    with pytest.raises(UsageError, match=next(iter(environ))):
        env_setup.apply_aliases(environ)
        with_environment_defaults(parse_spec(SPEC, path="x"), environ)


def test_a_specification_names_variables_in_two_ways() -> None:
    """Keys of chat nodes, and headers."""
    tables = {"chat_nodes": [{"api_key_env": "A_KEY", "extra_headers": {"X": "env:B"}}], "c": 1}

    assert {"A_KEY", "B"} == set(named_variables(tables))
    assert MODEL_KEYS <= KNOWN
