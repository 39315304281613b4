"""Makes the `Evaluation` message of a season: claims, warnings, gains of the design. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from arena import ids
from arena.messages import Claim, Detectable, Evaluation, LeaderboardRow
from arena.metrics.returns import total_return
from arena.metrics.sharpe import sharpe_scale
from arena.model_cutoffs import cutoff_warning
from judge.claims import ClaimRecord
from judge.coached_rows import coached_warning
from judge.design import design_gains, design_text
from judge.entrants import ComparedField
from judge.leaderboard_rows import oversized_equity_note
from judge.lost_accounts import lost_account_notes
from judge.refused_orders import refusal_note
from judge.season.assumptions import assumption_lines
from judge.season.seed_support import seed_support
from judge.season.types import Season
from judge.simple_returns import TOO_WIDE, per_day, simple_detectable
from judge.statistics import Pair, SeasonVerdict
from judge.statistics.adjusted import Alpha, exposure_shares
from judge.statistics.looks import Horizon
from judge.statistics.pairs import LookMemo
from judge.statistics.verdict import PERIODS_MIN
from judge.stress import Stress, stress_of, stress_text
from judge.unsellable_positions import unsellable_note

METHOD = 3
"""Version of the method: part of every evaluation's id; raise it with every change."""
DETECTABLES_MAX = 64
"""Most pairs with a listed detectable difference, those of the best entrants first."""
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class StatisticsOptions:
    """Settings of the statistics.

    Attributes:
        confidence, seed, resamples: Settings of the resampling.
        horizon: Planned length of the season, and whether it is over.
        memo: Cache of earlier looks' decisions.
    """

    confidence: float
    seed: int
    resamples: int
    horizon: Horizon
    memo: LookMemo | None


@dataclass(frozen=True, slots=True)
class SeasonStatistics:
    """Results of the statistics.

    Attributes:
        field: The compared entrants and window.
        rows: Rows of the leaderboard, best first.
        indices: Indices of the same entrants in the field.
        verdict: Statistics of the returns.
        alpha: Statistics of the returns beyond market exposure; None without a verdict.
        claims, alpha_claims: Claims on each measure, as the looks of the season made them.
    """

    field: ComparedField
    rows: tuple[LeaderboardRow, ...]
    indices: Sequence[int]
    verdict: SeasonVerdict
    alpha: Alpha | None
    claims: tuple[ClaimRecord, ...]
    alpha_claims: tuple[ClaimRecord, ...]


def evaluation_id(snapshot_id: str, confidence: float, seed: int, resamples: int) -> str:
    """Return the id of the evaluation up to a snapshot with these options."""
    return ids.derive("evaluation", METHOD, snapshot_id, confidence, seed, resamples)


def make_evaluation(found: SeasonStatistics, options: StatisticsOptions) -> Evaluation:
    """Return the message, with an empty `verdict`."""
    field, verdict = found.field, found.verdict
    season, known = field.season, field.season.assumptions
    newest = season.snapshot_ids[-1] if season.snapshot_ids else ""
    stress = stress_of(season, field.entrants, field.window)
    claims = (
        *(
            _claim(
                one,
                "return",
                _doubt(one, field, verdict.pairs),
                _survives(one, field, verdict.pairs, stress),
            )
            for one in found.claims
        ),
        *(
            _claim(one, "alpha", _doubt(one, field, found.alpha.pairs if found.alpha else ()), None)
            for one in found.alpha_claims
        ),
    )
    tested = [c.survives_stress for c in claims if c.measure == "return" and c.withdrawn is None]
    detectables = _detectables(field, verdict, found.indices)
    detectable = simple_detectable(verdict.detectable)
    reasons = dict(verdict.reasons)
    if verdict.detectable is not None and detectable is None:
        reasons["detectable"] = TOO_WIDE
    return Evaluation(
        evaluation_id=evaluation_id(newest, options.confidence, options.seed, options.resamples),
        snapshot_id=newest,
        snapshots=season.periods,
        as_of=known.last,
        interval_s=season.interval_s,
        confidence=options.confidence,
        seed=options.seed,
        resamples=options.resamples,
        hold_return=total_return(season.hold[field.shown.begin : field.shown.end + 1]),
        detectable=detectable,
        detectables=detectables,
        planned=known.planned,
        interim=not options.horizon.over,
        look=verdict.look,
        looks=verdict.looks,
        compared_from=field.window.begin,
        compared=field.window.periods,
        claims=claims,
        sharpe_unit=sharpe_scale(season.interval_s, season.periods)[1],
        design=_design(field, verdict),
        warnings=_warnings(found, stress, tested),
        verdict="",
        rows=found.rows,
        dead=season.dead,
        apart=season.apart,
        method=(*verdict.method, *_method(found)),
        assumptions=assumption_lines(known),
        reasons=dict(sorted(reasons.items())),
        ends=season.ends,
        account_digest=season.account_digest,
        currency=known.currency,
        wallets=tuple(currency for currency, _ in known.wallets),
    )


def _warnings(
    found: SeasonStatistics, stress: Stress, tested: Sequence[bool | None]
) -> tuple[str, ...]:
    """Return what readers of the figures must know, one sentence each."""
    field = found.field
    season, known = field.season, field.season.assumptions
    texts = (
        refusal_note(season),
        unsellable_note(season),
        oversized_equity_note(found.rows, known.currency),
        *field.notes,
        *lost_account_notes(season),
        stress_text(stress, tested),
        *_cutoff_warnings(season),
        coached_warning(found.rows),
    )
    return tuple(text for text in texts if text)


def _method(found: SeasonStatistics) -> tuple[str, ...]:
    """Return sentences about the method other than the verdict's statistics."""
    cells = any(entrant.is_cell for entrant in found.field.entrants)
    together = "Repeats of a cell are one entrant: the mean of their log returns in each period."
    return (*([together] if cells else ()), *(found.alpha.method if found.alpha else ()))


def _cutoff_warnings(season: Season) -> list[str]:
    """Return a sentence for each model that may have trained on the season's prices."""
    known = season.assumptions
    if not known.is_of_real_market or known.first is None or known.last is None:
        return []
    models = dict.fromkeys((entry.model, entry.cutoff) for entry in season.entries)
    found = [
        cutoff_warning(model, cutoff, known.first, known.last) for model, cutoff in sorted(models)
    ]
    return [text for text in found if text]


def _claim(
    record: ClaimRecord, measure: Literal["return", "alpha"], doubt: str, survives: bool | None
) -> Claim:
    return Claim(
        winner=record.winner,
        loser=record.loser,
        measure=measure,
        snapshots=record.snapshots,
        withdrawn=record.withdrawn,
        why=record.why or doubt,
        survives_stress=survives,
    )


def _doubt(record: ClaimRecord, field: ComparedField, pairs: Sequence[Pair]) -> str:
    """Return why a claim that holds is in doubt until the next look; "" if it is not."""
    if not record.holds:
        return ""
    names = [one.name for one in field.entrants]
    gone = [name for name in (record.winner, record.loser) if name not in names]
    if gone:
        return f"{gone[0]} is not compared now; the next look withdraws the claim"
    if _pair_of(record, names, pairs) is None:
        return f"{record.winner} is not ahead now; the next look decides"
    return ""


def _pair_of(record: ClaimRecord, names: Sequence[str], pairs: Sequence[Pair]) -> Pair | None:
    """Return the pair that a claim separates now; None if its winner is not ahead."""
    wanted = {record.winner, record.loser}
    return next((p for p in pairs if {names[p.a], names[p.b]} == wanted and p.separated), None)


def _survives(
    record: ClaimRecord, field: ComparedField, pairs: Sequence[Pair], stress: Stress | None
) -> bool | None:
    """Return whether a claim that holds would survive the shock; None if unknown."""
    if stress is None or not record.holds:
        return None
    found = _pair_of(record, [one.name for one in field.entrants], pairs)
    return None if found is None else stress.survives(found)


def _detectables(
    field: ComparedField, verdict: SeasonVerdict, indices: Sequence[int]
) -> tuple[Detectable, ...]:
    """Return the detectable differences of the pairs at the top, best entrants first."""
    rank = {index: number for number, index in enumerate(indices)}
    top = {n for n, standing in enumerate(verdict.standings) if standing.rank_low == 1}
    days = field.window.periods * field.season.interval_s / DAY_S
    found = []
    for pair in verdict.pairs:
        difference = simple_detectable(pair.detectable)
        if difference is None or pair.detectable is None or not {pair.a, pair.b} <= top:
            continue
        first, second = sorted((pair.a, pair.b), key=rank.__getitem__)
        one = Detectable(
            a=field.entrants[first].name,
            b=field.entrants[second].name,
            difference=difference,
            per_day=per_day(pair.detectable, days),
        )
        found.append(((rank[first], rank[second]), one))
    found.sort(key=lambda item: item[0])
    return tuple(one for _, one in found[:DETECTABLES_MAX])


def _design(field: ComparedField, verdict: SeasonVerdict) -> tuple[str, ...]:
    """Return sentences about the gains of the contest's design; () without a verdict."""
    if not verdict.pairs or verdict.periods < PERIODS_MIN:
        return ()
    season, window = field.season, field.window
    returns = window.cut(season.log_returns())
    shares = window.cut(exposure_shares(season.equity, season.exposure))
    competing = [list(one.places) for one in field.entrants if one.kind == "agent"]
    gains = design_gains(
        [returns[:, indices] for indices in competing],
        [shares[:, indices] for indices in competing],
        window.cut(season.hold_log_returns()),
        numbers=[[season.entries[index].seed for index in indices] for indices in competing],
        seeds=seed_support(season),
    )
    return design_text(gains, window.periods * season.interval_s / DAY_S)
