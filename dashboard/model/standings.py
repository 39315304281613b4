"""The standings as a document for programs. Pure.

`arena dashboard --once --json` prints the document; keys are only ever added to it. Money is text,
in the document's `currency` (only `cost_usd`, the cost of models, is in US dollars); percentages
are text too. If accounts hold several currencies, an agent's `currencies` has its amounts in each,
and its `return_pct` is of the wealth index; its other amounts are of the main account, counts and
positions are of all.
"""

from datetime import datetime

from pydantic import JsonValue

from dashboard.model import queries
from dashboard.model.agent_results import process_health
from dashboard.model.frame import build_frame
from dashboard.model.results import HaltResult, Result
from dashboard.model.shadows import shadow_costs
from dashboard.model.view import ArenaView

NOT_IN_VERDICT = {"evaluation_id", "as_of", "planned", "rows", "dead", "apart"}
"""What the document omits of the verdict: `arena judge --once --json` prints all of it."""


def standings(view: ArenaView, now: datetime, *, broker: str = "") -> dict[str, JsonValue]:
    """The standings document.

    Args:
        view: The view.
        now: Wall time, for the state of processes.
        broker: Bootstrap servers, for the reader.

    Returns:
        broker, snapshots, as_of, simulated, speed, currency, wallets (further currencies, if
        accounts hold any), rules, agents (in rank order, the dead
        last and without a rank), other_accounts (such as an operator's), dead (with their cause),
        digest (of all accounts), verdict (of the judge, null without one), shadow_agents (what the
        models of the shadow agents of trials cost), halted, processes, and counts of errors and
        unreadable records.
    """
    frame = build_frame(view, now)
    board, summary = queries.leaderboard(view, frame), frame.summary
    verdict = queries.verdict(view)
    return {
        "broker": broker,
        "snapshots": summary.snapshots,
        "as_of": summary.as_of.isoformat() if summary.as_of else None,
        "simulated": summary.simulated,
        "speed": summary.speed,
        "currency": board.currency,
        **({"wallets": list(board.wallets)} if board.wallets else {}),
        "rules": None if board.rules is None else _json(board.rules),
        "agents": [_json(one) for one in board.agents],
        "other_accounts": [_json(one) for one in board.other_accounts],
        "dead": [_json(one) for one in board.dead],
        "verdict": None if verdict is None else _json(verdict, NOT_IN_VERDICT),
        "shadow_agents": _json(shadow_costs(view)),
        "halted": [_halt(one) for one in board.halted],
        "digest": board.digest,
        "partial": board.partial,
        "llm_errors": summary.llm_errors,
        "dead_letters": summary.dead_letters,
        "malformed": summary.malformed,
        "broken_log": summary.broken_log,
        "processes": [_json(process_health(row)) for row in frame.processes],
    }


def _halt(halt: HaltResult) -> JsonValue:
    since = None if halt.since is None else halt.since.isoformat()
    return {**halt.model_dump(mode="json"), "since": since}


def _json(result: Result, exclude: set[str] | None = None) -> JsonValue:
    # Typed: pydantic promises any JSON.
    document: dict[str, JsonValue] = result.model_dump(mode="json", exclude=exclude)
    return document
