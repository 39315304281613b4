"""What repeats and adjustment save, in days of the plain design."""

import numpy as np
import pytest

from judge.check.appetites import appetite_season
from judge.design import Design, design_gains, design_text
from judge.season.seed_support import SeedSupport
from judge.statistics.types import FloatArray

PERIODS = 600


def cells(
    *, repeats: int = 1, own: float = 0.004, common: float = 0.0, count: int = 6, seed: int = 1
) -> tuple[list[FloatArray], list[FloatArray], FloatArray]:
    """Cells whose repeats have independent noise, and shared noise where seeds are equal."""
    rng = np.random.default_rng(seed)
    returns, exposures, market = appetite_season(rng, PERIODS, count)
    shared = common * rng.standard_normal((PERIODS, repeats))
    return (
        [
            returns[:, k : k + 1] + shared + own * rng.standard_normal((PERIODS, repeats))
            for k in range(count)
        ],
        [np.repeat(exposures[:, k : k + 1], repeats, axis=1) for k in range(count)],
        market,
    )


def test_repeats_of_pure_noise_save_their_number() -> None:
    """If only chance differs between repeats, four repeats are worth four times the days."""
    rng = np.random.default_rng(0)
    market = 0.005 * rng.standard_normal(PERIODS)
    noise = [0.01 * rng.standard_normal((PERIODS, 4)) for _ in range(8)]
    found = design_gains(noise, [np.zeros((PERIODS, 4))] * 8, market)

    assert found.repeats_gain == pytest.approx(4.0, rel=0.25)
    assert found.adjustment_gain == pytest.approx(1.0)
    assert found.both_gain == pytest.approx(found.repeats_gain)


def test_repeats_and_adjustment_together_save_most() -> None:
    """With unequal appetites and noisy repeats each helps, and both together help most."""
    found = design_gains(*cells(repeats=4, own=0.002, count=2))

    assert found.repeats_gain is not None
    assert found.adjustment_gain is not None
    assert found.both_gain is not None
    assert found.repeats_gain > 1.2
    assert found.adjustment_gain > 1.1
    assert found.both_gain > 1.5 * max(found.repeats_gain, found.adjustment_gain)


def test_common_random_numbers_compare_equal_and_unequal_seeds() -> None:
    """Noise that equal seeds share cancels in a difference; other noise does not."""
    shared = design_gains(*cells(repeats=4, common=0.008))
    alone = design_gains(*cells(repeats=4))

    assert shared.common_gain is not None
    assert alone.common_gain is not None
    assert shared.common_gain > 1.5
    assert alone.common_gain == pytest.approx(1.0, rel=0.1)


def test_equal_seeds_are_matched_by_number() -> None:
    """A cell whose first repeat is missing is matched by seed, not by position."""
    returns, exposures, market = cells(repeats=4, common=0.008, count=2)
    returns[1], exposures[1] = returns[1][:, 1:], exposures[1][:, 1:]
    named = design_gains(returns, exposures, market, numbers=[(1, 2, 3, 4), (2, 3, 4)])
    placed = design_gains(returns, exposures, market)

    assert named.common_gain is not None
    assert placed.common_gain is not None
    assert named.common_gain > 1.5 > 1.1 > placed.common_gain
    assert (4, 3) == (named.repeats, named.fewest)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (design_gains(*cells(count=1)), "there is one competing entrant"),
        (
            design_gains(
                [x[:30] for x in cells()[0]], [x[:30] for x in cells()[1]], cells()[2][:30]
            ),
            "too early: 30 periods, at least 60 are needed",
        ),
        (
            design_gains([np.zeros((PERIODS, 2))] * 3, [np.zeros((PERIODS, 2))] * 3, cells()[2]),
            "no two entrants differ",
        ),
    ],
)
def test_a_missing_estimate_has_a_reason(found: Design, reason: str) -> None:
    """One entrant, a short season and identical entrants each have their own reason."""
    assert found.repeats_gain is None
    assert reason == found.reasons["repeats"]
    assert not any("nan" in line for line in design_text(found, 3.0))


def test_a_saving_beyond_measure_is_not_stated() -> None:
    """Constant holdings have no noise after adjustment, so the saving is not stated."""
    market = 0.005 * np.random.default_rng(3).standard_normal(PERIODS)
    shares = [np.full((PERIODS, 1), share) for share in (0.2, 0.6, 1.0)]
    returns = [np.log1p(e * np.expm1(market)[:, None]) for e in shares]
    found = design_gains(returns, shares, market)

    assert found.adjustment_gain is None
    assert "the market explains all of every difference" == found.reasons["adjustment"]


def design(**changes: object) -> Design:
    """A design of four repeats."""
    known: dict[str, object] = {
        "entrants": 3, "repeats": 4, "fewest": 4, "repeats_gain": 1.52, "adjustment_gain": 2.7,
        "both_gain": 8.25, "common_gain": 1.04, "seeds": SeedSupport(("qwen",), ("gpt",)),
    }  # fmt: skip
    return Design(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (design(), "4 repeats a cell: each day was as good as 1.5 days of the plain design."),
        (
            design(),
            "Repeats and adjustment together: 3 days of this contest were as good as 24.8 days "
            "of the plain design (one agent a cell, raw returns).",
        ),
        (
            design(),
            "Common random numbers were used: qwen; no seed: gpt. Between single agents, no "
            "gain over the plain design.",
        ),
        (design(fewest=2), "2 to 4 repeats a cell: each day was as good as 1.5 days of the plain "
         "design."),
        (design(repeats=1, repeats_gain=None), "Repeats were not used: every cell has one agent."),
        (design(seeds=None), "Whether the models took a seed is not in the records."),
        (
            design(seeds=SeedSupport((), ("gpt",))),
            "Common random numbers were not used: no model took a seed.",
        ),
        (design(seeds=SeedSupport()), "Common random numbers were not used: no model was called."),
        (
            design(),
            "Adjusted for market exposure: each day was as good as 2.7 days of the plain design, "
            "for the question of who is better than the market exposure explains.",
        ),
        (
            design(repeats_gain=None, reasons={"repeats": "no two entrants differ"}),
            "4 repeats a cell; what they bought is unknown: no two entrants differ.",
        ),
    ],
)  # fmt: skip
def test_the_design_text_has_a_sentence_for_each_part(given: Design, line: str) -> None:
    """Repeats, adjustment and common seeds each have a sentence."""
    assert line in design_text(given, 3.0)


def test_baselines_alone_have_no_design() -> None:
    """Without a competing entrant there is no design text."""
    empty = design_gains([], [], np.zeros(PERIODS))

    assert () == design_text(empty, 3.0)
