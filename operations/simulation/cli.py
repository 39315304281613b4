"""`arena simulate`: flags, the terminal, exit codes.

Exit codes: 0 every seed held, 1 one failed or a planted bug was not found, 2 usage, 130 after
Ctrl-C.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from arena import logs
from arena.atomic_files import require_writable, write_atomic
from arena.errors import EXIT_INTERRUPTED, EXIT_NO, UsageError
from arena.plural import counted
from arena.settings import Settings
from operations.commands.live_line import LiveLine
from operations.simulation import planted, pool, scale, scale_text
from operations.simulation.members import prepare
from operations.simulation.plan import Fault
from operations.simulation.run import REPLAY_EVERY, SeedResult, plan_of, play, shortened
from operations.simulation.shorten import kind_of, shortest

AGENTS_CHECKED_MAX = 20
"""With more agents the run only counts what they send and read."""
SNAPSHOTS, SNAPSHOTS_COUNTED = 50, 3
WARM_UP_SNAPSHOTS = 4
SHORTENED_MAX = 3
"""Failing seeds whose faults are shortened."""
REASONS_SHOWN_MAX = 5
REASON_CHARS_MAX = 400


@dataclass(slots=True)
class Totals:
    """What the seeds of a command found.

    Attributes:
        seeds: How many were run.
        failed: The results of those that failed.
        seconds: Wall seconds.
        planted: Name of a planted bug -> the seed that found it; None if none did.
        faults, restarts, steps, appended: Sums over all seeds.
    """

    seeds: int = 0
    failed: list[SeedResult] = field(default_factory=list)
    seconds: float = 0.0
    planted: dict[str, int | None] = field(default_factory=dict)
    faults: int = 0
    restarts: int = 0
    steps: int = 0
    appended: int = 0

    def add(self, result: SeedResult) -> None:
        """Add a seed."""
        self.seeds += 1
        self.faults += sum(result.injected.values())
        self.restarts += result.restarts
        self.steps += result.steps
        self.appended += result.appended
        if result.reasons:
            self.failed.append(result)

    def document(self) -> dict[str, object]:
        """The totals for programs; keys are only added."""
        return {
            "seeds": self.seeds,
            "failed": sorted(result.seed for result in self.failed),
            "seconds": round(self.seconds, 1),
            "planted": self.planted,
            "failures": [result.document() for result in self.failed],
            "faults": self.faults,
            "restarts": self.restarts,
            "steps": self.steps,
            "records": self.appended,
        }


def simulate(
    seeds: Annotated[int, typer.Option(help="Number of seeds.", min=1, max=1_000_000)] = 100,
    first_seed: Annotated[int, typer.Option(help="The first seed.", min=0)] = 1,
    seed: Annotated[
        int | None, typer.Option(help="Run this seed alone.", min=0, show_default=False)
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Seeds that run at once. [one per core]", min=1, max=256),
    ] = None,
    agents: Annotated[int, typer.Option(help="Number of agents.", min=1, max=20_000)] = 3,
    snapshots: Annotated[
        int | None,
        typer.Option(help="Number of snapshots. [50]", min=2, max=1_000, show_default=False),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write what happened to this file; for --seed.")
    ] = None,
    first_failure: Annotated[
        bool, typer.Option("--first-failure", help="Stop at the first seed that fails.")
    ] = False,
    shorten: Annotated[
        bool, typer.Option("--shorten/--no-shorten", help="Shorten the faults of failing seeds.")
    ] = True,
    plant: Annotated[
        bool, typer.Option("--planted", help="Check that five planted bugs are found.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file.")
    ] = None,
) -> None:
    """Run a whole arena in one process under seeded faults, many times, and check it each time.

    Order, delays, crashes, frozen processes, changes of leaders, clocks and disks follow from the
    seed. Needs no broker and no key, and takes no longer than its work: a seed plays minutes in a
    second.

    With more than 20 agents one run of 3 snapshots, without faults or checks, counts messages,
    bytes and CPU per turn, and the readers of each topic.

    Example: arena simulate --seeds 2000 --json simulate.json
    """
    require_writable(json_file, "--json")
    require_writable(trace, "--trace")
    if trace is not None and seed is None:
        raise UsageError("--trace writes what happened in one seed", remedy="add --seed N")
    line, began_s = LiveLine(sys.stderr), time.monotonic()
    if agents > AGENTS_CHECKED_MAX:
        _require_alone(plant or seed is not None)
        _count(agents, snapshots or SNAPSHOTS_COUNTED, line, json_file)
        return
    snapshots = snapshots or SNAPSHOTS
    wanted = range(first_seed, first_seed + seeds) if seed is None else range(seed, seed + 1)
    workers, totals = jobs or os.cpu_count() or 1, Totals()
    try:
        if plant:
            totals.planted = planted.find_all(wanted, workers, agents, snapshots, line)
        else:
            _run(wanted, workers, agents, snapshots, totals, line, first_failure, trace)
            totals.seconds = time.monotonic() - began_s
            _print_failures(totals, agents, snapshots, line, SHORTENED_MAX if shorten else 0)
    except KeyboardInterrupt:
        line.end(f"interrupted after {counted(totals.seeds, 'seed')}")
        sys.exit(EXIT_INTERRUPTED)
    totals.seconds = totals.seconds or time.monotonic() - began_s
    line.end(_planted_text(totals) if plant else _summary(totals))
    if json_file is not None:
        write_atomic(json_file, json.dumps(totals.document(), indent=2) + "\n")
    if totals.failed or None in totals.planted.values():
        sys.exit(EXIT_NO)


def _require_alone(checks: bool) -> None:
    if checks:
        text = f"--seed and --planted run with up to {AGENTS_CHECKED_MAX} agents"
        raise UsageError(text, remedy="leave out --agents, or the others")


def _count(agents: int, snapshots: int, line: LiveLine, json_file: Path | None) -> None:
    """Run an arena of many agents once, and show what it sends and reads."""
    logs.configure(Settings(log_level="ERROR"), node="simulation")
    line.show(f"{agents:,} agents, {snapshots} snapshots")
    prepare(snapshots)
    with tempfile.TemporaryDirectory(prefix="arena-simulate-") as folder:
        found = scale.measure(agents, snapshots, Path(folder))
    line.end(f"{found.turns:,} turns in {found.cpu_s:.1f} s of CPU")
    typer.echo(scale_text.table(found))
    if json_file is not None:
        write_atomic(json_file, json.dumps(found.document(), indent=2) + "\n")


def _run(
    seeds: range,
    workers: int,
    agents: int,
    snapshots: int,
    totals: Totals,
    line: LiveLine,
    first_failure: bool,
    trace: Path | None,
) -> None:
    """Run seeds, and show the progress."""
    began_s = time.monotonic()
    logs.configure(Settings(log_level="ERROR"), node="simulation")
    prepare(snapshots)
    # Children inherit what the first run of a process loads and remembers.
    play(plan_of(0, agents, WARM_UP_SNAPSHOTS))
    jobs = ((seed, partial(_play, seed, agents, snapshots, trace)) for seed in seeds)
    for _, result in pool.results_of(jobs, workers):
        totals.add(result)
        minutes = (time.monotonic() - began_s) / 60
        done, failed = totals.seeds, len(totals.failed)
        pace = done / minutes if minutes else 0.0
        left = (len(seeds) - done) / pace if pace else 0.0
        line.show(
            f"{done:,} of {len(seeds):,} seeds, {failed} failed,"
            f" {pace:.0f} seeds/min, {left:.1f} min left"
        )
        if failed and first_failure:
            return


def _play(seed: int, agents: int, snapshots: int, trace: Path | None) -> SeedResult:
    """Runs in a child."""
    lines: list[str] | None = None if trace is None else []
    plan = plan_of(seed, agents, snapshots)
    result = play(plan, replay=seed % REPLAY_EVERY == 0, trace=lines)
    if trace is not None and lines is not None:
        write_atomic(trace, "\n".join([*map(str, plan.faults), *lines]) + "\n")
    return result


def _print_failures(
    totals: Totals, agents: int, snapshots: int, line: LiveLine, shortened_max: int
) -> None:
    for number, result in enumerate(totals.failed):
        _print(line, _failure_text(result, agents, snapshots))
        if number < shortened_max:
            _print(line, _shortened_text(result, agents, snapshots, line))


def _print(line: LiveLine, text: str) -> None:
    for one in text.splitlines():
        line.print_above(one)


def _summary(totals: Totals) -> str:
    pace = totals.seeds * 60 / totals.seconds if totals.seconds else 0.0
    held = f"{len(totals.failed)} failed" if totals.failed else "every invariant held"
    return (
        f"{counted(totals.seeds, 'seed')} in {totals.seconds:.0f} s ({pace:.0f} a minute): {held};"
        f" {totals.faults:,} faults, {totals.restarts:,} restarts, {totals.appended:,} records"
    )


def _planted_text(totals: Totals) -> str:
    words = [
        f"{name}: {'not found' if seed is None else f'found by seed {seed}'}"
        for name, seed in totals.planted.items()
    ]
    return "; ".join(words)


def _failure_text(result: SeedResult, agents: int, snapshots: int) -> str:
    shown = [f"  {reason[:REASON_CHARS_MAX]}" for reason in result.reasons[:REASONS_SHOWN_MAX]]
    return "\n".join(
        [
            f"seed {result.seed} failed, trace {result.digest[:16]}:",
            *shown,
            f"  again: {_again(result.seed, agents, snapshots)}",
        ]
    )


def _again(seed: int, agents: int, snapshots: int) -> str:
    return f"arena simulate --seed {seed} --agents {agents} --snapshots {snapshots}"


def _shortened_text(result: SeedResult, agents: int, snapshots: int, line: LiveLine) -> str:
    """Shorten the faults of a failing seed; return the plan that is left, one line per fault."""
    plan, kind = plan_of(result.seed, agents, snapshots), kind_of(result.reasons)

    def fails(faults: tuple[Fault, ...]) -> bool:
        line.show(f"seed {result.seed}: does it fail with {counted(len(faults), 'fault')}?")
        job = partial(play, shortened(plan, faults), replay=result.seed % REPLAY_EVERY == 0)
        ((_, again),) = pool.results_of([(result.seed, job)], 1)
        return kind_of(again.reasons) == kind

    left = shortest(plan.faults, fails)
    if not left:
        return "  it fails without a fault"
    words = f"  it still fails with {len(left)} of {counted(len(plan.faults), 'fault')}:"
    return "\n".join([words, *(f"    {fault}" for fault in left)])
