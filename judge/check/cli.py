"""`arena verdict-check`: does the verdict keep its promises when the truth is known?

Simulates seasons in which every agent has the same expected return and counts false "A beats B"
claims and intervals that miss the truth; then seasons in which one agent is truly better, and how
often that was found. Reads nothing; writes tables to standard output and, on request, one JSON
file.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.atomic_files import require_writable, write_atomic
from judge.check.process_pool import PART_SIZE, Count, gather, processes, progress

if TYPE_CHECKING:
    from judge.check.catalogue import Task
    from judge.check.markets import MarketScenario
    from judge.check.p_best_calibration import PBestCheck
    from judge.check.simulation import Counts
    from judge.check.summary import MarketCheck, Power

    Curve = tuple[MarketScenario, list[tuple[float, Power, float | None]]]

SEASONS_MIN = 20
POWER_CURVE_SEASONS = 200
"""Seasons for each point of a power curve."""

INTERVAL_SEASONS = 500
"""Seasons for each market of `--intervals`."""


def verdict_check(
    markets: Annotated[
        str, typer.Option(help="Only these markets, comma-separated; * matches anything.")
    ] = "*",
    full: Annotated[
        bool, typer.Option("--full", help="Simulate ten times the seasons: about three hours.")
    ] = False,
    seasons: Annotated[
        int | None,
        typer.Option(
            help="Number of seasons for every market, instead of its usual number.", min=SEASONS_MIN
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Print the names of the markets and exit.")
    ] = False,
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Print what a season can detect, by closed forms, and exit."),
    ] = False,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Compare kinds of intervals and exit.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed for the simulations.", min=0)] = 1,
    workers: Annotated[
        int, typer.Option(help="Number of processes; 0 means one per core.", min=0, max=256)
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures to this file.")
    ] = None,
) -> None:
    """Check the judge on simulated seasons: false claims, coverage of the intervals, power.

    Takes about 15 minutes on two free cores. Fewer seasons are faster but less precise: with two
    agents and 1,200 seasons, the standard error of a coverage is 0.9 %.

    Exits with code 1 if more than 5 % of the seasons of a market have a false "A beats B", at the
    end or at any look; or if a printed 90 % interval holds the truth in fewer than 88 % or more
    than 92 % of cases; or if P(best) is off by more than 3 points. Markets without a promise are
    shown and do not count.

    Example: arena verdict-check --markets 'normal-2x384,ar*' --seasons 500
    """
    from judge.check.catalogue import FULL_TIMES

    require_writable(json_file, "--json")
    if paper:
        return _paper(seed, json_file)
    count = workers or os.cpu_count() or 1
    if intervals:
        return _intervals(seasons or INTERVAL_SEASONS, seed, count, json_file)
    wanted = _chosen(markets)
    if names:
        print("\n".join(wanted.names))
        return None
    return _promises(wanted, FULL_TIMES if full else 1, seasons, seed, count, json_file)


@dataclass(frozen=True, slots=True)
class _Selection:
    """Markets, power-curve markets and numbers of agents for P(best) that the patterns match."""

    names: list[str]
    markets: list["MarketScenario"]
    curves: list["MarketScenario"]
    skill_fields: list[int]


def _chosen(patterns: str) -> _Selection:
    from judge.check.catalogue import CURVES, MARKETS, matching_names
    from judge.check.p_best_calibration import FIELDS

    markets = {market.name: market for market in MARKETS}
    curves = {f"power-{market.name}": market for market in CURVES}
    skill_fields = {f"p-best-{agents}": agents for agents in FIELDS}
    try:
        names = matching_names(patterns, [*markets, *curves, *skill_fields])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return _Selection(
        names,
        [markets[name] for name in names if name in markets],
        [curves[name] for name in names if name in curves],
        [skill_fields[name] for name in names if name in skill_fields],
    )


def _promises(
    chosen: _Selection,
    times: int,
    seasons: int | None,
    seed: int,
    workers: int,
    json_file: Path | None,
) -> None:
    # Import the printing code before the long run: its files may be updated in the meantime.
    import judge.check.tables  # noqa: F401
    from judge.check.catalogue import POWER_MULTIPLES, tasks
    from judge.check.p_best_calibration import SEASONS, skill_fields

    wanted = tasks(chosen.markets, times=times, seasons=seasons)
    few = seasons or POWER_CURVE_SEASONS * times
    many = seasons or SEASONS * times
    total = sum(task.seasons + task.power_seasons for task in wanted)
    total += few * len(POWER_MULTIPLES) * len(chosen.curves)
    total += many * sum(len(skill_fields(agents)) for agents in chosen.skill_fields)
    with progress(total) as count, processes(workers) as pool:
        found = _CheckResults(
            _run_markets(pool, wanted, seed, count),
            _run_curves(pool, chosen.curves, few, seed, count),
            _run_p_best(pool, chosen.skill_fields, many, seed, count),
        )
    _show(found, seed)
    if json_file is not None:
        _write(json_file, _figures(found, seed))
    if not found.kept:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _CheckResults:
    """Results of all simulations."""

    markets: list["MarketCheck"]
    curves: list["Curve"]
    chances: list["PBestCheck"]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return all(c.kept for c in self.markets) and all(c.kept for c in self.chances)


def _run_markets(
    pool: ProcessPoolExecutor, wanted: Sequence["Task"], seed: int, count: Count
) -> list["MarketCheck"]:
    """Judge every market, then again with a true lead of the printed detectable size."""
    from judge.check.simulation import run_market, typical_detectable
    from judge.check.summary import summarise

    jobs = [(task.market, task.seasons) for task in wanted]
    plain = [found for _, found in gather(pool, run_market, jobs, seed, count, _part)]
    leads = [typical_detectable(found) for found in plain]
    led = [
        (i, replace(task.market, lead=lead), task.power_seasons)
        for i, (task, lead) in enumerate(zip(wanted, leads, strict=True))
        if task.power_seasons and lead is not None
    ]
    count(sum(t.power_seasons for t in wanted) - sum(n for _, _, n in led))
    powered = gather(pool, run_market, [(m, n) for _, m, n in led], seed, count, _part)
    found = {i: (m.lead, counts) for (i, _, _), (m, counts) in zip(led, powered, strict=True)}
    return [
        summarise(task.market, counts, found.get(i))
        for i, (task, counts) in enumerate(zip(wanted, plain, strict=True))
    ]


def _run_curves(
    pool: ProcessPoolExecutor,
    curves: Sequence["MarketScenario"],
    seasons: int,
    seed: int,
    count: Count,
) -> list["Curve"]:
    """Judge seasons with several sizes of a true lead."""
    from judge.check.catalogue import POWER_MULTIPLES
    from judge.check.simulation import run_market, typical_detectable
    from judge.check.summary import summarise_power

    drawn: list[Curve] = []
    for market in curves:
        leads = [multiple * market.paper.detectable for multiple in POWER_MULTIPLES]
        jobs = [(replace(market, lead=lead), seasons) for lead in leads]
        points: Sequence[tuple[MarketScenario, list[Counts]]] = gather(
            pool, run_market, jobs, seed, count, _part
        )
        curve = [
            (multiple, summarise_power(m.lead, counts), typical_detectable(counts))
            for multiple, (m, counts) in zip(POWER_MULTIPLES, points, strict=True)
        ]
        drawn.append((market, curve))
    return drawn


def _run_p_best(
    pool: ProcessPoolExecutor, numbers: Sequence[int], seasons: int, seed: int, count: Count
) -> list["PBestCheck"]:
    """Simulate fields of known skill and pool their leaders' P(best)."""
    from judge.check.p_best_calibration import (
        PART_SEASONS,
        run_field,
        skill_fields,
        summarise_p_best,
    )

    found = []
    for agents in numbers:
        jobs = [(field, seasons) for field in skill_fields(agents)]
        runs = gather(pool, run_field, jobs, seed, count, lambda _: PART_SEASONS)
        found.append(summarise_p_best(agents, [one for _, parts in runs for one in parts]))
    return found


def _part(market: "MarketScenario") -> int:
    return max(1, PART_SIZE // market.agents)


def _show(found: _CheckResults, seed: int) -> None:
    from judge.check.simulation import CONFIDENCE, RESAMPLES
    from judge.check.tables import legend, market_table, p_best_tables, power_table

    checks = found.markets
    if checks:
        print(
            'All agents have the same expected return: how often "A beats B" was said, and how '
            f"often the printed {CONFIDENCE:.0%} interval held the truth ({RESAMPLES} resamples, "
            f"seed {seed})\n"
        )
        print(market_table(checks))
        print("\n" + legend([check.market for check in checks]))
    for market, curve in found.curves:
        print("\nOne agent is truly better than the others: how often it was said\n")
        print(power_table(market, curve))
    if found.chances:
        print("\nP(best) of the leader: what it was given, and how often it was truly the best\n")
        print(p_best_tables(found.chances))
    if checks:
        promised = [check for check in checks if check.market.promised]
        kept = sum(check.kept for check in promised)
        print(f"\n{kept} of {len(promised)} markets kept every promise")


def _paper(seed: int, json_file: Path | None) -> None:
    from judge.check.paper import season_on_paper
    from judge.check.tables import paper_text

    tables = season_on_paper(seed)
    print(paper_text(tables))
    if json_file is not None:
        _write(json_file, asdict(tables))


def _intervals(seasons: int, seed: int, workers: int, json_file: Path | None) -> None:
    from judge.check.intervals import CANDIDATES, MARKETS, run_intervals, summarise_intervals
    from judge.check.tables import interval_table

    jobs = [(market, seasons) for market in MARKETS]
    with progress(len(MARKETS) * seasons) as count, processes(workers) as pool:
        runs = gather(pool, run_intervals, jobs, seed, count)
    rows = [(market, len(hits), summarise_intervals(hits)) for market, hits in runs]
    print(interval_table(CANDIDATES, rows))
    if json_file is not None:
        _write(json_file, [[asdict(m), n, [asdict(c) for c in found]] for m, n, found in rows])


# object: figures of mixed types, for JSON.
def _figures(found: _CheckResults, seed: int) -> dict[str, object]:
    from judge.check.p_best_calibration import p_best_json
    from judge.check.summary import as_json

    return {
        "seed": seed,
        "markets": [as_json(check) for check in found.markets],
        "power_curves": [
            {
                "name": f"power-{market.name}",
                "points": [
                    {"multiple": multiple, "detectable": printed, **asdict(power)}
                    for multiple, power, printed in curve
                ],
            }
            for market, curve in found.curves
        ],
        "chances": [p_best_json(check) for check in found.chances],
        "kept": found.kept,
    }


def _write(path: Path, figures: object) -> None:
    write_atomic(path, json.dumps(figures, indent=2) + "\n")
    print(f"all figures: {path}")
