"""Entries with the figures of two contestants are listed without row and rank."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from arena.bus.base import Record
from arena.messages import AgentSpec, ChatMessage, Message, OrderDecided, Turn, TurnStarted
from arena.prompt_versions import version_of
from judge.leaderboard import leaderboard
from judge.leaderboard_text import render_leaderboard
from judge.report.facts import ReportOptions, make_facts
from judge.report.page import markdown
from judge.report.page_tables import unranked_title
from judge.season import Season
from judge.season.incomparable import contestant_of
from judge.strategy_text import RULES_BEGIN
from routers.prompt import render_system
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records

RESAMPLES = 200
NO_CHANGE: dict[str, object] = {}


@dataclass
class Replaced(Scenario):
    """A scenario in which another contestant takes the turns of "momentum" from a snapshot on.

    Attributes:
        at: The number of that snapshot. other: Fields of those turns that change.
    """

    at: int = 20
    other: dict[str, object] = field(default_factory=dict)

    def end_turn(
        self, started: TurnStarted, order: OrderDecided | None, words: str, **changes: object
    ) -> Turn:
        """End the turn as the contestant that plays now."""
        if started.agent == "momentum" and self.snapshots - 1 >= self.at:
            changes = changes | self.other
        return super().end_turn(started, order, words, **changes)


def season_of(records: list[Record], upto: int | None = None) -> Season:
    """The season of these records."""
    return fold_records(records).season(upto)


def talk(system: str) -> tuple[ChatMessage, ...]:
    """A conversation with a system message."""
    return (
        ChatMessage(role="system", content=system),
        ChatMessage(role="user", content="market"),
        ChatMessage(role="assistant", content="Reasoning: waiting."),
    )


def trade_by_hand(scenario: Scenario, agent: str) -> None:
    """Publish an order that answers no snapshot, as `arena tools call` does."""
    assert scenario.newest is not None
    scenario.newest = scenario.newest.model_copy(update={"snapshot_id": ""})
    scenario.order(agent, "buy", "BTC-USD", Decimal("0.01"))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"node": "gpt"}, "momentum@rules (scripted) until"),
        ({"strategy": "cash"}, "then cash@rules (scripted)"),
        ({"model": "gpt-5", "scripted": False}, "then momentum@rules (gpt-5)"),
        ({"messages": talk("Buy everything.")}, "with another prompt until"),
        ({"prompt_size": "tiny"}, "with another prompt size until"),
        ({"turn_kind": "pair"}, "with another kind of turns until"),
    ],
)
def test_two_contestants_under_one_name_are_not_ranked(
    other: dict[str, object], expected: str
) -> None:
    """Another strategy, node, model, prompt, size or kind: no row, and both are named."""
    season = season_of(Replaced(other=other).run(40).records)

    (apart,) = season.apart
    assert ("momentum", "two_contestants", 40) == (apart.agent, apart.code, apart.recorded_turns)
    assert expected in apart.cause
    assert "momentum" not in season.names
    assert () == season.dead


@pytest.mark.parametrize(
    "changes",
    [
        ({"turn_kind": "single"}, {"turn_kind": "pair"}),
        ({"shows": ()}, {"shows": ("context",)}),
    ],
    ids=["turn_kind", "shows"],
)
def test_kind_of_turns_and_shown_parts_are_of_the_setup(
    changes: tuple[dict[str, object], ...],
) -> None:
    """Agents that differ in one of them are not repeats of each other."""
    setups = set()
    for change in changes:
        records = []
        for record in Scenario().run(2).records:
            message = record.message()
            if isinstance(message, AgentSpec):
                spec = message.model_copy(update=change)
                record = record._replace(value=spec.model_dump_json().encode())
            records.append(record)
        setups |= {entry.setup for entry in season_of(records).entries}

    assert 2 == len(setups)


@pytest.mark.parametrize(
    "other",
    [
        NO_CHANGE,
        {"model": "", "outcome": "failed", "rounds": (), "cause": "server_error"},
        {"node": "gtp", "model": "", "outcome": "expired", "rounds": (), "cause": "timeout"},
        {"messages": (), "outcome": "aborted", "rounds": (), "model": ""},
        {"messages": talk(f"You trade on momentum. Be brief.{RULES_BEGIN}- other fees")},
    ],
)
def test_restarts_failures_and_new_rules_are_the_same_contestant(other: dict[str, object]) -> None:
    """Missing fields of a failed turn and the arena's own rules make no other contestant."""
    season = season_of(Replaced(at=38, other=other).run(40).records)

    assert () == season.apart
    assert "momentum" in season.names


def test_an_earlier_part_has_only_its_own_contestants() -> None:
    """Before the second contestant played, the first one is ranked."""
    records = Replaced(other={"node": "gpt"}).run(40).records

    assert "momentum" in season_of(records, 19).names
    assert ["momentum"] == [one.agent for one in season_of(records, 20).apart]


def test_orders_by_hand_leave_an_agent_without_rank() -> None:
    """An operator's order in an agent's account is not the agent's decision."""
    scenario = Scenario().run(30)
    bare = season_of(scenario.records)
    trade_by_hand(scenario, "momentum")
    (apart,) = season_of(scenario.records).apart

    assert () == bare.apart
    assert ("momentum", "by_hand") == (apart.agent, apart.code)
    assert "1 order in its account" in apart.cause


def test_an_operators_account_is_not_an_entry() -> None:
    """`arena tools call` opens an account and trades; the account is in no list."""
    scenario = Scenario().run(5)
    scenario.join("operator", "cash", "agent")
    trade_by_hand(scenario, "operator")
    season = season_of(scenario.records)

    assert "operator" not in (*season.names, *(one.agent for one in (*season.dead, *season.apart)))
    assert () == season.assumptions.notes


def test_text_and_report_name_incomparable_entries() -> None:
    """They are in the verdict's last sentence, in a section of the text and one of the report."""
    season = season_of(Replaced(other={"node": "gpt"}).run(40).records)
    board = leaderboard(season, resamples=RESAMPLES)
    text = render_leaderboard(board.evaluation)
    facts = make_facts("run", season, ReportOptions())

    assert "1 agent is not comparable and not ranked: momentum (two contestants" in board.text
    assert "Not comparable, not ranked\n  momentum" in text
    assert "momentum" not in text.partition("Standings")[2].partition("Not comparable")[0]
    assert "Not comparable, not ranked" == unranked_title(facts)
    assert "## Not comparable, not ranked" in markdown(facts)


@pytest.mark.parametrize("size", ["full", "compact", "tiny"])
def test_a_strategys_prompt_ends_before_the_arenas_rules(size: Any) -> None:
    """The router writes the mark after the strategy's words in prompts of every size."""
    one, two = (render_system(f"{word} all.", None, size) for word in ("Buy", "Sell"))

    assert one.partition(RULES_BEGIN)[2] == two.partition(RULES_BEGIN)[2] != ""
    assert one.partition(RULES_BEGIN)[0] != two.partition(RULES_BEGIN)[0]


def test_a_contestant_is_identified_by_its_turn() -> None:
    """The digest is of the strategy's own words."""
    scenario = Scenario().run(1)
    turns = [m for r in scenario.records if isinstance(m := r.message(), Turn)]
    first, *_ = turns

    assert contestant_of(first).label == f"{first.strategy}@rules (scripted)"
    assert len(contestant_of(first).prompt) == 12


@dataclass
class Coached(Scenario):
    """A scenario in which "momentum" plays by another version of its text at every snapshot.

    Attributes:
        prompts: Of its entry on the roster.
        other: Fields of its last turns that change, too.
    """

    prompts: str = "coached"
    other: dict[str, object] = field(default_factory=dict)

    def write(self, topic: str, message: Message, key: str = "") -> Record:
        """Write a record; the agent's entry says whether its text may change."""
        if isinstance(message, AgentSpec) and message.agent == "momentum":
            message = message.model_copy(update={"prompts": self.prompts})
        return super().write(topic, message, key)

    def end_turn(
        self, started: TurnStarted, order: OrderDecided | None, words: str, **changes: object
    ) -> Turn:
        """End a turn by the version of this snapshot."""
        if started.agent == "momentum":
            text = f"Trade by rule {self.snapshots // 2}."
            changes = {"messages": talk(text), "version": version_of(text), **changes}
            changes |= self.other if self.snapshots > 38 else {}
        return super().end_turn(started, order, words, **changes)


def test_a_coached_agent_stays_one_contestant() -> None:
    """Whatever versions of its text it plays by; a frozen agent with two texts is two."""
    coached = season_of(Coached().run(40).records)
    (frozen,) = season_of(Coached(prompts="frozen").run(40).records).apart

    assert () == coached.apart
    assert "momentum" in coached.names
    assert ("momentum", "two_contestants") == (frozen.agent, frozen.code)
    assert "with another prompt until" in frozen.cause


@pytest.mark.parametrize("other", [{"node": "gpt"}, {"prompt_size": "tiny"}])
def test_another_contestant_is_found_after_many_versions(other: dict[str, object]) -> None:
    """A coached agent that another model or size replaces is not ranked."""
    (apart,) = season_of(Coached(other=other).run(40).records).apart

    assert ("momentum", "two_contestants") == (apart.agent, apart.code)
