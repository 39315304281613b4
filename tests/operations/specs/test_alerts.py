"""The table [alerts] of an ARENA.toml: its command, its secrets, and what is refused."""

from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.supervisor.plan import LaunchContext, plan, require_keys

REST = """
[arena]
name = "mine"
products = ["BTC-USD"]
[[chat_nodes]]
name = "m"
model_id = "gpt-x"
base_url = "http://127.0.0.1:9/v1"
api_key_env = "TOY_KEY"
[[agents]]
name = "mo"
strategy = "momentum"
chat_node = "m"
"""
FULL = """
[alerts]
to = ["env:MY_HOOK", "file:secret/receivers"]
drawdown = "12.5%"
feed_silent_s = 45
per_minute = 3
without = ["drift", "budget"]
"""
CONTEST = """
[competition]
pacing = "real-time"
snapshots = 5
llm_budget_usd = 1.50
"""
CONTEXT = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"))
SECRET = "topsecret4711"


def spec_of(text: str) -> ArenaSpec:
    """Parse an arena with one agent."""
    return parse_spec(text + REST, path="a.toml")


def test_table_starts_a_process_with_its_flags() -> None:
    """Paths are relative to the file; without the table there is no process."""
    processes = {one.name: one for one in plan(spec_of(FULL), CONTEXT)}

    assert (
        "arena alerts --to env:MY_HOOK --to file:/spec/secret/receivers --title mine"
        " --drawdown 0.125 --feed-silent 45 --per-minute 3 --without drift --without budget"
    ) == " ".join(processes["alerts"].argv)
    assert processes["alerts"].stops_last
    assert "alerts" not in {one.name for one in plan(spec_of(""), CONTEXT)}


def test_budget_of_a_contest_is_a_limit() -> None:
    """What the models of a contest may cost is an alert when it is spent."""
    processes = {one.name: one for one in plan(spec_of("[alerts]\n" + CONTEST), CONTEXT)}

    assert ("--llm-budget-usd", "1.50") == processes["alerts"].argv[-2:]


def test_addresses_are_hidden_from_every_other_process() -> None:
    """And keys of models from alerts."""
    processes = {one.name: one for one in plan(spec_of(FULL), CONTEXT)}

    hidden = {name for name, one in processes.items() if "MY_HOOK" in one.without}
    assert processes.keys() - {"alerts"} == hidden
    assert {"TOY_KEY", "ARENA_ALERTS"} <= processes["alerts"].without
    assert "TOY_KEY" not in processes["chat-node-m"].without


def test_variable_without_a_name_in_the_table_is_that_of_alerts() -> None:
    """`[alerts]` alone takes `ARENA_ALERTS`, which no other process gets."""
    processes = {one.name: one for one in plan(spec_of("[alerts]\n"), CONTEXT)}

    assert "ARENA_ALERTS" not in processes["alerts"].without
    assert "ARENA_ALERTS" in processes["router-mo"].without
    assert "--to" not in processes["alerts"].argv


def test_variable_that_is_not_set_is_refused_before_the_start() -> None:
    """A named variable must be set; `ARENA_ALERTS` need not be, if the table names nothing."""
    with pytest.raises(UsageError, match="names MY_HOOK"):
        require_keys(spec_of(FULL), {})
    require_keys(spec_of(FULL), {"MY_HOOK": "json://x"})
    require_keys(spec_of("[alerts]\n"), {})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            f'to = ["json://{SECRET}"]',
            "line 3: [alerts] to: entry 1: this is the address of a json",
        ),
        (f'to = ["env:A", "{SECRET}"]', "[alerts] to: entry 2: this is neither"),
        (f'to = "json://{SECRET}"', "[alerts] to: write a list of places"),
        (f'to = [["{SECRET}"]]', "[alerts] to: write a list of places"),
        (f'to = {{ a = "{SECRET}" }}', "[alerts] to: write a list of places"),
        ("drawdown = 0", "[alerts] drawdown: a limit is more than 0"),
        ('drawdown = "120%"', "[alerts] drawdown"),
        ("feed_silent_s = 0", "[alerts] feed_silent_s"),
        ("per_minute = 0", "[alerts] per_minute"),
        ('only = ["halts"]', "[alerts] only: 'halts' is not a kind; there are halt, dead"),
        ('only = ["halt"]\nwithout = ["halt"]', "[alerts] without: no kind of alert is left"),
        ("enabled = true", "unknown key"),
    ],
)
def test_mistake_is_named_without_secrets(table: str, words: str) -> None:
    """The error has the key and the remedy, and never repeats an address."""
    with pytest.raises(UsageError) as caught:
        spec_of(f"\n[alerts]\n{table}\n")

    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
