"""The specification of a trial."""

from decimal import Decimal
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.toml_files import parse_toml
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.specs.toml_text import to_toml
from operations.specs.trial import Tables, TrialPlan, arms_of, strategy_fields, trial_tables

FILE = """\
[arena]
name = "mine"
products = ["BTC-USD"]

[market]
source = "{source}"
{seed}

[rules]
slippage_bps = 5

[risk]
preset = "standard"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[chat_nodes]]
name = "other"
model_id = "scripted"

[[agents]]
name = "mo"
strategy = "momentum"
chat_node = "rules"
every = "2m"
risk = "cautious"

[[agents]]
name = "sc"
strategy = "scalper"
chat_node = "other"

[ledger]
enabled = true
"""


def of(source: str = "exchange", seed: str = "seed = 12", prices: tuple[Path, ...] = ()) -> Tables:
    """The tables of a trial of the first agent."""
    text = FILE.format(source=source, seed=seed)
    spec = parse_spec(text, path="x")
    plan = TrialPlan(spec.agents[0], spec.chat_nodes[0], 90, 2, prices)
    return trial_tables(parse_toml(text, "x", parse_float=Decimal), plan, spec.market)


def spec_of(tables: Tables) -> ArenaSpec:
    """The specification, as `arena compete run` reads it."""
    return parse_spec(to_toml(tables).replace("champion.toml", "momentum"), path="trial")


def test_three_arms_have_the_agents_settings() -> None:
    """Only text and seed differ, and the challenger has the champion's seeds."""
    tables = of()
    agents = tables["agents"]

    assert [name for names in arms_of(2).values() for name in names] == [a["name"] for a in agents]
    assert [1, 2, 1, 2, 1001, 1002] == [agent["seed"] for agent in agents]
    assert ["champion", "challenger", "champion"] == [
        agent["strategy"].partition(".")[0] for agent in agents[::2]
    ]
    assert {("2m", "cautious", "rules")} == {
        (
            agent["every"],
            agent["risk"]["preset"] if isinstance(agent["risk"], dict) else agent["risk"],
            agent["chat_node"],
        )
        for agent in agents
    }


def test_market_is_replayed_and_the_rest_is_the_arenas() -> None:
    """With the same seed; nothing is alerted, booked or shown."""
    tables = of()
    assert {"source": "replay", "seed": 12} == tables["market"]
    assert ["rules"] == [node["name"] for node in tables["chat_nodes"]]
    assert {"arena", "rules", "risk"} <= set(tables)
    assert not {"dashboard", "coach"} & set(tables)


def test_trial_is_a_valid_contest() -> None:
    """In lock-step, without baselines."""
    tables = of()
    for agent in tables["agents"]:
        agent["strategy"] = "momentum"
    spec = spec_of(tables)
    assert spec.competition is not None
    assert (90, True, "frozen", ()) == (
        spec.competition.snapshots,
        spec.competition.lock_step,
        spec.competition.prompts,
        spec.competition.baselines,
    )
    assert 6 == len(spec.agents)


def test_live_market_needs_prices() -> None:
    """It cannot be replayed; candle files can."""
    with pytest.raises(UsageError, match="live") as found:
        of("live", "")
    assert "--prices" in found.value.remedy
    files = (Path("/data/BTC-USD.csv"),)
    assert ["/data/BTC-USD.csv"] == of("live", "", files)["market"]["prices"]


def test_strategy_file_has_the_other_text() -> None:
    """And what else the strategy states; what depends on its file is left out."""
    fields = {
        "name": "momentum",
        "prompt": "old",
        "tools": ("execute_trade",),
        "shows": (),
        "source": "x",
        "source_sha256": "y",
        "cadence": 2,
        "prompt_version": 3,
        "every": None,
        "sampling": {"temperature": 0.2},
    }
    found = strategy_fields(fields, 'say "new"\n')
    assert found == parse_toml(to_toml(found), "x")
    assert {"name", "prompt", "tools", "cadence", "prompt_version", "sampling"} == set(found)
    assert 'say "new"\n' == found["prompt"]
