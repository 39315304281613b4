"""The end of a contest: export the records, write the report, print the leaderboard.

Reads the topics of the run; writes `<run>/records/`, `<run>/report/` (by `arena compete report`, in
a process of its own) and the file of `--json`.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from pydantic import JsonValue

from arena import topics
from arena.accounts import Shard
from arena.atomic_files import write_atomic
from arena.durations import elapsed_text
from arena.errors import ArenaError
from arena.exports import Manifest, read_records
from arena.money import decimal_text
from arena.pass_overs import passed_over_in
from arena.progress import Progress, Step
from arena.risk_log import RiskLog
from arena.risk_report import ExitCounts
from arena.runs import RECORDS, read_run
from arena.shadow_agents import is_shadow
from arena.shards import accounts_of, digest_of
from arena.visible_text import one_line
from operations.commands.compete_health import dead_lines
from operations.commands.compete_monitor import ContestEnd, EndReason
from operations.commands.compete_progress import (
    ContestProgress,
    cost_text,
    gates_line,
    shadows_line,
    tokens_text,
)
from operations.commands.export_run import export_run
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.risk_standings import risk_lines
from operations.commands.supervised_run import (
    LAUNCHER,
    RunSetup,
    arena_command,
    process_environment,
)

REPORT = "report"
FIGURES = "figures.json"
REPORT_DEADLINE_S = 600.0
DETAIL_CHARS_MAX = 200


def finish_contest(
    setup: RunSetup,
    progress: ContestProgress,
    ending: ContestEnd,
    steps: NumberedSteps,
    json_file: Path | None,
    *,
    export: Callable[[RunSetup, Progress], Manifest] | None = None,
    more: Mapping[str, JsonValue] | None = None,
) -> None:
    """Export the records, write and print the report; only the broker still runs.

    Args:
        setup: The setup of the run.
        progress: The counts at its end.
        ending: How it ended.
        steps: Shows the steps.
        json_file: The file of `--json`; None for none.
        export: Exports the records; None for an export from the broker.
        more: Keys that are added to the document.

    Raises:
        ArenaError: The records or the report could not be written.
    """
    print(flush=True)
    manifest = (export or export_run)(setup, steps.show)
    steps.show(Step(REPORT, "computing the verdict"))
    with _started_report(setup) as report:
        document = contest_document(setup, progress, ending, manifest) | dict(more or {})
        write_contest_document(document, json_file)
        leaderboard = _leaderboard(setup, report)
    document["contaminated"] = _contaminated(setup.directory / REPORT / FIGURES)
    write_contest_document(document, json_file)
    steps.show(Step(REPORT, str(setup.directory / REPORT), finished=True))
    print(f"\n{leaderboard.strip()}\n")
    verdict = leaderboard.strip().partition("\n")[0]
    for line in _closing_lines(setup, progress, ending, document, verdict):
        print(f" {line}".rstrip())
    if json_file is not None:
        print(f" Written: {json_file}")


def _contaminated(figures: Path) -> dict[str, JsonValue]:
    """Entrant -> "contaminated" or "partly", as the report has it."""
    rows = json.loads(figures.read_bytes())["evaluation"]["rows"]
    return {row["agent"]: row["contaminated"] for row in rows if row.get("contaminated")}


@contextmanager
def _started_report(setup: RunSetup) -> Iterator["subprocess.Popen[str]"]:
    """`arena compete report` in a process of its own, which does not outlive the block."""
    process = subprocess.Popen(
        [*LAUNCHER, "compete", "report", str(setup.directory)],
        env=os.environ | process_environment(setup.settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _leaderboard(setup: RunSetup, report: "subprocess.Popen[str]") -> str:
    """The leaderboard that the report prints at its end.

    Raises:
        ArenaError: It failed.
    """
    printed, errors = report.communicate(timeout=REPORT_DEADLINE_S)
    if report.returncode == 0:
        return printed
    raise ArenaError(
        f"the report could not be written: {_error_text(report.returncode, errors)}",
        remedy=f"the records are in {setup.directory / RECORDS}; try again with "
        f"{arena_command()} compete report {setup.directory.name}",
    )


def _error_text(code: int, errors: str) -> str:
    error = errors.strip()[-500:].removeprefix("arena: ")
    return error or f"it ended with {code}"


def fold_risk(records: Path) -> RiskLog:
    """Fold the account log of exported records, with what limits and exits did."""
    log = RiskLog(passed_over_in(records))
    for record in read_records(records, [topics.EVENTS.name]):
        log.take(record)
    return log


def account_digest(shards: Mapping[int, Shard]) -> str:
    """Return the hash of all accounts and their orders."""
    return digest_of(shards.values())


def all_refused_text(shards: Mapping[int, Shard]) -> str:
    """Say that every order was refused, and why; "" if one was filled or none was sent."""
    found = accounts_of(shards.values())
    accounts = [account for name in found if not is_shadow(name) for account in found[name]]
    refused = sum(account.rejections for account in accounts)
    if not refused or any(account.fills for account in accounts):
        return ""
    decided = (order for shard in shards.values() for order in shard.orders.values())
    orders = [order for order in decided if not is_shadow(order.agent)]
    reasons = sorted({(one.reason or "").replace("_", " ") for one in orders if one.reason})
    text = f"Every order was refused ({refused:,}): {', '.join(reasons)}"
    recent = (event for shard in shards.values() for event in reversed(shard.recent))
    newest = next((event for event in recent if not is_shadow(str(event["agent"]))), None)
    if len(reasons) == 1 and newest is not None:
        text += f", {one_line(str(newest['detail']), DETAIL_CHARS_MAX)}"
    return f"{text}."


def contest_document(
    setup: RunSetup, progress: ContestProgress, ending: ContestEnd, manifest: Manifest | None
) -> dict[str, JsonValue]:
    """Return the contest as a JSON document; keys are added, never removed.

    Args:
        setup: The setup of the run.
        progress: The counts at its end.
        ending: How it ended.
        manifest: The manifest of the exported records; None if the contest is not complete, and so
            has no report.
    """
    run = read_run(setup.directory)
    is_complete = manifest is not None
    log = fold_risk(setup.directory / RECORDS) if is_complete else RiskLog({})
    shards = log.shards
    return {
        "run": setup.directory.name,
        "directory": str(setup.directory),
        "prefix": setup.settings.prefix,
        "broker": {"kind": setup.broker.kind, "version": setup.broker.version},
        "ended": ending.reason.value,
        "text": ending.text,
        "seconds": round(ending.elapsed_s, 1),
        "snapshots": progress.snapshots,
        "snapshots_wanted": progress.planned,
        "agents": list(progress.agents),
        "turns": progress.turns,
        "turns_aborted": progress.aborted,
        "tokens": progress.tokens,
        "tokens_estimated": progress.estimated,
        "cost_usd": decimal_text(progress.cost_usd),
        "shadow_agents": {
            "calls": progress.shadow_calls,
            "cost_usd": decimal_text(progress.shadow_cost_usd),
        },
        "models_without_price": [*sorted(progress.unpriced)],
        "replies_replayed": progress.replayed,
        "gates": {agent: figures.document() for agent, figures in progress.gates.items()},
        "risk": {a: log.report.of_agent(a).document() for a in progress.agents},
        "exits": {a: log.report.exits.get(a, ExitCounts()).document() for a in progress.agents},
        "risk_text": "\n".join(risk_lines(log.report)) or None,
        "restarts": sum(p.restarts for p in run.processes) if run else 0,
        "dead": [one.document() for one in ending.dead],
        "records": sum(f.count for f in manifest.topics.values()) if manifest else None,
        "account_digest": account_digest(shards) if is_complete else None,
        "all_refused": all_refused_text(shards) or None,
        "report": str(setup.directory / REPORT / "index.html") if is_complete else None,
        "figures": str(setup.directory / REPORT / FIGURES) if is_complete else None,
    }


def write_contest_document(document: dict[str, JsonValue], json_file: Path | None) -> None:
    """Write the contest's document to the file of `--json`, if one was given."""
    if json_file is not None:
        write_atomic(json_file, json.dumps(document, indent=2) + "\n")


def _closing_lines(
    setup: RunSetup,
    progress: ContestProgress,
    ending: ContestEnd,
    document: dict[str, JsonValue],
    verdict: str,
) -> list[str]:
    """The last lines on the screen; they repeat the verdict, which the tables scrolled away."""
    arena, name = arena_command(), setup.directory.name
    lines = [] if ending.reason is EndReason.DONE else [f"Cut short: {ending.text}."]
    lines = [*dead_lines(ending.dead), *lines]
    if all_refused := document.get("all_refused"):
        lines.append(str(all_refused))
    aborted = f" ({progress.aborted:,} aborted)" if progress.aborted else ""
    cost = "" if not progress.tokens else f", {tokens_text(progress)}, {cost_text(progress)}"
    lines += [
        f"{progress.snapshots} snapshots, {progress.turns:,} turns{aborted} of "
        f"{len(progress.agents)} agents{cost}, in {elapsed_text(ending.elapsed_s)}.",
        *filter(None, (shadows_line(progress), gates_line(progress))),
        *str(document.get("risk_text") or "").splitlines(),
        f"Verdict:  {verdict}",
        f"Accounts: {document['account_digest']}",
        f"Report:   {document['report']}",
        f"Records:  {setup.directory / RECORDS}",
        f"Anyone can recompute it: {arena} compete verify {name}",
    ]
    if progress.unpriced and progress.cost_usd == Decimal(0):
        lines.append(f"No price is known for {', '.join(sorted(progress.unpriced))}.")
    return lines
