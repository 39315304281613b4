"""ARENA.toml: what is accepted, and the errors of an invalid file."""

from decimal import Decimal
from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.specs.arena_spec import load_spec, parse_spec
from operations.supervisor.plan import LaunchContext, plan

SMALLEST = """\
[arena]
name = "first"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "momentum"
strategy = "momentum"
chat_node = "rules"

[[agents]]  # the second
name = "scalper"
strategy = "scalper"
chat_node = "rules"
"""


def test_smallest_file_gets_defaults() -> None:
    """Chat nodes and agents are enough; the rest has defaults."""
    spec = parse_spec(SMALLEST, path="ARENA.toml")

    assert spec.market.source == "exchange"
    assert spec.arena.interval_s == 60.0
    assert [a.name for a in spec.agents] == ["momentum", "scalper"]
    assert spec.chat_nodes[0].scripted


def test_money_is_exact() -> None:
    """A TOML float in the rules is a Decimal, digit by digit."""
    spec = parse_spec(f"[rules]\nslippage_bps = 2.1\n{SMALLEST}", path="ARENA.toml")

    assert spec.rules.slippage_bps == Decimal("2.1")


def test_topics_are_those_of_nodes_and_agents() -> None:
    """The topics that `arena topics create --spec` adds to the fixed ones."""
    spec = parse_spec(SMALLEST, path="ARENA.toml")

    names = [topic.name for topic in spec.topics()]
    assert names == ["ai_prompted.rules", "agent.inbox.momentum", "agent.inbox.scalper"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'strategy = "scalper"',
            'stratgy = "scalper"',
            "line 15: [[agents]] number 2, stratgy: unknown key; did you mean strategy?",
        ),
        ("[arena]", "[arna]", "line 1: [arna]: unknown key; did you mean arena?"),
        (
            'name = "scalper"',
            'name = "momentum"',
            "line 14: [[agents]] number 2, name: 'momentum' is already used; "
            "each of [[agents]] needs its own name",
        ),
        (
            'name = "scalper"',
            'name = "a b"',
            "line 14: [[agents]] number 2, name: 'a b': "
            "use 1-64 letters, digits, '-' or '_', starting with a letter or digit",
        ),
        (
            'strategy = "scalper"\nchat_node = "rules"',
            'strategy = "scalper"\nchat_node = "gpt"',
            "line 16: [[agents]] number 2, chat_node: "
            "no [[chat_nodes]] has the name 'gpt'; there is rules",
        ),
        (
            'strategy = "scalper"\n',
            "",
            "line 13: [[agents]] number 2, strategy: it is missing",
        ),
        (
            'name = "first"',
            "interval_s = 0",
            "line 2: [arena] interval_s: 0 is not valid: input should be greater than 0",
        ),
        (
            'name = "first"',
            '[market]\nsource = "coinbase"\nspeed = 60',
            'line 4: [market] speed: speed needs source = "exchange"; remove it',
        ),
        (
            'name = "first"',
            "[rules]\nslippage_bps = -2.5",
            "line 3: [rules] slippage_bps: -2.5 is not valid: "
            "input should be greater than or equal to 0",
        ),
        (
            '[[chat_nodes]]\nname = "rules"\nmodel_id = "scripted"\n',
            "",
            "[chat_nodes]: add a [[chat_nodes]] table",
        ),
    ],
)
def test_errors_name_line_value_and_remedy(old: str, new: str, message: str) -> None:
    """The first error is reported with its position and remedy."""
    with pytest.raises(UsageError) as caught:
        parse_spec(SMALLEST.replace(old, new), path="ARENA.toml")

    expected = f"ARENA.toml, {message}" if message.startswith("line") else f"ARENA.toml: {message}"
    assert str(caught.value) == expected


def test_broken_toml_names_its_line() -> None:
    """The error has the line of the TOML parser."""
    with pytest.raises(UsageError, match=r"ARENA.toml is not valid TOML: .*line 2"):
        parse_spec("[arena]\nname = first\n", path="ARENA.toml")


def test_missing_file_names_the_examples(tmp_path: Path) -> None:
    """The remedy names the folder of example arenas."""
    with pytest.raises(UsageError, match="examples/ has arenas to start from"):
        load_spec(tmp_path / "nothing.toml")


@pytest.mark.parametrize(("written", "share"), [('"20%"', "0.2"), ("0.2", "0.2"), ("1", "1")])
def test_share_of_profits_is_read_in_every_spelling(written: str, share: str) -> None:
    """The agent's process gets it as a flag, because it sets the share aside."""
    text = SMALLEST + f"scrape = {written}\n"
    spec = parse_spec(text, path="a.toml")
    context = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"))
    words = plan(spec, context)[-1].argv

    assert Decimal(share) == spec.agents[1].scrape
    assert share == words[words.index("--scrape") + 1]


@pytest.mark.parametrize("written", ["20", '"a fifth"', "-0.1", "1.5"])
def test_invalid_share_is_refused_with_its_line(written: str) -> None:
    """A missing percent sign does not set aside twenty times the profit."""
    with pytest.raises(UsageError, match=r"line \d+: .*scrape: "):
        parse_spec(SMALLEST + f"scrape = {written}\n", path="a.toml")


@pytest.mark.parametrize(("record", "kept"), [("true", True), ("false", False)])
def test_frames_are_kept_if_the_market_is_recorded(record: str, kept: bool) -> None:
    """The recording is in the run's directory."""
    spec = parse_spec(f"[market]\nrecord = {record}\n" + SMALLEST, path="a.toml")
    context = LaunchContext(
        launcher=("arena",),
        environ={},
        directory=Path("/spec"),
        recording_file=Path("/run/f.jsonl.zst"),
    )
    (connector,) = [p for p in plan(spec, context) if p.name == "connector"]

    assert kept == ("--record" in connector.argv)
    assert kept == ("/run/f.jsonl.zst" in connector.argv)


@pytest.mark.parametrize("file", [Path("/run/market.json"), None])
def test_simulated_market_keeps_its_venue_time(file: Path | None) -> None:
    """After a crash and restart it continues at the same time."""
    context = LaunchContext(
        launcher=("arena",), environ={}, directory=Path("/spec"), market_state_file=file
    )
    (argv,) = [
        p.argv for p in plan(parse_spec(SMALLEST, path="a.toml"), context) if p.name == "exchange"
    ]
    given = [argv[n + 1] for n, word in enumerate(argv) if word == "--state"]

    assert given == ([str(file)] if file else [])
