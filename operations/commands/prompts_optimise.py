"""`arena prompts optimise`: searches a better text for an agent on its recorded decisions.

Composes the search (judge/) with the scripted rules (chat_nodes/) and the sizes of prompts
(routers/). Reads the records of a run; asks the chat node of a running arena, and proposes the
text there. A text that is not proposed is written into the run's folder.

Exit codes: 0 a better text was found, 1 none was, 2 wrong usage, 3 something is missing.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.atomic_files import write_atomic
from arena.bus.base import Bus
from arena.bus.exported import ExportedBus
from arena.errors import EXIT_NO
from arena.export_files import MANIFEST_FILE
from arena.messages import PromptSize
from arena.options import AsJson, Run
from arena.plural import counted
from arena.prompt_versions import short_version, version_of
from arena.run_lookup import ArenaLocation, find_arena
from arena.runs import RECORDS
from arena.visible_text import one_line

BUDGET_CALLS = 300
CLIENT = "arena-prompts-optimise"
ROOM_OF_SEARCH = "judge.prompts.search"
SCRIPTED = "chat_nodes.scripted.in_process"
PROMPT_SIZES = "routers.prompt_sizes"


def prompts_optimise(
    agent: Annotated[str, typer.Argument(help="Agent whose text is searched.")],
    budget_calls: Annotated[
        int,
        typer.Option(
            "--budget-calls", min=1, help="Most model calls, those of --reflection included."
        ),
    ] = BUDGET_CALLS,
    run: Run = None,
    snapshots: Annotated[
        str | None,
        typer.Option(
            "--snapshots",
            metavar="RUN|FOLDER",
            help="A run, or a folder of exported records, with the agent's decisions. [--run]",
        ),
    ] = None,
    reflection: Annotated[
        str,
        typer.Option(
            "--reflection",
            metavar="NODE",
            help="Chat node that writes texts. [the coach's templates]",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Search a text with which an agent decides better, on recorded snapshots.

    The measure is decision quality by code, never profit, and no order is sent. Texts are tried on
    the earlier snapshots; the best one is compared with the text in force on later ones, and
    proposed if it is clearly better. Needs `scripts/setup optimise`.

    Example: arena prompts optimise momentum --budget-calls 300
    """
    import_module(f"{ROOM_OF_SEARCH}.gepa_search").require_gepa()
    with (
        find_arena(None, None, run, offline=True) as location,
        _source_of(location, snapshots) as source,
    ):
        plan = import_module(f"{ROOM_OF_SEARCH}.session").SearchPlan(
            agent=agent,
            budget_calls=budget_calls,
            reflection=reflection,
            is_running=_is_running(location),
            scripted=import_module(SCRIPTED).scripted_replies,
            cut=_cut,
            answered=_Progress(budget_calls, as_json=as_json),
        )
        end = asyncio.run(_search(location.bus(CLIENT), source, plan))
        saved = None if end.proposed else _save(location, end.result)
    document = {
        "agent": agent,
        "node": end.node,
        "scripted": end.scripted,
        "proposed": end.proposed,
        "refused": end.refused,
        "file": None if saved is None else str(saved),
        **import_module(f"{ROOM_OF_SEARCH}.optimise").result_document(end.result),
    }
    _print_result(document, as_json=as_json)
    raise typer.Exit(EXIT_NO if end.result.text is None else 0)


# Any: the plan and the result of the judge's room.
async def _search(bus: Bus, source: Bus | None, plan: Any) -> Any:
    opened = [bus] if source is None else [bus, source]
    for one in opened:
        await one.start()
    try:
        session = import_module(f"{ROOM_OF_SEARCH}.session")
        return await session.run_search(opened[0], opened[-1], plan)
    finally:
        for one in opened:
            await one.close()


@contextmanager
def _source_of(location: ArenaLocation, snapshots: str | None) -> Iterator[Bus | None]:
    """A bus with the recorded snapshots, not started; None for that of the arena itself."""
    if snapshots is None:
        yield None
        return
    folder = Path(snapshots)
    for records in (folder, folder / RECORDS):
        if (records / MANIFEST_FILE).is_file():
            yield ExportedBus(records)
            return
    with find_arena(None, None, snapshots, offline=True) as found:
        yield found.bus(CLIENT)


def _is_running(location: ArenaLocation) -> bool:
    """True if chat nodes answer, and routers take a proposal."""
    if location.records is not None:
        return False
    return location.run is None or location.run.is_running()


def _cut(text: str, size: PromptSize) -> str:
    """A strategy's text as the prompts of a size show it."""
    sizes = import_module(PROMPT_SIZES)
    cut: str = sizes.cut_strategy(text, sizes.PROMPT_FORMS[size])
    return cut


# Any: the result of the judge's room.
def _save(location: ArenaLocation, result: Any) -> Path | None:
    """Write the text into the folder of the run; None without a text or a folder."""
    if result.text is None or location.directory is None:
        return None
    path = location.directory / f"optimised-{short_version(version_of(result.text))}.md"
    write_atomic(path, result.text)
    return path


class _Progress:
    """Prints how many calls were answered, on a terminal."""

    def __init__(self, budget_calls: int, *, as_json: bool) -> None:
        self._budget = budget_calls
        self._shown = sys.stderr.isatty() and not as_json
        self._answers = 0

    def __call__(self, answers: int) -> None:
        """Print the number of answers so far."""
        self._answers += answers
        if self._shown:
            print(f"\r{self._answers} answers of at most {self._budget}", end="", file=sys.stderr)


# Any: JSON values.
def _print_result(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(document, indent=1))
        return
    agent, search, held_out = document["agent"], document["search"], document["held_out"]
    by = (
        "scripted rules, not an LLM"
        if document["scripted"]
        else f"chat node {one_line(document['node'])}"
    )
    better = document["result"] == "better"
    print(f"\n {'A better text' if better else 'No better text'} for {agent} was found")
    print(f"   {document['calls']} of {document['budget_calls']} calls, answered by {by}")
    print(
        f"   searched: {search['snapshots']} snapshots, {counted(search['texts'], 'other text')},"
        f" {_points(search['before'])} -> {_points(search['after'])} points"
    )
    if "before" in held_out:
        print(
            f"   held out: {held_out['pairs']} later snapshots,"
            f" {_points(held_out['before'])} -> {_points(held_out['after'])} points,"
            f" {held_out['orders_before']} -> {held_out['orders_after']} orders"
        )
    print(f"   {document['reason']}")
    if document["proposed"]:
        print(f" Proposed: `arena prompts diff {agent}` shows it, `arena prompts trial {agent}`")
        print(f" tries it, `arena prompts approve {agent}` puts it into force")
    if document["refused"]:
        print(f" Not proposed: {document['refused']}")
    if document["file"]:
        print(f" Text: {document['file']}")
        print(f" Propose it where {agent} plays: arena prompts set {agent} FILE --propose")


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f}"
