"""`arena judge calibrate`: measures a judging model with planted faults."""

import sys
from typing import Annotated

import typer

from arena.options import AsJson, Prefix, Run, Servers
from arena.visible_text import visible_json
from judge.cli_answers import end_progress, show_progress

TURNS = 30
TURNS_MAX = 500


def calibrate(
    node: Annotated[
        str | None,
        typer.Option(
            "--node", help="Chat node to measure. [the one that judged last, or the agents' only]"
        ),
    ] = None,
    turns: Annotated[
        int, typer.Option("--turns", min=1, max=TURNS_MAX, help="Recorded turns to use.")
    ] = TURNS,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
) -> None:
    """Plant known faults in recorded turns, and count which ones a judging model finds.

    Each turn is asked about unchanged, and with every fault that fits: an invented price, ten times
    the size, a rule of its own broken, a refusal ignored, hindsight, no reason, an order against
    its words: about seven calls per turn. The rates, with intervals, are published on
    judge.evaluations, and correct the model's later judgements. The chat node must be running.

    Example: arena judge calibrate --node judge --turns 30
    """
    from arena import logs
    from arena.node import run_async
    from arena.run_lookup import find_arena

    with find_arena(
        bootstrap_servers, prefix, run_name, start_broker=False, principal="judge"
    ) as location:
        from arena.ids import check_name
        from arena.tables import print_table
        from judge.evaluations.llm.calibrate import calibrate as measure
        from judge.evaluations.llm.calibration_text import (
            COLUMNS,
            calibration_remarks,
            calibration_rows,
        )

        logs.configure(location.settings, node="judge")
        if node is not None:
            check_name("chat node", node)

        async def run() -> None:
            bus = location.bus("arena-judge-calibrate")
            await bus.start()
            try:
                done = await measure(bus, node, turns, show_progress)
            finally:
                await bus.close()
                end_progress()
            found = done.calibration
            if as_json:
                sys.stdout.write(visible_json(found.model_dump_json(indent=2)) + "\n")
                return
            print_table(COLUMNS, calibration_rows(found), remarks=["", *calibration_remarks(found)])

        run_async(run)
