"""All figures of a report, computed from a run's exported records alone. Pure except for reading.

Reads `<run>/records/`. The same records and options give the same facts on every machine, up to
floating-point rounding.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from arena import __version__, topics
from arena.errors import UsageError
from arena.exports import Manifest, read_manifest, read_records
from arena.messages import Evidence
from arena.pass_overs import passed_over_in
from arena.visible_text import visible_json
from judge.claim_history import SeasonAfter
from judge.entrants import Entrant
from judge.evaluations.verify import Verified, recomputed
from judge.leaderboard import Leaderboard, leaderboard
from judge.metrics import Metrics, as_columns
from judge.report.coaching import CoachedAgent, coached_agents
from judge.report.coaching_fold import COACHING_TOPICS, CoachingFold
from judge.report.code import code_digest
from judge.report.daily import DailyReport, daily_reports
from judge.report.daily_fold import DAILY_TOPICS, DailyFold
from judge.season import SEASON_TOPICS, Season, SeasonBuilder
from judge.statistics import AgentStatistics, Interval, MatrixEffects, SeasonVerdict
from judge.statistics.effects import matrix_effects
from judge.verdict_text import as_stopped

RECORDS = "records"
FORMAT = 1

Figures = dict[str, Any]  # Any: a JSON tree.


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Options of a report; they are in `figures.json`.

    Attributes:
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        pacing: The competition's pacing; None if it is not specified.
        title: Name of the contest, used as title; "" for the name of the run.
    """

    confidence: float = 0.90
    seed: int = 1
    pacing: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A run's figures.

    Attributes:
        run: Name of the run.
        board: The leaderboard, with its season, metrics and verdict.
        effects: Effects of the model x strategy matrix, without baselines; None without agents.
        records: Topic -> SHA-256 of its exported file.
        ends: Topic -> partition -> end offset.
        coached: Agents that were coached; () if all prompts were frozen, or nothing was done.
        evaluations: The newest evaluations of these agents, computed again; None without any.
        daily: What each entry did on each day; () without records.
    """

    run: str
    options: ReportOptions
    board: Leaderboard
    effects: MatrixEffects | None
    records: Mapping[str, str] = field(default_factory=dict)
    ends: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    coached: tuple[CoachedAgent, ...] = ()
    evaluations: Verified | None = None
    daily: tuple[DailyReport, ...] = ()

    @property
    def season(self) -> Season:
        """The season; unranked entries are only in its `dead` and `apart`."""
        return self.board.season

    @property
    def entrants(self) -> tuple[Entrant, ...]:
        """The entrants: cells with their repeats, and single entries."""
        return self.board.entrants

    @property
    def metrics(self) -> tuple[Metrics, ...]:
        """Metrics of each entry, in the season's order."""
        return self.board.metrics

    @property
    def verdict(self) -> SeasonVerdict:
        """The statistics, in the order of the entrants."""
        return self.board.verdict

    @property
    def ranking(self) -> list[int]:
        """Indices of the entrants, in the order of the leaderboard."""
        numbers = {entrant.name: number for number, entrant in enumerate(self.entrants)}
        return [numbers[row.agent] for row in self.board.rows]

    @property
    def order(self) -> list[int]:
        """Indices of the entries, in the order of the leaderboard."""
        return [index for number in self.ranking for index in self.entrants[number].places]

    def entrant_of(self, index: int) -> int:
        """Return the index of the entrant that an entry belongs to."""
        return next(n for n, one in enumerate(self.entrants) if index in one.places)

    def standing(self, index: int) -> AgentStatistics:
        """Return the statistics of the entrant that an entry belongs to."""
        return self.verdict.standings[self.entrant_of(index)]


def read_facts(directory: Path, options: ReportOptions, *, run: str = "") -> Facts:
    """Return the facts of a run.

    Args:
        directory: Directory of the run; its `records/` is read.
        options: Options of the report.
        run: Name of the run if it differs from the directory's.

    Raises:
        UsageError: There are no exported records, or they lack a topic.
        BrokenLog: A file of records is damaged.
    """
    folder = directory / RECORDS
    manifest = read_manifest(folder)
    missing = [topic for topic in SEASON_TOPICS if topic not in manifest.topics]
    if missing:
        raise UsageError(f"{folder} lacks {', '.join(missing)}", remedy="export the run again")
    coaching = CoachingFold()
    for record in read_records(folder, [t for t in COACHING_TOPICS if t in manifest.topics]):
        coaching.apply(record)
    builder = SeasonBuilder(options.pacing, coaching.take)
    builder.folds.accounts.pass_over(passed_over_in(folder))
    daily = DailyFold(builder.folds.market)
    builder.folds.accounts.on_taken = daily.take_event
    for record in read_records(folder, SEASON_TOPICS):
        builder.apply(record)
    for record in read_records(folder, [t for t in DAILY_TOPICS if t in manifest.topics]):
        daily.take_record(record)
    again = None
    if newest := coaching.newest_ids():  # Before any season: both set the orders' indices.
        evaluated = read_records(folder, [topics.EVALUATIONS.name])
        again = recomputed(builder, coaching.checks, evaluated, newest)
    facts = make_facts(
        run or directory.resolve().name,
        builder.season(),
        options,
        manifest,
        coaching,
        season_after=lambda snapshots: builder.season(snapshots - 1),
    )
    return replace(facts, evaluations=again, daily=daily_reports(facts.season, daily))


def make_facts(
    run: str,
    season: Season,
    options: ReportOptions,
    manifest: Manifest | None = None,
    coaching: CoachingFold | None = None,
    *,
    season_after: SeasonAfter | None = None,
) -> Facts:
    """Return the facts of a season.

    Args:
        run: Name of the run.
        season: The season.
        options: Options of the report.
        manifest: Manifest of the records of the season.
        coaching: Versions of prompts and evaluations of agents.
        season_after: Returns the season as it was after a number of snapshots.

    Raises:
        UsageError: There was no agent, or no snapshot.
    """
    agents = len(season.entries) + len(season.dead) + len(season.apart)
    if not agents or not season.periods:
        raise UsageError(
            f"run {run} has {agents} agents and {season.periods} snapshots",
            remedy="a report needs at least one of each",
        )
    board = leaderboard(
        season, confidence=options.confidence, seed=options.seed, season_after=season_after
    )
    # Records are exported after the end of a contest: no snapshot will be added.
    evaluation = as_stopped(board.evaluation, rules_changed=season.assumptions.rules_changed)
    board = replace(board, evaluation=evaluation)
    return Facts(
        run=run,
        options=options,
        board=board,
        effects=_effects(board, options),
        records={} if manifest is None else {t: f.sha256 for t, f in manifest.topics.items()},
        ends=season.ends if manifest is None else manifest.ends(),
        coached=()
        if coaching is None
        else coached_agents(
            board.season, coaching, confidence=options.confidence, seed=options.seed
        ),
    )


def matrix_entries(season: Season) -> list[int]:
    """Return the indices of competing entries, which form the model x strategy matrix."""
    return [n for n, entry in enumerate(season.entries) if entry.kind == "agent"]


def _effects(board: Leaderboard, options: ReportOptions) -> MatrixEffects | None:
    season = board.season
    indices = matrix_entries(season)
    if not indices:
        return None
    return matrix_effects(
        board.window.cut(season.log_returns())[:, indices],
        [season.entries[n].strategy for n in indices],
        [season.entries[n].node for n in indices],
        confidence=options.confidence,
        seed=options.seed,
        horizon=board.horizon,
    )


def figures(facts: Facts) -> Figures:
    """Return all figures as a JSON tree, with their sources."""
    season = facts.season
    return {
        "format": FORMAT,
        "arena": __version__,
        "code": code_digest(),
        "run": facts.run,
        "options": asdict(facts.options),
        "records": dict(facts.records),
        "ends": {t: {str(p): end for p, end in e.items()} for t, e in facts.ends.items()},
        "account_digest": season.account_digest,
        "season": {
            "snapshots": season.periods,
            "interval_s": season.interval_s,
            "periods_per_year": season.periods_per_year,
            "first": str(season.times[0]),
            "last": str(season.times[-1]),
            "products": list(season.products),
            "hold_index" if season.parts else "hold_usd": [
                float(season.hold[0]),
                float(season.hold[-1]),
            ],
            **({"currencies": list(season.currencies)} if season.parts else {}),
        },
        "entrants": [asdict(one) for one in facts.entrants],
        "window": list(facts.board.window),
        "entries": [_entry(facts, index) for index in range(len(season.entries))],
        "dead": [one.model_dump(mode="json") for one in season.dead],
        "apart": [one.model_dump(mode="json") for one in season.apart],
        "verdict": asdict(facts.verdict),
        "alpha": [asdict(pair) for pair in facts.board.alpha],
        "effects": None if facts.effects is None else asdict(facts.effects),
        "evaluation": facts.board.evaluation.model_dump(mode="json"),
        **(_coaching(facts) if facts.coached else {}),
        **({"shadow_agents": asdict(season.shadow_llm)} if season.shadow_llm.calls else {}),
    }


def _coaching(facts: Facts) -> Figures:
    again = facts.evaluations
    return {
        "coaching": [asdict(one) for one in facts.coached],
        "coaching_verified": None if again is None else asdict(again),
    }


def canonical(tree: Figures) -> bytes:
    """Return a JSON tree as bytes, keys sorted: the same tree gives the same bytes."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    found = orjson.dumps(
        tree,
        default=_plain,
        option=options | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS,
    )
    return found if found.isascii() else visible_json(found.decode()).encode()


def standing_columns(standing: AgentStatistics) -> dict[str, float | int | str | bool | None]:
    """Return the statistics of an entrant as columns; totals are of log returns."""
    row: dict[str, float | int | str | bool | None] = {
        "rank_low": standing.rank_low,
        "rank_high": standing.rank_high,
        "p_best": standing.p_best,
        "psr": standing.psr,
        "dsr": standing.dsr,
    }
    for name in ("total", "sharpe", "bradley_terry"):
        found: Interval | None = getattr(standing, name)
        row |= {f"{name}_low": None if found is None else found.low}
        row |= {f"{name}_high": None if found is None else found.high}
    strength = standing.bradley_terry
    row["bradley_terry"] = None if strength is None else strength.estimate
    return row


def _entry(facts: Facts, index: int) -> Figures:
    return {
        **asdict(facts.season.entries[index]),
        **standing_columns(facts.standing(index)),
        **as_columns(facts.metrics[index]),
        "reasons": dict(facts.metrics[index].reasons),
        "gates": facts.season.gates[index].document() if facts.season.gates else None,
        "risk": facts.season.risk[index].document() if facts.season.risk else None,
        "exits": facts.season.exits[index].document() if facts.season.exits else None,
    }


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Evidence):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form here")
