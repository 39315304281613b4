"""The stress sentence: what a crash that the season did not have would do to the claims."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from judge.entrants import ComparedWindow, entrants_of
from judge.season import FilledOrder, FloatArray, Season
from judge.simple_returns import deciding_periods, per_day, simple_interval, simple_return
from judge.statistics import Interval, Pair
from judge.stress import Stress, held_and_losses, stress_of, stress_text
from tests.judge.seasons import entry, make_season

PERIODS = 10


def season_of(*accounts: tuple[FloatArray, FloatArray]) -> Season:
    """A season without orders, from cash and position value, [T+1] each."""
    entries = tuple(entry(name, name, "gpt") for name, _ in zip("abc", accounts, strict=False))
    season = make_season(snapshots=PERIODS, entries=entries)
    cash = np.column_stack([cash for cash, _ in accounts])
    held = np.column_stack([held for _, held in accounts])
    return replace(
        season,
        equity=cash + held,
        cash=cash,
        exposure=np.repeat(held[:, :, None], 2, axis=2) / 2,
        fills=tuple(() for _ in entries),
    )


def falling(share: float, at: int, by: float) -> tuple[FloatArray, FloatArray]:
    """An account with a share in the market, which falls once."""
    rows = np.arange(PERIODS + 1)
    return np.full(PERIODS + 1, 100 * (1 - share)), 100 * share * np.where(rows > at, 1 - by, 1.0)


def shocks(season: Season, begin: int = 0) -> Stress:
    """The stress of a season from a snapshot on."""
    return stress_of(season, entrants_of(season.entries), ComparedWindow(begin, PERIODS))


def test_the_worst_period_is_per_unit_of_exposure() -> None:
    """A fall of 4 % of the account at half exposure is 8 % at full exposure."""
    found = shocks(season_of(falling(0.5, 3, 0.08), falling(0.25, 6, 0.04), falling(0.0, 0, 0.0)))

    assert 0.08 == pytest.approx(found.loss)
    assert 3 == found.index
    assert found.shocks[0] == pytest.approx(-log(1 - 0.08 * 0.5), rel=0.03)
    assert found.shocks[1] == pytest.approx(-log(1 - 0.08 * 0.25), rel=0.03)
    assert found.shocks[2] == 0


def test_only_the_compared_part_counts() -> None:
    """A fall before the compared part does not count."""
    season = season_of(falling(0.5, 3, 0.08), falling(0.25, 6, 0.04))
    found = shocks(season, begin=4)

    assert 0.04 == pytest.approx(found.loss)
    assert 6 == found.index


def test_fees_are_not_a_crash() -> None:
    """An order that costs 10 % is not a loss of positions; purchases in the period count."""
    cash = np.array([100.0, *np.full(PERIODS, 35.0)])
    held = np.array([0.0, *np.full(PERIODS, 55.0 * 0.9)])
    season = season_of((cash, held))
    fill = replace(_fill(), fee=10 * 10**8, slippage=0)
    held_share, losses = held_and_losses(replace(season, fills=((fill,),)))

    assert held_share[0, 0] == pytest.approx(55 / 90)
    assert losses[0, 0] == pytest.approx(0.1)
    assert 0 == losses[1:].max()


def _fill() -> FilledOrder:
    return next(f for own in make_season(snapshots=5).fills for f in own if f.index == 0)


def test_a_total_loss_has_a_finite_shock() -> None:
    """An account that lost all positions has a finite shock."""
    found = shocks(season_of(falling(1.0, 3, 1.0), falling(1.0, 3, 0.0)))

    assert 1 == found.loss
    assert all(np.isfinite(found.shocks))
    assert shocks(season_of(falling(0.0, 0, 0.0))) == Stress(0.0, None, (0.0,))


@pytest.mark.parametrize(
    ("estimate", "low", "error", "survives"),
    [
        (0.10, 0.05, 0.02, True),
        (0.09, 0.05, 0.02, False),
        (-0.30, -0.40, 0.02, True),
        # Claimed at an earlier look; its interval decides whether it is withdrawn.
        (0.04, 0.035, 0.02, True),
        (0.04, 0.02, 0.02, False),
        # The same difference in every period.
        (0.04, 0.04, None, True),
        (0.02, 0.02, None, False),
    ],
)
def test_a_claim_survives_beyond_its_boundary(
    estimate: float, low: float, error: float | None, survives: bool
) -> None:
    """The winner's difference minus the shock must exceed the boundary of its test."""
    ends = sorted((low, 2 * estimate - low))
    pair = Pair(
        a=0,
        b=1,
        difference=Interval(estimate, ends[0], ends[1]),
        p_value=None,
        p_adjusted=None,
        separated=True,
        identical=False,
        sharpe_difference=None,
        detectable=None,
        reason="",
        claim_error=error,
        critical=3.0 if error is not None else None,
    )

    assert survives == Stress(0.5, 0, (0.03, 0.20)).survives(pair)


@pytest.mark.parametrize(
    ("survived", "expected"),
    [
        ([True, False, False], "2 of 3 claims would not survive the worst period seen, -3.2 % at"),
        ([True, True], "all of 2 claims would survive the worst period seen, -3.2 % at full"),
        ([False], "the claim would not survive the worst period seen"),
        ([True], "the claim would survive the worst period seen"),
    ],
)
def test_the_stress_sentence_counts_the_claims(survived: list[bool], expected: str) -> None:
    """It has the number of claims that would not hold, and the size of the shock."""
    found = stress_text(Stress(0.032, 4, ()), survived)

    assert found.startswith("A season cannot show crashes rarer than itself: ")
    assert expected in found
    assert found.endswith("at full exposure, once more.")


def test_without_a_claim_there_is_no_stress_sentence() -> None:
    """Without a claim or a position there is no sentence."""
    assert ["", ""] == [
        stress_text(Stress(0.1, 1, ()), []),
        stress_text(Stress(0, None, ()), [True]),
    ]


@pytest.mark.parametrize(
    ("log_return", "simple"), [(None, None), (0.0, 0.0), (-800.0, -1.0), (800.0, None)]
)
def test_a_log_return_never_overflows(log_return: float | None, simple: float | None) -> None:
    """A log return that is too large has no simple return."""
    assert simple == simple_return(log_return)


@pytest.mark.parametrize(
    ("low", "high", "periods", "shown"),
    [
        (-0.1, 0.1, None, True),
        (-3.4, 3.4, None, True),
        (-3.5, 3.5, None, False),
        (-800.0, 800.0, None, False),
        (0.0, 900.0, None, False),
        (-0.3, 0.3, 3.9, True),
        (-0.4, 0.4, 3.9, False),
        (-0.4, 0.4, 4.0, True),
    ],
)
def test_only_a_useful_interval_is_shown(
    low: float, high: float, periods: float | None, shown: bool
) -> None:
    """Not beyond a factor of 1,000, and not beyond 2 if a single period decides."""
    assert shown == (simple_interval(Interval((low + high) / 2, low, high), periods) is not None)


def test_a_daily_rate_is_bounded() -> None:
    """One per cent in a minute has no daily rate; that of half a day is doubled."""
    assert per_day(0.01, 1 / 1440) is None
    assert per_day(0.01, 0.0) is None
    assert per_day(0.01, 0.5) == pytest.approx(np.expm1(0.02))


@pytest.mark.parametrize(
    ("returns", "periods"),
    [([1.0, -1.0] * 10, 20), ([0.0] * 20, 20), ([], 0), ([0.0] * 99 + [1], 1)],
)
def test_effective_periods_are_counted(returns: list[float], periods: float) -> None:
    """All of them if they are equal, one if it outweighs the others."""
    assert periods == pytest.approx(deciding_periods(np.array(returns)), rel=0.03)
