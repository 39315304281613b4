"""`arena prompts trial`: tries a text against the one that an agent plays by.

Runs a lock-step contest of three arms (`operations.specs.trial`) as `arena compete run` does, in
processes of its own, and judges it. Reads the run's specification, its topic `prompts`, and
`market.snapshots` for the venue time; writes a run of its own, with `trial.json`. It changes
nothing in the arena: a person approves.

Exit codes: 0 promote, 1 keep or undecided, 2 wrong usage, others as of `arena compete run`.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from arena.atomic_files import write_atomic
from arena.errors import EXIT_NO, UsageError
from arena.options import AsJson, Run
from arena.plugin_options import NO_CHOICE
from arena.prompt_log import newest_as_of, read_prompts
from arena.prompt_versions import short_version, version_of
from arena.run_lookup import ArenaLocation, find_arena
from arena.runs import SPEC_FILE
from arena.strategy_files import is_file_name
from arena.toml_files import parse_toml
from arena.unknown_names import unknown_name
from operations.commands.compete_spec import to_toml
from operations.commands.plugins import load_spec_for_run
from operations.specs.arena_spec import ArenaSpec, read_spec
from operations.specs.trial import (
    ARMS,
    STRATEGY_FILES,
    TrialPlan,
    arms_of,
    strategy_fields,
    trial_tables,
)

RESULT_FILE = "trial.json"
SNAPSHOTS = 120
REPEATS = 3
STRATEGIES = "routers.strategy"
ROOM_OF_TEXTS = "judge.prompts.text_file"
ROOM_OF_ARMS = "judge.prompts.trial_arms"
ROOM_OF_RESULTS = "judge.prompts.trial_result"


@dataclass(frozen=True, slots=True)
class _Arena:
    """The specification of a run.

    Attributes:
        text: The TOML.
        folder: The folder to which its paths are relative.
    """

    text: str
    folder: Path
    spec: ArenaSpec


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a trial."""

    champion: str
    challenger: str


def prompts_trial(
    agent: Annotated[str, typer.Argument(help="Agent whose text is tried.")],
    file: Annotated[Path, typer.Argument(help="The other text: a .md, .txt or .toml file.")],
    run: Run = None,
    snapshots: Annotated[
        int,
        typer.Option("--snapshots", min=1, help="Decisions per agent; 60 at least for a result."),
    ] = SNAPSHOTS,
    repeats: Annotated[
        int,
        typer.Option("--repeats", min=1, max=20, help="Agents per arm, each with its own seed."),
    ] = REPEATS,
    prices: Annotated[
        list[Path] | None,
        typer.Option("--prices", help="Candle files to replay. [the market of the run]"),
    ] = None,
    bound_pct: Annotated[
        float,
        typer.Option("--bound-pct", min=0, help="Loss of return that must be excluded, percent."),
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Try a text against the one in force: same snapshots, same cash, and a copy as noise.

    Promoted if decision quality is clearly better and the return is not worse than the bound.

    Example: arena prompts trial momentum careful.md
    """
    challenger = import_module(ROOM_OF_TEXTS).read_strategy_text(file)
    with find_arena(None, None, run, offline=True) as location:
        arena = _arena_of(location)
        champion = asyncio.run(_text_in_force(location, agent))
    plan, strategy = _plan(arena, agent, snapshots, repeats, prices or [])
    texts = Texts(champion or strategy["prompt"], challenger)
    if version_of(texts.champion) == version_of(texts.challenger):
        raise UsageError(f"{file} has the text in force", remedy="try another one")
    with TemporaryDirectory(prefix="arena-trial-") as folder:
        trial_file = _write_trial(Path(folder), arena, plan, strategy, texts)
        directory = _run_contest(trial_file, quiet=as_json)
    arms = import_module(ROOM_OF_ARMS).read_arms(directory / "records", arms_of(repeats))
    result = import_module(ROOM_OF_RESULTS).judge_trial(
        *(arms[arm] for arm in ARMS), bound_pct=bound_pct
    )
    document = {
        "agent": agent,
        "champion": version_of(texts.champion),
        "challenger": version_of(texts.challenger),
        "snapshots": snapshots,
        "repeats": repeats,
        **asdict(result),
    }
    write_atomic(directory / RESULT_FILE, json.dumps(document, indent=1) + "\n")
    _print_result(document, directory, as_json=as_json)
    raise typer.Exit(0 if result.verdict == "promote" else EXIT_NO)


def _arena_of(location: ArenaLocation) -> _Arena:
    if location.run is None or location.directory is None:
        raise UsageError("a trial needs a run", remedy="name one with --run; see `arena runs list`")
    path, folder = location.directory / SPEC_FILE, Path(location.run.folder)
    text = read_spec(path)
    return _Arena(text, folder, load_spec_for_run(text, path, folder, NO_CHOICE).spec)


async def _text_in_force(location: ArenaLocation, agent: str) -> str:
    """The text that an agent plays by; "" if the topic has none."""
    bus = location.bus("arena-prompts-trial")
    await bus.start()
    try:
        found = (await read_prompts(bus)).of(agent).in_force(await newest_as_of(bus))
    finally:
        await bus.close()
    return "" if found is None else found.text


# Any: fields of a strategy.
def _plan(
    arena: _Arena, agent: str, snapshots: int, repeats: int, prices: Sequence[Path]
) -> tuple[TrialPlan, dict[str, Any]]:
    agents = {one.name: one for one in arena.spec.agents}
    if agent not in agents:
        raise unknown_name("agent", agent, agents)
    table = agents[agent]
    node = next(one for one in arena.spec.chat_nodes if one.name == table.chat_node)
    path = arena.folder / table.strategy
    name = str(path) if is_file_name(table.strategy) else table.strategy
    strategy = import_module(STRATEGIES).load_strategy(name)
    if strategy.kind == "baseline":
        raise UsageError(
            f"{agent} is a baseline, which a text does not change", remedy="name a competing agent"
        )
    files = tuple(path.resolve() for path in prices)
    return TrialPlan(table, node, snapshots, repeats, files), asdict(strategy)


# Any: fields of a strategy.
def _write_trial(
    folder: Path, arena: _Arena, plan: TrialPlan, strategy: Mapping[str, Any], texts: Texts
) -> Path:
    """Write the specification of the trial and the files of its strategies; returns its path."""
    tables = trial_tables(
        parse_toml(arena.text, SPEC_FILE, parse_float=Decimal), plan, arena.spec.market
    )
    for arm, file in STRATEGY_FILES.items():
        fields = strategy_fields(strategy, getattr(texts, arm))
        (folder / file).write_text(to_toml(fields), encoding="utf-8")
    path = folder / SPEC_FILE
    path.write_text(to_toml(_with_absolute_paths(tables, arena.folder)), encoding="utf-8")
    return path


# Any: any TOML value.
def _with_absolute_paths(tables: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The tables with the files of the market by absolute paths: they lie elsewhere."""
    market = dict(tables["market"])
    for key in ("prices", "context"):
        if key in market:
            market[key] = [str((folder / one).resolve()) for one in market[key]]
    return {**tables, "market": market}


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


def _print_result(document: Mapping[str, Any], directory: Path, *, as_json: bool) -> None:
    # Any: JSON values.
    if as_json:
        print(json.dumps(document, indent=1))
        return
    print(f"\n Trial of {short_version(document['challenger'])} against the text in force")
    print(f" {short_version(document['champion'])} of {document['agent']}: {document['verdict']}")
    for reason in document["reasons"]:
        print(f"   {reason}")
    print(f" Result: {directory / RESULT_FILE}")
    if document["verdict"] == "promote":
        print(f" Put it into force: arena prompts set {document['agent']} FILE")
