"""Names that are not known, processes that are alive, and what built-in rules play."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arena.baselines import (
    BASELINES,
    RULES,
    baseline_remedy,
    baseline_trouble,
    plays_rules_of,
    scripted_names,
)
from arena.errors import UsageError
from arena.liveness import alive_processes, is_alive
from arena.messages import Heartbeat
from arena.unknown_names import (
    NAMES_SHOWN_MAX,
    check_agent_name,
    check_new_agent_name,
    closest_first,
    listed,
    unknown_name,
)
from chat_nodes.scripted.strategies import SCRIPTED_STRATEGIES
from routers.strategy import load_strategy, shipped_names

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def beat(name: str = "gpt", age_s: float = 0.0, **changes: object) -> Heartbeat:
    """A heartbeat of a chat node."""
    at = NOW - timedelta(seconds=age_s)
    fields: dict[str, object] = {
        "node": f"chat-node/{name}/host/7",
        "kind": "chat-node",
        "name": name,
        "host": "host",
        "pid": 7,
        "started_at": at,
        "at": at,
        "interval_s": 5.0,
    }
    return Heartbeat.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("name", "known", "first"),
    [
        ("momentm", ["cash", "momentum", "scalper"], "momentum"),
        ("GPT", ["rules", "gpt"], "gpt"),
        ("buy_and_hold", ["random", "buy-and-hold"], "buy-and-hold"),
        ("zzz", ["b", "a"], "a"),
    ],
)
def test_closest_name_comes_first(name: str, known: list[str], first: str) -> None:
    """Case and dashes do not count; without a close one the names are sorted; none is lost."""
    found = closest_first(name, known)

    assert first == found[0]
    assert sorted(known) == sorted(found)


def test_long_lists_are_cut_and_counted() -> None:
    """A line has at most twenty names."""
    assert listed(str(n) for n in range(NAMES_SHOWN_MAX + 3)).endswith("19 and 3 more")
    assert "none" == listed([])


def test_unknown_name_error_lists_known_names() -> None:
    """The value, then the names, the closest first; without any, that there are none."""
    text = str(unknown_name("agent", "momentm", ["cash", "momentum"], remedy="nothing was changed"))

    assert "there is no agent 'momentm'; the agents are momentum, cash; nothing was changed" == text
    assert str(unknown_name("chat node", "x", [])).endswith("there are no chat nodes yet")


@pytest.mark.parametrize("name", ["operator", "all", "a b", ""])
def test_reserved_agent_names_are_refused(name: str) -> None:
    """The names "operator" and "all" are reserved; other names must fit a topic's name."""
    with pytest.raises(UsageError, match="agent name"):
        check_agent_name(name)


def test_names_of_shadow_agents_are_theirs_alone() -> None:
    """Another agent cannot begin with their prefix, and they begin with nothing else."""
    assert "shadow-x" == check_new_agent_name("shadow-x", shadow_of="momentum")
    assert "momentum" == check_new_agent_name("momentum")
    assert "shadow-x" == check_agent_name("shadow-x")  # A halt of one is possible.
    with pytest.raises(UsageError, match="choose another name"):
        check_new_agent_name("shadow-x")
    with pytest.raises(UsageError, match="begins with 'shadow-'"):
        check_new_agent_name("trial", shadow_of="momentum")


@pytest.mark.parametrize(
    ("age_s", "changes", "alive"),
    [
        (0, {}, True),
        (15, {}, True),
        (15.1, {}, False),
        (15.1, {"interval_s": 10}, True),
        (0, {"status": "stopping"}, False),
        (14, {"interval_s": None}, True),
    ],
)
def test_process_is_dead_after_three_intervals(
    age_s: float,
    changes: dict[str, Any],  # Any: fields of a message
    alive: bool,
) -> None:
    """A process is alive until then, or until it reports that it stops."""
    assert alive is is_alive(beat(age_s=age_s, **changes), NOW)


def test_newest_heartbeat_counts() -> None:
    """A process that stopped is dead after any earlier heartbeat; other kinds are ignored."""
    stopped = [beat("a", 3), beat("a", 1, status="stopping")]
    router = beat("c", kind="router", node="router/c/host/8")

    assert ["b"] == [
        one.name for one in alive_processes([*stopped, beat("b"), router], "chat-node", NOW)
    ]


def test_rules_and_baselines_match_the_rooms() -> None:
    """The arena imports no room, so it holds the names itself; they must not drift apart."""
    strategies = [load_strategy(name) for name in shipped_names()]

    assert set(SCRIPTED_STRATEGIES) == set(RULES)
    assert set(BASELINES) == {s.name for s in strategies if s.kind == "baseline"}


@pytest.mark.parametrize(
    ("model", "strategy", "plays"),
    [
        ("scripted", "cash", True),
        ("scripted:cash", "cash", True),
        ("scripted:buy-and-hold", "buy_and_hold", True),
        ("scripted:momentum", "cash", False),
        ("gpt-5", "cash", False),
        ("scripted-llm", "cash", False),
    ],
)
def test_model_that_plays_strategys_own_rules(model: str, strategy: str, plays: bool) -> None:
    """The rules that follow the request, or those of the same strategy."""
    assert plays is plays_rules_of(model, strategy)
    assert (["n"] if plays else []) == scripted_names({"n": model, "m": "gpt-5"}, strategy)


def test_baseline_without_rules_error_lists_rules() -> None:
    """The reason names the strategy, the remedy every rule."""
    assert "'mine' has none" in baseline_trouble("mine")
    assert all(rule in baseline_remedy() for rule in RULES)
    assert "" == baseline_trouble("buy-and-hold")
