"""The end of a contest: its records out of Kafka, its report, its leaderboard.

Reads the topics of the run; writes `<run>/records/`, `<run>/report/` (by `arena compete report`, in
a process of its own) and the file of `--json`.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from pydantic import JsonValue

from arena import topics
from arena.account_state import Account, accounts_digest
from arena.accounts import Shard
from arena.atomic_files import write_whole
from arena.errors import ArenaError
from arena.exports import Manifest, read_records
from arena.money import decimal_text
from arena.pass_overs import passed_over_in
from arena.progress import Step
from arena.runs import RECORDS, read_run
from arena.visible_text import one_line
from operations.commands.compete_health import dead_lines
from operations.commands.compete_monitor import ContestEnd, End
from operations.commands.compete_progress import (
    ContestProgress,
    cost_text,
    duration_text,
    tokens_text,
)
from operations.commands.export_run import export_run
from operations.commands.numbered_steps import NumberedSteps
from operations.commands.supervised_run import (
    LAUNCHER,
    RunSetup,
    arena_command,
    process_environment,
)

REPORT = "report"
REPORT_DEADLINE_S = 600.0
DETAIL_CHARS_MAX = 200


def finish_contest(
    begin: RunSetup,
    tally: ContestProgress,
    ending: ContestEnd,
    steps: NumberedSteps,
    json_file: Path | None,
) -> None:
    """Export, report, print; the broker still runs, everything else has ended.

    Raises:
        ArenaError: The records or the report could not be written.
    """
    print(flush=True)
    manifest = export_run(begin, steps.show)
    document = contest_document(begin, tally, ending, manifest)
    write_contest_document(document, json_file)
    steps.show(Step(REPORT, "computing the verdict"))
    said = _report(begin)
    steps.show(Step(REPORT, str(begin.directory / REPORT), finished=True))
    print(f"\n{said.strip()}\n")
    verdict = said.strip().partition("\n")[0]
    for line in _closing_lines(begin, tally, ending, document, verdict):
        print(f" {line}".rstrip())
    if json_file is not None:
        print(f" Written: {json_file}")


def _report(begin: RunSetup) -> str:
    """Have the report written; what it says is the leaderboard."""
    asked = subprocess.run(
        [*LAUNCHER, "compete", "report", str(begin.directory)],
        env=os.environ | process_environment(begin.settings),
        capture_output=True,
        text=True,
        timeout=REPORT_DEADLINE_S,
        check=False,
    )
    if asked.returncode == 0:
        return asked.stdout
    raise ArenaError(
        f"the report could not be written: {_words_of(asked)}",
        remedy=f"the records are in {begin.directory / RECORDS}; try it again with "
        f"{arena_command()} compete report {begin.directory.name}",
    )


def _words_of(asked: subprocess.CompletedProcess[str]) -> str:
    said = asked.stderr.strip()[-500:].removeprefix("arena: ")
    return said or f"it ended with {asked.returncode}"


def fold_accounts(records: Path) -> dict[int, Shard]:
    """The account log of exported records, folded: partition -> shard."""
    shards: dict[int, Shard] = {}
    passed_over = passed_over_in(records)
    for record in read_records(records, [topics.EVENTS.name]):
        kind = record.kind
        new = Shard(passed_over=passed_over.get(record.partition, {}))
        shard = shards.setdefault(record.partition, new)
        shard.apply(kind, record.value, record.offset)
    return shards


def account_digest(shards: Mapping[int, Shard]) -> str:
    """Hash of what every agent owns and did."""
    accounts: dict[str, Account] = {}
    for shard in shards.values():
        accounts |= shard.accounts
    return accounts_digest(accounts)


def all_refused_text(shards: Mapping[int, Shard]) -> str:
    """That every order of the contest was refused, and why; "" if one was filled, or none sent."""
    accounts = [account for shard in shards.values() for account in shard.accounts.values()]
    refused = sum(account.rejections for account in accounts)
    if not refused or any(account.fills for account in accounts):
        return ""
    decided = [one for shard in shards.values() for one in shard.orders.values()]
    reasons = sorted({(one.reason or "").replace("_", " ") for one in decided if one.reason})
    said = f"Every order was refused ({refused:,}): {', '.join(reasons)}"
    if len(reasons) == 1:
        newest = next(shard.recent[-1] for shard in shards.values() if len(shard.recent))
        said += f", {one_line(str(newest['detail']), DETAIL_CHARS_MAX)}"
    return f"{said}."


def contest_document(
    begin: RunSetup, tally: ContestProgress, ending: ContestEnd, manifest: Manifest | None
) -> dict[str, JsonValue]:
    """The contest as a document for programs; its keys only grow.

    Args:
        begin: What it was made from.
        tally: How far it came.
        ending: How it ended.
        manifest: Of its exported records; None if it is not over: then there is no report either.
    """
    run = read_run(begin.directory)
    over = manifest is not None
    shards = fold_accounts(begin.directory / RECORDS) if over else {}
    return {
        "run": begin.directory.name,
        "directory": str(begin.directory),
        "prefix": begin.settings.prefix,
        "broker": {"kind": begin.broker.kind, "version": begin.broker.version},
        "ended": ending.why.value,
        "text": ending.text,
        "seconds": round(ending.elapsed_s, 1),
        "snapshots": tally.snapshots,
        "snapshots_wanted": tally.wanted,
        "agents": list(tally.agents),
        "turns": tally.turns,
        "turns_aborted": tally.aborted,
        "tokens": tally.tokens,
        "tokens_estimated": tally.estimated,
        "cost_usd": decimal_text(tally.cost_usd),
        "models_without_price": [*sorted(tally.unpriced)],
        "replies_replayed": tally.replayed,
        "restarts": sum(p.restarts for p in run.processes) if run else 0,
        "dead": [one.document() for one in ending.dead],
        "records": sum(f.count for f in manifest.topics.values()) if manifest else None,
        "account_digest": account_digest(shards) if over else None,
        "all_refused": all_refused_text(shards) or None,
        "report": str(begin.directory / REPORT / "index.html") if over else None,
        "figures": str(begin.directory / REPORT / "figures.json") if over else None,
    }


def write_contest_document(document: dict[str, JsonValue], json_file: Path | None) -> None:
    """Write the document of a contest to the file of `--json`, if there is one."""
    if json_file is not None:
        write_whole(json_file, json.dumps(document, indent=2) + "\n")


def _closing_lines(
    begin: RunSetup,
    tally: ContestProgress,
    ending: ContestEnd,
    document: dict[str, JsonValue],
    verdict: str,
) -> list[str]:
    """What is left on the screen; the verdict again, which the tables have pushed out of it."""
    arena, name = arena_command(), begin.directory.name
    lines = [] if ending.why is End.DONE else [f"Cut short: {ending.text}."]
    lines = [*dead_lines(ending.dead), *lines]
    if all_refused := document.get("all_refused"):
        lines.append(str(all_refused))
    aborted = f" ({tally.aborted:,} aborted)" if tally.aborted else ""
    cost = "" if not tally.tokens else f", {tokens_text(tally)}, {cost_text(tally)}"
    lines += [
        f"{tally.snapshots} snapshots, {tally.turns:,} turns{aborted} of {len(tally.agents)} "
        f"agents{cost}, in {duration_text(ending.elapsed_s)}.",
        f"Verdict:  {verdict}",
        f"Accounts: {document['account_digest']}",
        f"Report:   {document['report']}",
        f"Records:  {begin.directory / RECORDS}",
        f"Anyone can recompute it: {arena} compete verify {name}",
    ]
    if tally.unpriced and tally.cost_usd == Decimal(0):
        lines.append(f"No price is known for {', '.join(sorted(tally.unpriced))}.")
    return lines
