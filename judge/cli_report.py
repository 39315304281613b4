"""`arena compete report`, `verify` and `compare`: their command lines.

Reads `<run>/records/`; `report` writes `<run>/report/`. Needs no broker.
"""

import re
import sys
import webbrowser
from collections.abc import Callable
from os.path import lexists
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.errors import EXIT_NO, UsageError
from arena.output import print_note
from arena.plural import counted
from arena.runs import KNOWN_MAX, MANIFEST, SPEC_FILE, run_directories, runs_newest_first
from arena.toml_files import read_toml
from arena.visible_text import visible_line

if TYPE_CHECKING:
    from judge.report.facts import ReportOptions

LAST = "last"
NO_RECORDS = (
    "`arena compete run` exports them at its end; continue a stopped run with `--resume last`"
)
SHOWN_MAX = 25
"""Most differences that are printed as text."""

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Directory of a run, its name in .arena/runs or the start of it, last or last~1.",
    ),
]
OptionalRun = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="Directory of a run, its name in .arena/runs or the start of it, last or last~1."
        " [last]",
    ),
]
RunFlag = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Same as the RUN argument."),
]
Confidence = Annotated[
    float | None,
    typer.Option(
        min=0.5, max=0.99, help="Confidence of the intervals. [the competition's, else 0.9]"
    ),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Seed of the resampling. [the competition's, else 1]")
]
Out = Annotated[Path | None, typer.Option(help="Folder of the report. [RUN/report]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def report(
    run: OptionalRun = None,
    out: Out = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    confidence: Confidence = None,
    seed: Seed = None,
    as_json: AsJson = False,
    run_name: RunFlag = None,
) -> None:
    """Write the report of a run from its exported records alone, and print the leaderboard.

    The report has index.html, which needs no network, and the same content as report.md,
    leaderboard.csv, fills.csv, fills.parquet, equity.parquet and figures.json.

    Example: arena compete report last
    """
    from arena.progress_bars import terminal_status
    from judge.leaderboard_text import render_leaderboard
    from judge.report.document import document
    from judge.report.facts import canonical, read_facts
    from judge.report.write import REPORT, write_report

    directory = find_directory(_one_of(run, run_name))
    with terminal_status(f"computing the report of {directory.name}"):
        facts = read_facts(directory, _options(directory, confidence, seed))
        page = write_report(facts, out or directory / REPORT)
    if as_json:
        sys.stdout.write(canonical(document(facts)).decode())
    else:
        print(render_leaderboard(facts.board.evaluation))
    print(f"report: {page}", file=sys.stderr)
    if open_ and not webbrowser.open(page.as_uri()):
        print_note("no browser was found; open the file yourself")


def verify(
    run: OptionalRun = None,
    out: Out = None,
    as_json: AsJson = False,
    run_name: RunFlag = None,
) -> None:
    """Recompute every figure of a report from the records alone; exit with 1 if any differs.

    Example: arena compete verify last
    """
    from arena.progress_bars import terminal_status
    from judge.report.facts import canonical
    from judge.report.verify import verify_report
    from judge.report.write import REPORT

    directory = find_directory(_one_of(run, run_name))
    with terminal_status(f"recomputing every figure of {directory.name}"):
        found = verify_report(directory, out or directory / REPORT)
    if as_json:
        document = {
            "verified": not found.differences,
            "compared": found.compared,
            "differences": found.differences,
            "notes": found.notes,
        }
        sys.stdout.write(canonical(document).decode())
    else:
        for line in (*found.notes, *found.differences[:SHOWN_MAX]):
            print(visible_line(line))
        if (more := len(found.differences) - SHOWN_MAX) > 0:
            print(f"... and {more:,} more; --json lists them")
        print(_verified(found.compared, len(found.differences)))
    if found.differences:
        raise SystemExit(EXIT_NO)


def compare(
    before: RunArgument,
    after: RunArgument,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            "--pair", metavar="OLD=NEW", help="Compare these two agents; may be repeated."
        ),
    ] = None,
    confidence: Confidence = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs agent by agent: did a change of prompt help?

    Agents, and cells with their repeats, are matched by name, else by strategy and chat node. Runs
    with the same snapshots at the same prices, as in lock-step, are compared period by period;
    others with the wider interval of two independent seasons.

    Example: arena compete compare last~1 last
    """
    from arena.progress_bars import terminal_status
    from judge.report.compare import compare_runs
    from judge.report.compare_text import compare_document, compare_lines
    from judge.report.facts import canonical, read_facts
    from judge.report.roster_match import can_have_common_agents

    pairs = _pairs(pair or [])
    one, two = (find_directory(name, is_contest) for name in (before, after))
    if not pairs and not can_have_common_agents(one, two):
        raise UsageError(
            f"{one.name} and {two.name} have no agent in common",
            remedy="name two with --pair OLD=NEW",
        )
    options = _options(one, confidence, seed)
    with terminal_status(f"comparing {two.name} with {one.name}"):
        found = compare_runs(read_facts(one, options), read_facts(two, options), pairs)
    if as_json:
        sys.stdout.write(canonical(compare_document(found)).decode())
    else:
        print("\n".join(compare_lines(found)))


def find_directory(name: str, counts: Callable[[Path], bool] = lambda _: True) -> Path:
    """Return the directory of a run with exported records.

    Args:
        name: A directory, a name in `.arena/runs` or the start of one, "last" for the newest run
            with records, or "last~2" for the second before it.
        counts: Returns whether "last" counts a run.

    Raises:
        UsageError: No such run has records.
    """
    from arena.settings import Settings

    home = Settings().home
    runs = home / "runs"
    exported = _exported(home)
    if found := re.fullmatch(rf"{LAST}(?:~(\d{{1,4}}))?", name):
        back, candidates = int(found[1] or 0), list(filter(counts, exported))
        if back < len(candidates):
            return candidates[back]
        kind = "contest" if len(candidates) < len(exported) else "run"
        text = f"only {counted(len(candidates), kind)} with records in {runs}"
        raise UsageError(text, remedy=NO_RECORDS)
    for directory in (runs / name, Path(name)):
        if name and lexists(directory / MANIFEST):
            return directory
    known = f"runs with records are {', '.join(p.name for p in exported[:KNOWN_MAX])}"
    remedy = known if exported else NO_RECORDS
    begun = [path for path in exported if name and path.name.startswith(name)]
    if len(begun) > 1:
        raise UsageError(f"{len(begun)} runs with records start with {name!r}", remedy=remedy)
    if begun:
        return begun[0]
    raise UsageError(f"no run {name!r} with records, here or in {runs}", remedy=remedy)


def is_contest(directory: Path) -> bool:
    """True if the specification of a run has a [competition]."""
    path = directory / SPEC_FILE
    return path.exists() and "competition" in read_toml(path)


def _one_of(run: str | None, flag: str | None) -> str:
    """Return the chosen run: the argument, `--run`, or the newest.

    Raises:
        UsageError: Both are given.
    """
    if run is not None and flag is not None:
        raise UsageError(
            f"{run!r} and --run {flag!r} both name the run to read", remedy="give one of them"
        )
    return run or flag or LAST


def _exported(home: Path) -> list[Path]:
    """Return the runs with records, newest first; those without a run.json last, by name."""
    known = [directory for directory, _ in runs_newest_first(home)]
    others = [path for path in reversed(run_directories(home)) if path not in known]
    return [path for path in (*known, *others) if lexists(path / MANIFEST)]


def _options(directory: Path, confidence: float | None, seed: int | None) -> "ReportOptions":
    """Return the flags, or else the values of the run's competition, or else the defaults."""
    from judge.report.facts import ReportOptions

    competition: dict[str, object] = {}
    title: object = ""
    path = directory / SPEC_FILE
    if path.exists():
        spec = read_toml(path)
        table, arena = spec.get("competition", {}), spec.get("arena", {})
        competition = table if isinstance(table, dict) else {}
        title = arena.get("name", "") if isinstance(arena, dict) else ""
    usual = ReportOptions()
    pacing = competition.get("pacing", "lock-step" if competition else None)
    return ReportOptions(
        confidence=confidence or _number(competition.get("confidence"), usual.confidence),
        seed=seed if seed is not None else int(_number(competition.get("seed"), usual.seed)),
        pacing=pacing if isinstance(pacing, str) else None,
        title=title if isinstance(title, str) else "",
    )


def _number(value: object, usual: float) -> float:
    return value if isinstance(value, int | float) else usual


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        old, separator, new = text.partition("=")
        if not separator or not old or not new:
            raise UsageError(
                f"--pair {text!r} does not name two agents", remedy="write --pair OLD=NEW"
            )
        pairs[old] = new
    return pairs


def _verified(compared: int, differences: int) -> str:
    if differences:
        found = counted(differences, "difference")
        return f"{found} among {compared:,} figures: the records give other values"
    return f"{compared:,} figures recomputed from the records: all match"
