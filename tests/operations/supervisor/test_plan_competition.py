"""The processes of a competition: pacing, recorded replies, keys."""

from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.processes.child import ProcessSpec
from operations.specs.arena_spec import parse_spec
from operations.supervisor.plan import LaunchContext, plan, require_keys

TEXT = """\
[arena]
products = ["BTC-USD", "ETH-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "nano"
model_id = "gpt-5-nano"

[competition]
snapshots = 12
strategies = ["momentum", "own.py"]
models = ["nano"]
baselines = ["cash"]
decision_deadline_s = 20
"""
CONTEXT = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"))


def planned(text: str) -> dict[str, ProcessSpec]:
    """The processes of a specification by their names, in start order."""
    return {p.name: p for p in plan(parse_spec(text, path="c.toml"), CONTEXT)}


def test_lock_step_competition_has_its_processes() -> None:
    """No exchange; a connector, routers and tools in lock-step, and a judge."""
    found = planned(TEXT)

    assert list(found) == [
        "connector",
        "tools",
        "chat-node-nano",
        "chat-node-baselines",
        "routers-entrants-1",
        "routers-entrants-2",
        "routers-baselines",
        "judge",
    ]
    assert " ".join(found["connector"].argv) == (
        "arena connector replay --lock-step --agents momentum-nano,own-nano,cash "
        "--products BTC-USD,ETH-USD --seed 7 --start 2026-01-01T00:00:00 --min-interval 60 "
        "--snapshots 12 --deadline 20"
    )
    assert " ".join(found["routers-entrants-2"].argv) == (
        "arena routers --name entrants-2 --agent own-nano=/spec/own.py@nano#1 "
        "--decision-deadline 20 --pacing lock-step --prompts frozen"
    )
    assert " ".join(found["routers-baselines"].argv) == (
        "arena routers --name baselines --kind baseline --agent cash=cash@baselines#1 "
        "--decision-deadline 20 --pacing lock-step --prompts frozen"
    )
    assert " ".join(found["tools"].argv) == (
        "arena tools --planned-snapshots 12 --pacing lock-step"
    )
    assert " ".join(found["judge"].argv) == "arena judge --confidence 0.9 --seed 1"


@pytest.mark.parametrize("table", ['prompts = "coached"\n[coach]\nauto = true\n', "[judge]\n"])
def test_lock_step_waits_for_judge_and_coach(table: str) -> None:
    """The judge has one round per snapshot, and the connector waits for it; not in real time."""
    judged = planned(TEXT + table)
    assert judged["connector"].argv[-1] == "--wait-for-judge"
    assert judged["judge"].argv[-1] == "--lock-step"

    real_time = TEXT.replace('source = "replay"', 'source = "exchange"') + 'pacing = "real-time"\n'
    found = planned(real_time + 'prompts = "coached"\n[coach]\nauto = true\n')
    assert "--wait-for-judge" not in found["connector"].argv
    assert "--lock-step" not in found["judge"].argv


def test_recorded_prices_need_no_seed_or_start() -> None:
    """The command has neither; paths of files are relative to the specification."""
    found = planned(TEXT.replace('"replay"\n', '"replay"\nprices = ["a.csv", "/b.csv"]\n'))

    words = " ".join(found["connector"].argv)
    assert "--prices /spec/a.csv --prices /b.csv --min-interval 60" in words
    assert "--seed" not in words


def test_connector_computes_the_indicators_of_the_specification() -> None:
    """A set or a history of its own is in the connector's command."""
    table = '[features]\npreset = "scalper"\nindicators = ["ema_50@1h"]\nhistory_minutes = 90\n'
    words = " ".join(planned(TEXT + table)["connector"].argv)

    assert words.endswith("--features scalper,ema_50@1h --historical-minutes 90")


def test_start_in_another_time_zone_is_converted_to_utc() -> None:
    """The command line has no time zones."""
    text = TEXT.replace('"replay"\n', '"replay"\nstart = 2026-03-01T01:00:00+02:00\n')

    assert "--start 2026-02-28T23:00:00 " in " ".join(planned(text)["connector"].argv)


def test_real_time_competition_is_an_arena_with_a_judge() -> None:
    """The exchange, the tools and the routers run as in `arena up`."""
    text = TEXT.replace('"replay"', '"exchange"')
    found = planned(text.replace("snapshots = 12", 'snapshots = 12\npacing = "real-time"'))

    assert list(found)[:2] == ["exchange", "connector"]
    assert all("--pacing" not in p.argv for p in found.values())
    assert found["tools"].argv == ("arena", "tools", "--planned-snapshots", "12")
    assert "judge" in found


def test_judge_can_be_left_out() -> None:
    """The report computes the same from the records."""
    assert "judge" not in planned(TEXT + "judge = false\n")


@pytest.mark.parametrize("replies", ["record", "replay"])
def test_replies_of_models_are_recorded_and_of_baselines_not(replies: str) -> None:
    """The rules of baselines reply the same without a recording."""
    found = planned(TEXT + f'replies = "{replies}"\nreplies_file = "kept/r.jsonl"\n')

    words = " ".join(found["chat-node-nano"].argv)
    assert words.endswith(f"--replies {replies} --replies-file /spec/kept/r.jsonl")
    assert "--replies" not in found["chat-node-baselines"].argv


def test_replayed_replies_need_no_key() -> None:
    """A competition can be replayed without a key; no process sees one then."""
    live = parse_spec(TEXT, path="c.toml")
    again = parse_spec(TEXT + 'replies = "replay"\n', path="c.toml")

    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        require_keys(live, {})
    require_keys(again, {})
    assert all("OPENAI_API_KEY" in p.without for p in plan(again, CONTEXT))
    assert "OPENAI_API_KEY" not in planned(TEXT)["chat-node-nano"].without


def test_seed_is_passed_to_an_agent() -> None:
    """`arena router --seed`; agents that share a process have it in their --agent option."""
    own = '[[agents]]\nname = "me"\nstrategy = "cash"\nchat_node = "nano"\nseed = 5\n'

    found = planned(TEXT + own)

    assert "--strategy cash --seed 5 --decision-deadline 20" in " ".join(found["router-me"].argv)


def test_prompt_size_defaults_to_that_of_the_chat_node() -> None:
    """An agent's own size wins; agents that share a process are named; baselines see all."""
    text = TEXT.replace('model_id = "gpt-5-nano"', 'model_id = "gpt-5-nano"\nprompt = "tiny"')
    own = '\n[[agents]]\nname = "own"\nstrategy = "cash"\nchat_node = "nano"\nprompt = "compact"\n'
    found = planned(text + own)

    assert " --prompt compact " in " ".join(found["router-own"].argv)
    assert " --prompt momentum-nano=tiny " in " ".join(found["routers-entrants-1"].argv)
    assert "--prompt" not in found["routers-baselines"].argv
