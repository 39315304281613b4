"""`arena judge compare`: which of two agents decides better, by a judging model."""

import sys
from typing import Annotated

import typer

from arena.options import AsJson, Prefix, Run, Servers
from arena.visible_text import visible_json, visible_line
from judge.cli_answers import end_progress, show_progress

PAIRS = 30
PAIRS_MAX = 500


def compare(
    agent_a: Annotated[str, typer.Argument(help="Agent.", show_default=False)],
    agent_b: Annotated[str, typer.Argument(help="Another agent.", show_default=False)],
    node: Annotated[
        str | None,
        typer.Option(
            "--node", help="Chat node to ask. [the one that judged last, or the agents' only]"
        ),
    ] = None,
    pairs: Annotated[
        int, typer.Option("--pairs", min=1, max=PAIRS_MAX, help="Snapshots to compare on.")
    ] = PAIRS,
    as_json: AsJson = False,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
) -> None:
    """Ask a judging model which of two agents decided better, on the same snapshots.

    Each pair of decisions is asked about in both orders, without names and without what came after;
    an answer counts only with a quote, and a disagreement of both orders is a tie. The counts are
    published on judge.evaluations. The chat node must be running. Two calls per snapshot.

    Example: arena judge compare momentum scalper --pairs 30
    """
    from arena import logs
    from arena.node import run_async
    from arena.run_lookup import find_arena

    with find_arena(
        bootstrap_servers, prefix, run_name, start_broker=False, principal="judge"
    ) as location:
        from arena.ids import check_name
        from judge.evaluations.llm.compare import compare as compare_agents
        from judge.evaluations.llm.compare_text import comparison_lines

        logs.configure(location.settings, node="judge")
        if node is not None:
            check_name("chat node", node)

        async def run() -> None:
            bus = location.bus("arena-judge-compare")
            await bus.start()
            try:
                found = await compare_agents(bus, agent_a, agent_b, node, pairs, show_progress)
            finally:
                await bus.close()
                end_progress()
            if as_json:
                sys.stdout.write(visible_json(found.model_dump_json(indent=2)) + "\n")
                return
            for line in comparison_lines(found):
                print(visible_line(line))

        run_async(run)
