"""`arena verdict-check`: does the verdict keep its promises where the truth is known?

Simulates seasons in which every agent has the same law and counts the false "A beats B" and the
intervals that miss the truth; then seasons in which one agent is truly better, and how often that
was found. Reads nothing; writes tables to standard output and, where asked, one JSON file.
"""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from arena.localbroker.progress import Step
from arena.written import require_writable, write_whole

if TYPE_CHECKING:
    from judge.check_markets import Market
    from judge.check_runs import Counts, MarketCheck, PowerCheck, PowerJob

Job = TypeVar("Job")
Result = TypeVar("Result")

SEASONS_MIN = 20
PART_SEASONS = 25
"""Seasons in one task of a process: about a second of work."""

PART_TIMEOUT_S = 600.0
"""A task that takes longer than this hangs."""

POWER_SHARE = 5
"""A point of a power curve gets a fifth of the seasons that a market gets."""

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def verdict_check(
    seasons: Annotated[
        int, typer.Option(help="Simulated seasons per market.", min=SEASONS_MIN)
    ] = 1000,
    paper: Annotated[
        bool, typer.Option("--paper", help="Only print what a season on paper can tell.")
    ] = False,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Only compare kinds of intervals.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the simulations.", min=0)] = 1,
    workers: Annotated[
        int, typer.Option(help="Processes; 0 means one per core.", min=0, max=256)
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures to this file.")
    ] = None,
) -> None:
    """Check the judge on simulated seasons: false claims, coverage of the intervals, power.

    Takes about five minutes on two free cores. Fewer seasons are quicker and say less: the bounds
    are meant for 1,000, where a coverage is known to about 1 %.

    Exit code 1 where a false "A beats B" comes in more than 5 % of the seasons of a market, or a
    printed 90 % interval holds the truth in less than 88 % or more than 92 %.

    Example: arena verdict-check --paper
    """
    require_writable(json_file, "--json")
    if paper:
        return _paper(seed, json_file)
    processes = workers or os.cpu_count() or 1
    if intervals:
        return _intervals(seasons, seed, processes, json_file)
    return _promises(seasons, seed, processes, json_file)


def _promises(seasons: int, seed: int, workers: int, json_file: Path | None) -> None:
    from judge.check_runs import CONFIDENCE, RESAMPLES, summarise, summarise_power
    from judge.check_tables import market_table, power_table

    markets, powers = _run(seasons, seed, workers)
    checks = [summarise(market, counts) for market, counts in markets]
    curves = [summarise_power(job, results) for job, results in powers]
    print(
        f'Every agent has the same law: how often "A beats B" was said, and how often the '
        f"printed {CONFIDENCE:.0%} interval held the truth ({RESAMPLES} resamples, seed {seed})\n"
    )
    print(market_table(checks))
    print("\nOne agent is truly better than the others: how often it was said\n")
    print(power_table(curves))
    missed = sum(bool(check.missed) for check in checks)
    print(f"\n{len(checks) - missed} of {len(checks)} markets kept every promise")
    if json_file is not None:
        _write(json_file, _figures(seasons, seed, checks, curves))
    if missed:
        raise typer.Exit(1)


def _paper(seed: int, json_file: Path | None) -> None:
    from judge.check_paper import season_on_paper
    from judge.check_tables import paper_text

    tables = season_on_paper(seed)
    print(paper_text(tables))
    if json_file is not None:
        _write(json_file, asdict(tables))


def _intervals(seasons: int, seed: int, workers: int, json_file: Path | None) -> None:
    from judge.check_intervals import CANDIDATES, MARKETS, run_intervals, summarise_intervals
    from judge.check_tables import interval_table

    with _progress(len(MARKETS) * seasons) as count, _pool(workers) as pool:
        runs = _gather(pool, run_intervals, MARKETS, seed, seasons, count)
    rows = [(market, len(hits), summarise_intervals(hits)) for market, hits in runs]
    print(interval_table(CANDIDATES, rows))
    if json_file is not None:
        _write(json_file, [[asdict(m), n, [asdict(c) for c in found]] for m, n, found in rows])


def _run(
    seasons: int, seed: int, workers: int
) -> tuple[
    list[tuple["Market", list["Counts"]]], list[tuple["PowerJob", list[tuple[bool, float]]]]
]:
    """Run every market and every point of the power curves on a pool of processes."""
    from judge.check_runs import MARKETS, POWER_JOBS, run_market, run_power

    few = max(SEASONS_MIN, seasons // POWER_SHARE)
    total = len(MARKETS) * seasons + len(POWER_JOBS) * few
    with _progress(total) as count, _pool(workers) as pool:
        markets = _gather(pool, run_market, MARKETS, seed, seasons, count)
        return markets, _gather(pool, run_power, POWER_JOBS, seed, few, count)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Yield a callback that is told how many more seasons were asked for and judged."""
    from arena.commands.progress import draw_progress

    with draw_progress() as show:
        done = 0

        def count(part: int) -> None:
            nonlocal done
            done += part
            text = f"{done:,} of {total:,} seasons"
            show(Step("verdict check", text, done, total, finished=done == total))

        count(0)
        yield count


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that leave Ctrl-C to this one, and that end when it leaves."""
    # The processes already use every core; threads of theirs would only get in each other's way.
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupts)
    try:
        yield pool
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()  # what it computes is of no use any more
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _gather(
    pool: ProcessPoolExecutor,
    run: Callable[[Job, int, range], list[Result]],
    jobs: Sequence[Job],
    seed: int,
    seasons: int,
    count: Callable[[int], None],
) -> list[tuple[Job, list[Result]]]:
    """Each job with the results of its seasons in order, whichever process computed them."""
    parts = [range(i, min(i + PART_SEASONS, seasons)) for i in range(0, seasons, PART_SEASONS)]
    futures = [[pool.submit(run, job, seed, part) for part in parts] for job in jobs]
    gathered: list[tuple[Job, list[Result]]] = []
    for job, mine in zip(jobs, futures, strict=True):
        results: list[Result] = []
        for part, future in zip(parts, mine, strict=True):
            results += future.result(timeout=PART_TIMEOUT_S)
            count(len(part))
        gathered.append((job, results))
    return gathered


# object: figures of mixed types, made for JSON.
def _figures(
    seasons: int, seed: int, checks: Sequence["MarketCheck"], curves: Sequence["PowerCheck"]
) -> dict[str, object]:
    return {
        "seasons": seasons,
        "seed": seed,
        "markets": [
            {**asdict(check), "title": check.market.title, "missed": check.missed}
            for check in checks
        ],
        "power": [{**asdict(c), "on_paper": c.job.paper.detectable} for c in curves],
    }


def _write(path: Path, figures: object) -> None:
    write_whole(path, json.dumps(figures, indent=2) + "\n")
    print(f"all figures: {path}")
