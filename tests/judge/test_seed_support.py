"""Which models used a seed, and where their training data ends, from their call records."""

from dataclasses import replace

import pytest
from pydantic import JsonValue

from arena.fold_checkpoint import FoldPositions
from arena.messages import LlmCall, MarketSnapshot, Message
from judge.evaluations.check_fold import TurnChecks
from judge.season import Season, SeasonBuilder
from judge.season.assumptions import assumption_lines
from judge.season.checkpoint_format import SeasonPacker, read_head, restore
from judge.season.seed_support import seed_support
from judge.season.types import Entry, LlmSpend
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import entry, make_season

NAMES = ("a", "b", "c", "d", "e")


def built(**changes: object) -> SeasonBuilder:
    """Three snapshots in which every model call and snapshot is changed."""
    builder = SeasonBuilder()
    for record in Scenario(scripted=False).run(3).records:
        message = record.message()
        if isinstance(message, LlmCall | MarketSnapshot):
            fields = {k: v for k, v in changes.items() if k in type(message).model_fields}
            record = record._replace(value=_bytes(message.model_copy(update=fields)))
        builder.apply(record)
    return builder


def _bytes(message: Message) -> bytes:
    return message.model_dump_json().encode()


@pytest.mark.parametrize(
    ("options", "seeded"),
    [
        ({"seed": 5}, 3),
        ({"random_seed": 5}, 3),
        ({"seed": 0}, 3),
        ({"seed": None}, 0),
        ({"temperature": 1.0}, 0),
        (None, 0),
    ],
)
def test_calls_with_a_seed_are_counted(options: dict[str, JsonValue] | None, seeded: int) -> None:
    """A seed counts under either name if it was sent; a removed one was not sent."""
    spends = built(options=options).season().llm

    assert {(3, seeded)} == {(spend.answered, spend.seeded) for spend in spends}


def test_scripted_agents_have_no_seed() -> None:
    """They send no request to a provider."""
    spends = built(options={"seed": 5}, scripted=True).season().llm

    assert {(0, 0)} == {(spend.answered, spend.seeded) for spend in spends}


def season_of(*cells: tuple[str, int | None, int, int]) -> Season:
    """A season of one agent for each model, seed, answered calls and calls with a seed."""
    entries: tuple[Entry, ...] = tuple(
        entry(name, "momentum", model, seed=seed)
        for name, (model, seed, _, _) in zip(NAMES, cells, strict=False)
    )
    llm = tuple(LlmSpend(calls=n, answered=n, seeded=k) for _, _, n, k in cells)
    return replace(make_season(snapshots=3, entries=entries), llm=llm)


def test_models_with_and_without_seed_support_are_named() -> None:
    """One call without the seed is enough; agents without a seed or an answer do not count."""
    season = season_of(
        ("kind", 1, 9, 9),
        ("kind", 2, 9, 9),
        ("strict", 1, 9, 8),
        ("free", None, 9, 0),
        ("mute", 1, 0, 0),
    )

    assert (("kind",), ("strict",)) == seed_support(season)


def test_a_model_must_use_the_seeds_of_all_agents() -> None:
    """Repeats share random numbers only if all of them sent their seeds."""
    assert ((), ("half",)) == seed_support(season_of(("half", 1, 9, 9), ("half", 2, 9, 0)))


def test_baselines_are_left_out() -> None:
    """They do not compete."""
    season = season_of(("kind", 1, 9, 9))
    as_baseline = replace(season.entries[0], kind="baseline")

    assert ((), ()) == seed_support(replace(season, entries=(as_baseline,)))


def test_the_operators_training_cutoff_is_in_the_season() -> None:
    """It overrides the arena's list for every agent of the chat node."""
    assert {"2026-02"} == {e.cutoff for e in built(cutoff="2026-02").season().entries}
    assert {"2024-05"} == {e.cutoff for e in built().season().entries}
    assert {""} == {e.cutoff for e in SeasonBuilder().season().entries} | {""}


@pytest.mark.parametrize("recorded", [False, True])
def test_recorded_prices_are_distinguished_from_simulated_ones(recorded: bool) -> None:
    """Only real prices can be in training data."""
    known = built(recorded=recorded, simulated=True).season().assumptions

    assert recorded == known.recorded
    assert recorded == ("(recorded, not a live market)" in assumption_lines(known)[0])


def test_seed_support_survives_a_restart_of_the_judge() -> None:
    """A season from a checkpoint has the same models and cut-offs."""
    builder = built(recorded=True, cutoff="2026-02", options={"seed": 5})
    packed = SeasonPacker().pack(builder, FoldPositions(), TurnChecks())
    assert packed is not None
    again, _, _ = restore(read_head(packed.head), [packed.segment])
    again.folds.roster = builder.folds.roster

    whole, restored = builder.season(), again.season()
    assert (whole.entries, whole.llm) == (restored.entries, restored.llm)
    assert whole.assumptions.recorded is restored.assumptions.recorded is True


def test_calls_of_the_judge_are_not_in_the_season() -> None:
    """A model that the judge asks costs no agent."""
    spends = built(asker="judge", agent="", turn_id="").season().llm

    assert {0} == {spend.calls for spend in spends}
