"""Runs a trial as a lock-step contest of its own, in processes of its own, and judges it.

Reads `prompts` of the arena, and `market.snapshots` for the venue time; writes the result to
`prompts` if the arena is running. Writes a specification to a temporary folder; `arena compete run`
writes a run, and this `trial.json` into it.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from arena.bus.base import Bus
from arena.candle_cache.names import cache_venue
from arena.command_sender import command_sender
from arena.errors import EXIT_NO, UsageError
from arena.messages import TrialEnded, TrialStarted
from arena.messages.trials import TRIAL_ARMS
from arena.prompt_log import append_prompt, newest_as_of, read_prompts
from arena.prompt_versions import AgentPrompts, version_of
from arena.run_lookup import ArenaLocation
from arena.runs import SPEC_FILE
from arena.toml_files import parse_toml
from operations.specs.shadows import shadow_arms, trial_id_of
from operations.specs.toml_text import to_toml
from operations.specs.trial import TrialPlan, arms_of, trial_tables
from operations.trials.arena import Texts, TrialArena, arena_of, write_strategies
from operations.trials.begin import TrialAsked
from operations.trials.documents import print_trial, write_result

CLIENT = "arena-prompts-trial"
ROOM_OF_ARMS = "judge.prompts.trial_arms"
ROOM_OF_RESULTS = "judge.prompts.trial_result"
ROOM_OF_RECORDS = "judge.prompts.live_trial"


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """What the arena's topics say.

    Attributes:
        own: The versions of the agent.
        as_of: Venue time of the newest snapshot.
        now: Wall time.
    """

    own: AgentPrompts
    as_of: datetime | None
    now: datetime


def try_in_contest(
    location: ArenaLocation, asked: TrialAsked, prices: Sequence[Path], *, quiet: bool
) -> TrialEnded:
    """Run the contest of a trial, print its result, and append it to `prompts` of a running arena.

    Args:
        location: The arena.
        asked: What is tried.
        prices: Candle files to replay; () for the market of the run.
        quiet: Print the result as JSON, and everything else to standard error.

    Raises:
        UsageError: There is nothing to try.
        typer.Exit: The contest did not run to its end; its own messages say why.
    """
    arena = arena_of(location)
    known = asyncio.run(read_agent(location, asked.agent))
    table = arena.agent(asked.agent)
    files = tuple(path.resolve() for path in prices)
    plan = TrialPlan(table, arena.chat_node(table), asked.snapshots, asked.repeats, files)
    strategy = arena.strategy(table)
    texts = _texts(known, asked, strategy["prompt"])
    with TemporaryDirectory(prefix="arena-trial-") as folder:
        path = _write_trial(Path(folder), arena, plan, strategy, texts)
        directory = _run_contest(path, quiet=quiet)
    arms = import_module(ROOM_OF_ARMS).read_arms(directory / "records", arms_of(asked.repeats))
    judge = import_module(ROOM_OF_RESULTS).judge_trial
    result = judge(*(arms[arm] for arm in TRIAL_ARMS), bound_pct=asked.bound_pct)
    started = _started(asked, texts, known)
    ended: TrialEnded = import_module(ROOM_OF_RECORDS).ended_of(
        result,
        started,
        "replay",
        by=started.by,
        as_of=started.as_of,
        at=started.at,
        run=directory.name,
    )
    written = write_result(directory, ended, asked.snapshots)
    is_reported = asyncio.run(report_to_arena(location, ended))
    is_pending = known.own.pending is not None and known.own.pending.version == ended.challenger
    print_trial(ended, asked.snapshots, is_pending=is_pending, as_json=quiet)
    if not quiet:
        print(f" Result: {written}")
    if not quiet and is_reported and location.directory is not None:
        # The trial's own run is now the newest one.
        print(f" In the arena: arena prompts list {asked.agent} --run {location.directory.name}")
    return ended


async def read_agent(location: ArenaLocation, agent: str) -> KnownAgent:
    """What the topics say about an agent."""
    bus = location.bus(CLIENT)
    await bus.start()
    try:
        own, as_of = (await read_prompts(bus)).of(agent), await newest_as_of(bus)
        return KnownAgent(own, as_of, bus.clock.now())
    finally:
        await bus.close()


async def report_to_arena(location: ArenaLocation, ended: TrialEnded) -> bool:
    """Append the result to `prompts`, if the arena is running; True if it was."""
    run = location.run
    if location.records is not None or run is None or not run.is_running():
        return False
    bus: Bus = location.bus(CLIENT)
    await bus.start()
    try:
        await append_prompt(bus, ended)
    finally:
        await bus.close()
    return True


def _texts(known: KnownAgent, asked: TrialAsked, of_file: str) -> Texts:
    """The texts that are compared.

    Raises:
        UsageError: There is no other text.
    """
    now, pending = known.own.in_force(known.as_of), known.own.pending
    champion = of_file if now is None else now.text
    challenger = asked.text
    if challenger is None and pending is not None:
        challenger = pending.text
    if challenger is None:
        raise UsageError(
            f"{asked.agent} has no pending proposal", remedy="name a file with another text"
        )
    if version_of(champion) == version_of(challenger):
        raise UsageError("this is the text in force", remedy="try another one")
    return Texts(champion, challenger)


def _started(asked: TrialAsked, texts: Texts, known: KnownAgent) -> TrialStarted:
    """The trial as its result names it; no such record is appended."""
    champion, challenger = version_of(texts.champion), version_of(texts.challenger)
    trial_id = trial_id_of(asked.agent, champion, challenger, known.as_of, "replay")
    return TrialStarted(
        trial_id=trial_id,
        agent=asked.agent,
        champion=champion,
        challenger=challenger,
        arms=shadow_arms(trial_id, asked.repeats),
        snapshots=asked.snapshots,
        bound_pct=asked.bound_pct,
        by=command_sender(),
        as_of=known.as_of,
        at=known.now,
    )


# Any: fields of a strategy.
def _write_trial(
    folder: Path, arena: TrialArena, plan: TrialPlan, strategy: Mapping[str, Any], texts: Texts
) -> Path:
    """Write the specification of the trial and the files of its strategies; returns its path."""
    loaded = arena.loaded
    base = parse_toml(loaded.text, SPEC_FILE, parse_float=Decimal)
    tables = trial_tables(base, plan, loaded.spec.market)
    write_strategies(folder, strategy, texts)
    path = folder / SPEC_FILE
    path.write_text(to_toml(_with_absolute_paths(tables, loaded.folder)), encoding="utf-8")
    return path


# Any: any TOML value.
def _with_absolute_paths(tables: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The tables with absolute paths of market files: the specification is in another folder."""
    market = dict(tables["market"])
    for key in ("prices", "context"):
        if key in market:
            market[key] = _absolute(market[key], folder)
    return {**tables, "market": market}


def _absolute(paths: Sequence[str] | str, folder: Path) -> list[str]:
    """Absolute paths; "cache:VENUE" stays as it is."""
    names = [paths] if isinstance(paths, str) else paths
    return [one if cache_venue(one) else str((folder / one).resolve()) for one in names]


def _run_contest(path: Path, *, quiet: bool) -> Path:
    """Run the trial's contest; returns the directory of its run.

    Raises:
        typer.Exit: It did not run to its end; its own messages say why.
    """
    document = path.with_name("outcome.json")
    command = [sys.executable, "-m", "arena", "compete", "run", str(path), "--no-web"]
    ended = subprocess.run(
        [*command, "--json", str(document)], stdout=sys.stderr if quiet else None, check=False
    )
    found = json.loads(document.read_text()) if document.exists() else {}
    if found.get("ended") != "done":
        raise typer.Exit(ended.returncode or EXIT_NO)
    return Path(found["directory"])
