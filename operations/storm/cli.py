"""`arena storm`: flags, the terminal, exit codes.

Exit codes: 0 every promise held, 1 one was broken, 2 usage, 3 a dependency is missing, 130 after
Ctrl-C.
"""

import asyncio
import json
import logging
import math
import shutil
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import require_writable, write_atomic
from arena.errors import EXIT_INTERRUPTED, EXIT_NO, UsageError
from operations.commands.live_line import LiveLine
from operations.storm import report
from operations.storm.fault_plan import CLUSTER, FaultIntervals, StormPlan, make_plan
from operations.storm.outcome import Outcome
from operations.storm.storm import Storm

MINUTES_MAX = 60.0
RATE_MAX = 2_000.0
BROKER_EVERY_S_MIN = 5.0


def storm(
    seed: Annotated[int, typer.Option(help="Seed for the faults and the orders.", min=0)] = 1,
    minutes: Annotated[
        float, typer.Option(help="Duration of the faults, in minutes.", min=0.2, max=MINUTES_MAX)
    ] = 2.0,
    brokers: Annotated[
        int | None, typer.Option(help="1 or 3 brokers. [drawn from the seed]", show_default=False)
    ] = None,
    secure: Annotated[
        bool | None,
        typer.Option(
            "--secure/--plain",
            help="Brokers with or without login. [drawn from the seed]",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Orders per second, besides the agents'.", min=1, max=RATE_MAX)
    ] = 150.0,
    poison: Annotated[
        bool, typer.Option("--poison/--no-poison", help="Also send records that cannot be read.")
    ] = True,
    broker_every_s: Annotated[
        float | None,
        typer.Option(
            help="Mean seconds between kills of a broker. [25 for one broker, 20 for three]",
            min=BROKER_EVERY_S_MIN,
            show_default=False,
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the folder even if every promise held.")
    ] = False,
    add_up: Annotated[
        bool, typer.Option("--sum", help="Print the table of the FILEs, and run no storm.")
    ] = False,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files of --json, for --sum.")
    ] = None,
) -> None:
    """Run a whole arena under faults, then check that nothing was lost or doubled.

    Starts its own brokers, simulated market, agents, executors and ledgers, and stops them.
    Needs no key. Takes about a minute longer than --minutes.

    Example: arena storm --seed 1 --minutes 2 --json storm.json
    """
    if add_up != bool(files):
        raise UsageError(
            "--sum and files go together", remedy="arena storm --sum ONE.json TWO.json"
        )
    if files:
        return _print_sum(files)
    if brokers not in (None, 1, CLUSTER):
        raise UsageError(f"--brokers must be 1 or {CLUSTER}, got {brokers}")
    require_writable(json_file, "--json")
    if not all(map(math.isfinite, (minutes, rate, broker_every_s or 0.0))):
        raise UsageError(f"numbers must be finite, got --minutes {minutes} --rate {rate}")
    intervals = FaultIntervals() if poison else FaultIntervals(poison=0.0)
    more = "" if poison else " --no-poison"
    if broker_every_s is not None:
        intervals = replace(intervals, broker=broker_every_s, leader=broker_every_s)
        more += f" --broker-every-s {broker_every_s:g}"
    plan = make_plan(seed, minutes, brokers=brokers, secure=secure, intervals=intervals)
    sys.exit(_storm(plan, rate, more, json_file, keep=keep))


def _print_sum(files: list[Path]) -> None:
    rows = [_read(path) for path in files]
    print(report.table_of(rows))
    print("\n".join(report.remarks_of(report.sum_of(rows))))


def _storm(plan: StormPlan, rate: float, more: str, json_file: Path | None, *, keep: bool) -> int:
    """Run the storm, print its figures, keep or remove its folder; return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix=f"arena-storm-{plan.seed}-"))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    line = LiveLine(sys.stderr)
    minutes = f"{plan.seconds / 60:g} min"
    faults = f"{len(plan.faults)} faults"
    line.print_above(f"storm of seed {plan.seed}: {plan.summary()}, {minutes}, {faults}")
    outcome = _run(Storm(plan, folder, rate, line.print_above, line.show))
    if outcome is None:
        shutil.rmtree(folder, ignore_errors=True)
        line.end("interrupted: every process of the storm was stopped")
        return EXIT_INTERRUPTED
    document = report.document_of(outcome)
    line.end(f"{document['orders']:,} orders in {document['seconds']:.0f} s")
    print(report.table_of([document]))
    for text in (*outcome.without, *report.remarks_of(document), *document["findings"]):
        print(text)
    if json_file is not None:
        write_atomic(json_file, json.dumps(document, indent=2) + "\n")
    if not report.all_promises_held(document):
        print(f"a promise was broken; the records are in {folder}")
        print(f"again: {_again(plan, rate)}{more}")
        return EXIT_NO
    if keep:
        print(f"the records are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _run(whole: Storm) -> Outcome | None:
    """Run the storm; return None if it was interrupted. Every process is stopped."""

    async def work() -> Outcome | None:
        task = asyncio.ensure_future(whole.run())
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()

        def stop() -> None:
            stopped.set()
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop)
        try:
            return await task
        except asyncio.CancelledError:
            if not stopped.is_set():
                raise
            return None

    return asyncio.run(work())


def _again(plan: StormPlan, rate: float) -> str:
    secure = "--secure" if plan.secure else "--plain"
    summary = (
        f"--seed {plan.seed} --minutes {plan.seconds / 60:g} --brokers {plan.brokers} {secure}"
    )
    return f"arena storm {summary} --rate {rate:g}"


def _read(path: Path) -> report.Document:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", remedy="name a file written with --json"
        ) from None
    if not isinstance(found, dict) or (missing := report.missing_figures(found)):
        what = f", without {', '.join(missing)}" if isinstance(found, dict) else ""
        raise UsageError(
            f"{path} is not a file of a storm{what}", remedy="name a file written with --json"
        )
    return found
