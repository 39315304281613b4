"""Recomputes the looks of a season: which claims were made, and which hold. Pure.

Every look is decided again from the season as it was then, so the claims depend on the records
alone: a judge that starts late, and the report, make the same claims as the live judge.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from arena.agent_health import DEAD_TURNS
from judge.claims import ClaimRecord, LookResult, claims_over, with_claims
from judge.entrants import (
    ComparedField,
    compared_field,
    entrant_means,
    entrant_returns,
    with_entries,
)
from judge.evaluation import StatisticsOptions
from judge.season.types import Entry, FloatArray, Season
from judge.statistics import Pair
from judge.statistics.adjusted import Alpha, alpha_pairs, exposure_shares
from judge.statistics.looks import Horizon, Look, single_look
from judge.statistics.pairs import LookDecisions, decisions_of, memoised
from judge.statistics.verdict import decide_returns

SeasonAfter = Callable[[int], Season]
"""Function that returns the season as it was after a number of snapshots."""


class ClaimHistory:
    """The claims of a season, look by look.

    Attributes:
        returns: Claims about returns.
        alpha: Claims about returns beyond the market exposure.
    """

    def __init__(
        self, season: Season, options: StatisticsOptions, season_after: SeasonAfter
    ) -> None:
        """Decide all earlier looks.

        Args:
            season: The season so far.
            options: Settings of the statistics.
            season_after: Returns the season as it was at a look.
        """
        self._count, self._options = season.periods, options
        self._looks = options.horizon.looks(season.periods)
        before = [look for look in self._looks if look.periods < season.periods]
        decided = [_decide_look(season_after(look.periods), look, options) for look in before]
        self._returns = [one for one, _ in decided]
        self._alpha = [other for _, other in decided]
        self.returns: tuple[ClaimRecord, ...] = claims_over(self._returns)
        self.alpha: tuple[ClaimRecord, ...] = claims_over(self._alpha)

    def apply_return_claims(
        self, pairs: tuple[Pair, ...], names: Sequence[str]
    ) -> tuple[Pair, ...]:
        """Return the current pairs, separated by all claims about returns."""
        self.returns = claims_over([*self._returns, *self._now(pairs, names)])
        return with_claims(pairs, names, self.returns)

    def apply_alpha_claims(self, pairs: tuple[Pair, ...], names: Sequence[str]) -> tuple[Pair, ...]:
        """Return the current adjusted pairs, separated by all claims about alpha."""
        self.alpha = claims_over([*self._alpha, *self._now(pairs, names)])
        return with_claims(pairs, names, self.alpha)

    def _now(self, pairs: tuple[Pair, ...], names: Sequence[str]) -> list[LookResult]:
        """Return the result of the current look, if this is a look."""
        if not self._looks or self._looks[-1].periods != self._count:
            return []
        return [_look_result(self._count, names, decisions_of(pairs))]


def _decide_look(
    season: Season, look: Look, options: StatisticsOptions
) -> tuple[LookResult, LookResult]:
    """Return what an earlier look decided on returns and on alpha."""
    field = compared_field(season, planned=options.horizon.planned, over=False)
    names = [one.name for one in field.entrants]
    returns = entrant_returns(field)
    found = decide_returns(
        returns,
        names,
        level=look.level,
        confidence=options.confidence,
        seed=options.seed,
        resamples=options.resamples,
        memo=options.memo,
    )
    if not found:
        return _look_result(look.periods, names, {}), _look_result(look.periods, names, {})
    arguments = "alpha", look.level, names, options.confidence, options.seed, options.resamples
    series = np.hstack([returns, *_exposure_and_market(field)])
    alpha = memoised(
        options.memo,
        arguments,
        series,
        lambda: decisions_of(alpha_of(field, returns, options, single_look(look.level)).pairs),
    )
    return _look_result(look.periods, names, found), _look_result(look.periods, names, alpha)


def _look_result(snapshots: int, names: Sequence[str], decided: LookDecisions) -> LookResult:
    named = {(names[a], names[b]): decision for (a, b), decision in decided.items()}
    return LookResult(snapshots, frozenset(names), named)


def alpha_of(
    field: ComparedField, returns: FloatArray, options: StatisticsOptions, horizon: Horizon
) -> Alpha:
    """Return the pairs of a field, for returns beyond what market exposure explains.

    Args:
        field: The compared entrants and window.
        returns: Log returns of the window, [T, entrants].
        options: Settings of the statistics.
        horizon: The looks at which pairs are decided.
    """
    shares, market = _exposure_and_market(field)
    return alpha_pairs(
        returns,
        shares,
        market[:, 0],
        confidence=options.confidence,
        seed=options.seed,
        resamples=options.resamples,
        horizon=horizon,
    )


def _exposure_and_market(field: ComparedField) -> tuple[FloatArray, FloatArray]:
    """Return the equity shares at the start of each compared period, and the market returns."""
    shares = field.window.cut(exposure_shares(field.season.equity, field.season.exposure))
    market = field.window.cut(field.season.hold_log_returns()[:, None])
    return entrant_means(field.entrants, shares), market


def truncated(season: Season, snapshots: int) -> Season:
    """Return a season as it was after a number of snapshots, from the season alone.

    Entries that died later are not in its arrays; only a fold of the records has them
    (`judge.season.SeasonBuilder.season`).
    """
    count = min(snapshots, season.periods)
    there = [n for n, e in enumerate(season.entries) if e.joined < count]
    found = with_entries(season, there)
    entries = tuple(replace(e, left=e.left if _was_gone(e, count) else None) for e in found.entries)

    def rows(array: FloatArray) -> FloatArray:
        return np.concatenate([array[:count], array[count - 1 : count]])

    return replace(
        found,
        entries=entries,
        equity=rows(found.equity),
        cash=rows(found.cash),
        exposure=rows(found.exposure),
        hold=rows(found.hold),
        parts=tuple(replace(part, equity=rows(part.equity)) for part in found.parts),
        times=found.times[: count + 1],
        snapshot_ids=found.snapshot_ids[:count],
    )


def _was_gone(entry: Entry, snapshots: int) -> bool:
    missed = max(DEAD_TURNS * entry.cadence, entry.quiet)
    return entry.left is not None and entry.left + missed <= snapshots
