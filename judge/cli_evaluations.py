"""`arena judge evaluate` and `arena judge evaluations`: scores of single agents."""

import json
import os
import sys
from functools import partial
from typing import Annotated

import typer

from arena import ids, logs, topics
from arena.bus.base import Record
from arena.command_sender import command_sender
from arena.errors import EXIT_NO
from arena.messages import AgentEvaluation
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.plural import counted
from arena.run_lookup import ArenaLocation, find_arena
from arena.visible_text import visible_json, visible_line

LIMIT = 20


def evaluate(
    agent: Annotated[str, typer.Argument(help="Agent to evaluate.")],
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
    as_json: AsJson = False,
) -> None:
    """Score an agent now: returns, risk, quality of its decisions, consistency.

    The evaluation is published for its coach, unless the last one is less than five minutes of
    market time older. It does not change the contest's verdict.

    Example: arena judge evaluate momentum --json
    """
    from arena.node import run_async

    with find_arena(
        bootstrap_servers, prefix, run_name, offline=True, principal="judge"
    ) as location:
        logs.configure(location.settings, node="judge")
        run_async(lambda: _evaluate(location, agent, as_json=as_json))


async def _evaluate(location: ArenaLocation, agent: str, *, as_json: bool) -> None:
    from arena.tables import print_table
    from judge.checkpoints import SeasonCheckpoint
    from judge.evaluations.evaluate import DEFAULT_OPTIONS
    from judge.evaluations.once import evaluate_now
    from judge.evaluations.text import COLUMNS, detail_lines, document, row_of

    ended = location.run is not None and not location.run.is_running()
    bus = location.bus("arena-judge-evaluate")
    await bus.start()
    try:
        checkpoint = SeasonCheckpoint(location.settings, logs.get("judge"))
        sender, now = f"{command_sender()}/{os.getpid()}", bus.clock.now()
        request = ids.derive("evaluation-request", agent, sender, now.isoformat())
        found = await evaluate_now(bus, checkpoint, agent, request, DEFAULT_OPTIONS, ended=ended)
    finally:
        await bus.close()
    if as_json:
        _write_json(document(found.evaluation, found))
    else:
        print_table(COLUMNS, [row_of(found.evaluation)])
        for line in detail_lines(found.evaluation, found):
            print(visible_line(line))
    if found.why_not:
        print_note(found.why_not)


def evaluations(
    agent: Annotated[
        str | None, typer.Argument(help="Agent. [all agents]", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="Only the newest N evaluations.")
    ] = LIMIT,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compute all of them again from the records; exit 1 if one differs."
        ),
    ] = False,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
    as_json: AsJson = False,
) -> None:
    """Print evaluations of agents, the newest last; of one agent also what failed, in words.

    Example: arena judge evaluations momentum
    """
    from arena.node import run_async

    with find_arena(bootstrap_servers, prefix, run_name, offline=True) as location:
        if verify:
            run_async(lambda: _verify(location, as_json=as_json))
        else:
            run_async(lambda: _list(location, agent, limit, as_json=as_json))


async def _list(location: ArenaLocation, agent: str | None, limit: int, *, as_json: bool) -> None:
    from arena.read_topic import for_each_record
    from arena.roster import read_agents
    from arena.tables import print_table
    from arena.unknown_names import unknown_name
    from judge.evaluations.text import COLUMNS, detail_lines, document, row_of

    found: dict[str, AgentEvaluation] = {}
    bus = location.bus("arena-judge-evaluations")
    await bus.start()
    try:
        await for_each_record(bus, topics.EVALUATIONS, partial(_note, found))
        agents = await read_agents(bus) if agent is not None else {}
    finally:
        await bus.close()
    known = {one.agent for one in found.values()} | set(agents)
    if agent is not None and agent not in known:
        raise unknown_name("agent", agent, known)
    shown = [one for one in found.values() if agent in (None, one.agent)][-limit:]
    if as_json:
        _write_json([document(one) for one in shown])
        return
    if not shown:
        print("no evaluation yet: the first follows after 10 minutes of market time")
        return
    print_table(COLUMNS, [row_of(one) for one in shown])
    if agent is not None:
        print()
        for line in detail_lines(shown[-1]):
            print(visible_line(line))


async def _verify(location: ArenaLocation, *, as_json: bool) -> None:
    from judge.evaluations.verify import verify_evaluations

    bus = location.bus("arena-judge-evaluations")
    await bus.start()
    try:
        found = await verify_evaluations(bus)
    finally:
        await bus.close()
    if as_json:
        _write_json(
            {
                "verified": not found.differences,
                "compared": found.compared,
                "differences": found.differences,
                "unknown": found.unknown,
            }
        )
    else:
        for line in found.differences:
            print(visible_line(line))
        differ = len(found.differences)
        print(
            f"{counted(found.compared, 'evaluation')} computed again from the records:"
            f" {f'{differ:,} differ' if differ else 'all match'}"
        )
        if found.unknown:
            print_note(f"{found.unknown:,} were not: another method, or records no longer kept")
    if found.differences:
        raise SystemExit(EXIT_NO)


def _note(found: dict[str, AgentEvaluation], record: Record) -> None:
    """Note an evaluation; the first record of an id counts, other messages do nothing."""
    message = record.message_or_none()
    if isinstance(message, AgentEvaluation):
        found.setdefault(message.evaluation_id, message)


def _write_json(value: object) -> None:
    sys.stdout.write(visible_json(json.dumps(value, indent=2)) + "\n")
