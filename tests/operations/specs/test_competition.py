"""The [competition] table: agents, length, and the errors of an invalid table."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.errors import UsageError
from operations.specs.arena_spec import ArenaSpec, parse_spec

CONTEST = """\
[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[chat_nodes]]
name = "nano"
model_id = "gpt-5-nano"

[competition]
snapshots = 120
strategies = ["momentum", "my/own_idea.py"]
models = ["rules", "nano"]
repeats = 2
"""


def parse(text: str) -> ArenaSpec:
    """The specification of a text."""
    return parse_spec(text, path="c.toml")


def test_matrix_is_every_strategy_with_every_model() -> None:
    """Strategy by strategy, model by model, seeds from 1; the baselines come last."""
    spec = parse(CONTEST)

    assert [(a.name, a.chat_node, a.seed) for a in spec.agents] == [
        ("momentum-rules-1", "rules", 1),
        ("momentum-rules-2", "rules", 2),
        ("momentum-nano-1", "nano", 1),
        ("momentum-nano-2", "nano", 2),
        ("own-idea-rules-1", "rules", 1),
        ("own-idea-rules-2", "rules", 2),
        ("own-idea-nano-1", "nano", 1),
        ("own-idea-nano-2", "nano", 2),
        ("buy-and-hold", "baselines", 1),
        ("random", "baselines", 1),
        ("cash", "baselines", 1),
    ]
    assert {a.strategy for a in spec.agents} >= {"momentum", "my/own_idea.py"}


def test_single_repeat_has_no_number_in_its_name() -> None:
    """`<strategy>-<model>`, with the seed of a first repeat: cells share their random numbers."""
    spec = parse(CONTEST.replace("repeats = 2", "repeats = 1"))

    found = {a.name: a.seed for a in spec.agents if a.chat_node == "nano"}
    assert found == {"momentum-nano": 1, "own-idea-nano": 1}


def test_few_processes_play_the_matrix() -> None:
    """Three router processes share the matrix evenly; one plays the baselines."""
    spec = parse(CONTEST)

    sizes = {name: len(agents) for name, agents in spec.processes().items()}
    assert sizes == {
        "routers-entrants-1": 3,
        "routers-entrants-2": 3,
        "routers-entrants-3": 2,
        "routers-baselines": 3,
    }


def test_agents_may_be_named_besides_the_matrix() -> None:
    """They keep their own process, and get the contest's deadline if they have none."""
    own = '[[agents]]\nname = "mine"\nstrategy = "cash"\nchat_node = "rules"\n'
    spec = parse(CONTEST.replace("repeats = 2", f"decision_deadline_s = 5\n{own}"))

    assert (spec.agents[0].name, spec.agents[0].decision_deadline_s) == ("mine", 5.0)
    assert {a.decision_deadline_s for a in spec.agents} == {5.0}
    assert "router-mine" in spec.processes()


def test_contest_of_baselines_alone_needs_no_model() -> None:
    """The baselines add their scripted chat node."""
    spec = parse('[market]\nsource = "replay"\n[competition]\nsnapshots = 3\n')

    assert [(n.name, n.scripted) for n in spec.chat_nodes] == [("baselines", True)]
    assert len(spec.agents) == 3


def test_scripted_strategy_is_scripted() -> None:
    """`scripted:momentum` is not an LLM either, and needs no key."""
    spec = parse(CONTEST.replace('"gpt-5-nano"', '"scripted:momentum"'))

    assert all(node.scripted for node in spec.chat_nodes)


@pytest.mark.parametrize(
    ("length", "interval_s", "count"),
    [
        ("snapshots = 7", 60, 7),
        ('duration = "2h"', 60, 120),
        ('duration = "16d"', 60, 23_040),
        ('duration = "90s"', 60, 2),
        ('duration = "30m"', 3600, 1),
    ],
)
def test_length_in_snapshots(length: str, interval_s: int, count: int) -> None:
    """A duration is market time; a partial interval counts."""
    spec = parse(CONTEST.replace("snapshots = 120", length))

    assert spec.competition is not None
    assert spec.competition.snapshot_count(interval_s) == count


def test_synthetic_replay_has_a_fixed_start() -> None:
    """Recorded prices have their own start; a given start takes precedence."""
    at = "2018-04-04T02:00:00+02:00"

    def begins_at(more: str) -> datetime | None:
        return parse(CONTEST.replace('"replay"\n', f'"replay"\n{more}\n')).market.begins_at

    assert begins_at("seed = 3") == datetime(2026, 1, 1, tzinfo=UTC)
    assert begins_at('prices = ["a.csv"]') is None
    assert begins_at(f"start = {at}") == datetime(2018, 4, 4, tzinfo=UTC)


@given(strategies=st.integers(1, 4), models=st.integers(1, 3), repeats=st.integers(1, 6))
def test_every_cell_has_every_repeat_once(strategies: int, models: int, repeats: int) -> None:
    """Names are unique and their number is the product; at most three processes share them."""
    nodes = "".join(
        f'[[chat_nodes]]\nname = "m{i}"\nmodel_id = "scripted"\n' for i in range(models)
    )
    spec = parse(
        f'{nodes}[market]\nsource = "replay"\n[competition]\nsnapshots = 2\nbaselines = []\n'
        f"strategies = {[f's{i}' for i in range(strategies)]}\n"
        f"models = {[f'm{i}' for i in range(models)]}\nrepeats = {repeats}\n"
    )

    assert len({a.name for a in spec.agents}) == strategies * models * repeats
    assert len({(a.strategy, a.chat_node, a.seed) for a in spec.agents}) == len(spec.agents)
    assert len(spec.processes()) == min(3, len(spec.agents))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'source = "replay"',
            'source = "exchange"',
            'line 12: [competition] pacing: "lock-step" needs [market] source = "replay", but it '
            'is "exchange"; other markets need pacing = "real-time"',
        ),
        (
            "repeats = 2",
            'pacing = "real-time"',
            'line 16: [competition] pacing: "real-time" needs [market] source = "exchange" or '
            '"live"; a replay needs pacing = "lock-step"',
        ),
        (
            "snapshots = 120\n",
            "",
            "line 12: [competition] snapshots: it has no length; add snapshots = 120, "
            'or duration = "2h"',
        ),
        (
            "repeats = 2",
            'duration = "2h"',
            "line 16: [competition] duration: snapshots is given, too; remove one of the two",
        ),
        (
            "snapshots = 120",
            'duration = "2 hours"',
            "line 13: [competition] duration: '2 hours': write a number and s, m, h or d, such as "
            '"16d"',
        ),
        (
            "snapshots = 120",
            'duration = "1000000d"',
            "line 13: [competition] duration: 1,440,000,000 snapshots of 60 s; at most 1,000,000: "
            "choose a longer [arena] interval_s",
        ),
        (
            'models = ["rules", "nano"]',
            'models = ["rules", "mini"]',
            "line 15: [competition] models: no [[chat_nodes]] has the name 'mini'; there is rules, "
            "nano",
        ),
        (
            'models = ["rules", "nano"]\n',
            "",
            "line 14: [competition] strategies: a matrix needs both; add models = [...]",
        ),
        (
            '"momentum", "my/own_idea.py"',
            '"momentum", "momentum"',
            "line 14: [competition] strategies: 'momentum' is listed twice; repeats = 2 plays "
            "a cell twice",
        ),
        (
            "repeats = 2",
            "repeats = 100",
            "line 16: [competition] repeats: it makes 403 agents; an arena has at most 200",
        ),
        (
            "repeats = 2",
            "repeats = 0",
            "line 16: [competition] repeats: 0 is not valid: input should be greater than or "
            "equal to 1",
        ),
        (
            "repeats = 2",
            "repeat = 2",
            "line 16: [competition] repeat: unknown key; did you mean repeats?",
        ),
        (
            "repeats = 2",
            'replies = "cached"',
            "line 16: [competition] replies: 'cached' is not valid: input should be 'live', "
            "'record' or 'replay'",
        ),
        (
            "repeats = 2",
            "llm_budget_usd = 0",
            "line 16: [competition] llm_budget_usd: 0 is not valid: input should be greater than 0",
        ),
        (
            "repeats = 2",
            "confidence = 90",
            "line 16: [competition] confidence: 90 is not valid: input should be less than or "
            "equal to 0.99",
        ),
        (
            'name = "rules"',
            'name = "baselines"',
            "line 15: [competition] models: no [[chat_nodes]] has the name 'rules'; there is "
            "baselines, nano",
        ),
        (
            'name = "nano"',
            'name = "baselines"',
            "line 15: [competition] models: no [[chat_nodes]] has the name 'nano'; there is rules, "
            "baselines",
        ),
        (
            '"my/own_idea.py"',
            f'"{"x" * 60}"',
            f"line 14: [competition] strategies: the agent's name would be '{'x' * 60}-rules-1'; "
            "use 1-64 letters, digits, '-' or '_', starting with a letter or digit",
        ),
        (
            'source = "replay"',
            'source = "replay"\nspeed = 2',
            'line 3: [market] speed: speed needs source = "exchange"; remove it',
        ),
        (
            'source = "replay"',
            'source = "replay"\nstart = 2026-01-01T00:00:00',
            "line 3: [market] start: 2026-01-01 00:00:00 is not valid: input should "
            "have timezone info",
        ),
    ],
)
def test_errors_name_line_value_and_remedy(old: str, new: str, message: str) -> None:
    """The first error is reported with its position and remedy."""
    assert old in CONTEST
    with pytest.raises(UsageError) as caught:
        parse(CONTEST.replace(old, new))

    assert str(caught.value) == f"c.toml, {message}"


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (
            '[[chat_nodes]]\nname = "baselines"\nmodel_id = "scripted"\n',
            "line 18: [[chat_nodes]] number 3, name: 'baselines' is the name of the "
            "baselines' chat node; choose another name",
        ),
        (
            '[[agents]]\nname = "momentum-nano-2"\nstrategy = "cash"\nchat_node = "rules"\n',
            "line 14: [competition] strategies: generated agent name "
            "'momentum-nano-2' is already used; rename one",
        ),
        (
            '[[agents]]\nname = "mine"\nstrategy = "cash"\nchat_node = "rules"\n'
            'process = "baselines"\ncadence = 2\n',
            "line 21: [[agents]] number 1, process: buy-and-hold shares 'baselines' with mine; "
            "give both the same cadence, max_rounds, decision_deadline_s, scrape and gates, or "
            "separate processes",
        ),
    ],
)
def test_added_tables_must_match_the_contest(added: str, message: str) -> None:
    """Names of the file differ from generated names; shared processes have equal limits."""
    with pytest.raises(UsageError) as caught:
        parse(CONTEST + added)

    assert str(caught.value) == f"c.toml, {message}"


def test_replay_without_a_contest_is_refused() -> None:
    """Nothing would advance its market time."""
    text = CONTEST[: CONTEST.index("[competition]")]

    with pytest.raises(UsageError, match="line 2: .* a replay waits for its agents: add a"):
        parse(text)


def test_contest_without_agents_is_refused() -> None:
    """It has no matrix, no agents and no baselines."""
    with pytest.raises(UsageError, match="it has no agents"):
        parse('[market]\nsource = "replay"\n[competition]\nsnapshots = 3\nbaselines = []\n')


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("", ("--prompts", "frozen")),
        ('prompts = "frozen"', ("--prompts", "frozen")),
        ('prompts = "coached"', ()),
    ],
)
def test_prompts_are_frozen_unless_coached(line: str, flags: tuple[str, ...]) -> None:
    """Routers of a contest are told; those of another arena are coached by default."""
    contest = parse(f"{CONTEST}{line}\n").competition

    assert contest is not None
    assert flags == contest.prompt_flags


def test_other_words_about_prompts_are_refused() -> None:
    """The error names the value and the two words."""
    with pytest.raises(
        UsageError, match=r"\[competition\] prompts: 'thawed'.*'frozen' or 'coached'"
    ):
        parse(f'{CONTEST}prompts = "thawed"\n')
