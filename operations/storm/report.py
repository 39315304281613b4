"""The figures of a storm: its JSON document, its table, and the sum of several storms. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from operations.storm.fault_plan import KIND_OF, LINK_CUT_VARIANTS
from operations.storm.outcome import Outcome
from operations.storm.verdicts import CommandResult

Document = dict[str, Any]  # Any: JSON
UNSENT_SHOWN_MAX = 6
FIGURES = {
    "freezes": "freeze",
    "broker_kills": "broker_kill",
    "leader_kills": "leader_kill",
    "link_cuts": "link_cut",
    "full_disks": "full_disk",
    "clock_jumps": "clock_jump",
    "poison": "poison",
    "halts": "halt",
}
"""Name of a figure -> the kind of fault it counts."""
UNJUDGED = "unjudged_"
ADDED = (
    "orders",
    "acked",
    "freezes",
    "broker_kills",
    "leader_kills",
    "link_cuts",
    "full_disks",
    "clock_jumps",
    "poison",
    "halts",
    "garbage",
    "duplicates",
    "reordered",
    "refusals_judged",
    "lost",
    "doubled",
    "wrong",
    "seconds",
)
"""Figures that add up over several storms."""
COUNTERS = ("kills", "planned", "injected", "refusals_unjudged")
"""Counters that add up over several storms, by kind."""
NEW = frozenset({"garbage", "halts", "refusals_judged"})
"""Figures that are missing in documents of older storms."""
PASSES = ("audit", "reconcile", "trial_balance", "replay", "checker")


def document_of(outcome: Outcome) -> Document:
    """Return the figures of a storm as JSON; the names are fixed."""
    verdicts = outcome.verdicts
    checked: Mapping[str, int] = verdicts.checker.document.get("counts", {})
    injected = injected_of(outcome)
    return {
        "orders": checked.get("orders", 0),
        "kills": {kind: outcome.faults.kills[kind] for kind in sorted(set(KIND_OF.values()))},
        **{name: injected[kind] for name, kind in FIGURES.items()},
        "lost": checked.get("lost", 0) + checked.get("undecided", 0) if checked else None,
        "doubled": checked.get("doubled", 0) if checked else None,
        "digest_equal": verdicts.digest_equal,
        "audit": _passed(verdicts.audit),
        "reconcile": "failed"
        if late_ledgers(outcome)
        else _all_passed(verdicts.reconciles.values()),
        "trial_balance": _all_passed(verdicts.balances.values()),
        "replay": _all_passed(verdicts.replays),
        "checker": _passed(verdicts.checker),
        "wrong": verdicts.checker.document.get("wrong_count"),
        "seed": outcome.plan.seed,
        "minutes": round(outcome.plan.seconds / 60, 2),
        "plan": outcome.plan.summary(),
        "kafka": outcome.version,
        "planned": dict(sorted(outcome.plan.planned().items())),
        "injected": dict(sorted(injected.items())),
        "not_injected": [*outcome.faults.not_injected, *outcome.not_injected],
        "rare": rare_kinds(outcome.plan.planned(), injected),
        "garbage": outcome.sent["garbage"],
        "duplicates": outcome.sent["duplicates"],
        "reordered": outcome.sent["reordered"],
        "acked": outcome.sent["acked"],
        "refusals_judged": sum(
            checked.get(name, 0)
            for name in ("refusals_judged", "refused_too_old", "refused_issued_ahead")
        ),
        "refusals_unjudged": {
            name.removeprefix(UNJUDGED): count
            for name, count in sorted(checked.items())
            if name.startswith(UNJUDGED)
        },
        "given_up": outcome.faults.counts["given_up"],
        "still_s": outcome.decision_gap_s,
        "recovery_s": outcome.recovery_s,
        "open_orders": outcome.open_orders,
        "seconds": round(outcome.seconds, 1),
        "phases_s": outcome.phases,
        "checked": dict(checked),
        "sent": dict(outcome.sent),
        "ends": dict(outcome.ends),
        "without": outcome.without,
        "findings": findings_of(outcome),
    }


def injected_of(outcome: Outcome) -> Counter[str]:
    """Count the faults that took effect, by the kinds of the plan."""
    faults = outcome.faults
    found = Counter({kind: faults.counts[kind] for kind in outcome.plan.planned()})
    found.update({f"kill {kind}": count for kind, count in faults.kills.items()})
    found["kill"] = faults.kills.total()
    found.update({kind: outcome.sent[kind] for kind in ("poison", "halt")})
    return found


def late_ledgers(outcome: Outcome) -> list[str]:
    """Describe ledgers without the last event: that the rest agrees shows little."""
    counts = outcome.verdicts.checker.document.get("counts", {})
    last = counts.get("last_at", -1)
    return [
        f"the {kind} ledger ends at {result.ledger_end:,}, the last event is at {last:,}"
        for kind, result in outcome.verdicts.reconciles.items()
        if result.ledger_end <= last
    ]


def findings_of(outcome: Outcome) -> list[str]:
    """Describe everything that is wrong."""
    verdicts = outcome.verdicts
    found = [f"checker: {text}" for text in verdicts.checker.document.get("wrong", [])]
    if verdicts.checker.code not in (0, 1):
        found.append(f"checker: exit {verdicts.checker.code}: {verdicts.checker.errors}")
    for verdict in verdicts.audit.document.get("invariants", []):
        if verdict["status"].lower() == "fail":
            first = verdict["findings"][:1]
            found.append(f"audit {verdict['number']}: {verdict['failures']} failures: {first}")
    named = {"audit": verdicts.audit}
    named |= {f"replay {n}": result for n, result in enumerate(verdicts.replays, 1)}
    named |= {f"reconcile {kind}": result for kind, result in verdicts.reconciles.items()}
    named |= {f"trial balance {kind}": result for kind, result in verdicts.balances.items()}
    for name, result in named.items():
        if result.code != 0:
            first = _first_difference(result)
            found.append(f"{name}: exit {result.code}: {result.errors or first}")
    found += late_ledgers(outcome)
    if not verdicts.digest_equal:
        found.append(f"digests differ: {verdicts.digests}")
    if not injected_of(outcome).total():
        found.append("the storm injected no fault, so it shows nothing")
    if not verdicts.checker.document.get("counts", {}).get("orders"):
        found.append("the storm had no orders, so it shows nothing")
    if not outcome.sent["acked"]:
        found.append("no command of the storm's own sender was acked, so it shows nothing")
    if outcome.recovery_s is None or outcome.open_orders:
        found.append(f"{outcome.open_orders} orders were open after the rest")
    return found


def all_promises_held(document: Document) -> bool:
    """True if every promise held, and the storm had orders and faults."""
    return bool(
        document["orders"] > 0
        and document["acked"] > 0
        and sum(document["kills"].values()) + sum(document.get(name, 0) for name in FIGURES) > 0
        and document["lost"] == 0
        and document["doubled"] == 0
        and document["digest_equal"]
        and document["recovery_s"] is not None
        and all(document[name] == "passed" for name in PASSES)
    )


def missing_figures(document: Document) -> list[str]:
    """Return the figures that the document of a storm needs and this one lacks."""
    others = ("seed", "plan", "minutes", "kills", "digest_equal", "recovery_s", *PASSES)
    return sorted({*ADDED, *others} - NEW - document.keys())


def rare_kinds(planned: Mapping[str, int], injected: Mapping[str, int]) -> list[str]:
    """Return the planned kinds of fault of which fewer than half took effect."""
    return [kind for kind, count in planned.items() if 2 * injected.get(kind, 0) < count]


def remarks_of(document: Document) -> list[str]:
    """Return lines below the table: kills and cuts by kind, refusals, faults without effect."""
    kills = ", ".join(f"{kind} {count}" for kind, count in document["kills"].items())
    found = [f"kills: {kills}"]
    if document.get("injected"):  # not in documents of older storms
        cuts = (f"{variant} {_of(document, f'link {variant}')}" for variant in LINK_CUT_VARIANTS)
        found.append(f"link cuts: {', '.join(cuts)}")
    if judged := document.get("refusals_judged"):
        unjudged = document["refusals_unjudged"]
        named = "".join(f", {reason} {count}" for reason, count in unjudged.items())
        found.append(
            f"refusals: {judged:,} computed again, {sum(unjudged.values()):,} cannot be{named}"
        )
    if (decision_gap_s := document.get("still_s")) is not None:
        found.append(f"longest time without a decision: {decision_gap_s:g} s")
    not_injected = document.get("not_injected", [])
    found += [f"not injected: {what}" for what in not_injected[:UNSENT_SHOWN_MAX]]
    if (more := len(not_injected) - UNSENT_SHOWN_MAX) > 0:
        found.append(f"not injected: {more} more, see not_injected in the file of --json")
    if rare := rare_kinds(document.get("planned", {}), document.get("injected", {})):
        found.append(
            f"attention: most of these were not injected, so this storm says little about them:"
            f" {', '.join(f'{kind} {_of(document, kind)}' for kind in rare)}"
        )
    return found


def table_of(documents: Iterable[Document]) -> str:
    """Return a table with one line per storm, and their sum if there are several."""
    rows = list(documents)
    head = (
        "seed",
        "plan",
        "orders",
        "kills",
        "freezes",
        "broker / leader kills",
        "link cuts",
        "disks, clocks",
        "poison, halts",
        "garbage, copies, late",
        "lost, doubled",
        "checker",
        "digest",
        "audit",
        "reconcile",
        "back, s",
    )
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [_row(row) for row in rows]
    if len(rows) > 1:
        lines.append(_row(sum_of(rows)))
    return "\n".join(lines)


def sum_of(documents: Iterable[Document]) -> Document:
    """Add up several storms to one document."""
    rows = list(documents)
    total: Document = {name: sum(row.get(name) or 0 for row in rows) for name in ADDED}
    for name in COUNTERS:
        counter: Counter[str] = Counter()
        for row in rows:
            counter.update(row.get(name, {}))
        total[name] = dict(sorted(counter.items()))
    if not all("planned" in row for row in rows):
        total["planned"] = total["injected"] = {}
    total["not_injected"] = [what for row in rows for what in row.get("not_injected", [])]
    back = [row["recovery_s"] for row in rows]
    total |= {
        "seed": "all",
        "plan": f"{len(rows)} storms",
        "digest_equal": all(row["digest_equal"] for row in rows),
        "recovery_s": None if None in back else max(back),
        "still_s": max(filter(None, (row.get("still_s") for row in rows)), default=None),
        "minutes": sum(row["minutes"] for row in rows),
    }
    for name in PASSES:
        total[name] = "passed" if all(row[name] == "passed" for row in rows) else "failed"
    return total


def _row(row: Document) -> str:
    back = "-" if row["recovery_s"] is None else f"{row['recovery_s']:g}"
    cells = (
        str(row["seed"]),
        row["plan"],
        f"{row['orders']:,}",
        _of(row, "kill", sum(row["kills"].values())),
        _of(row, "freeze", row["freezes"]),
        f"{_of(row, 'broker_kill', row['broker_kills'])} /"
        f" {_of(row, 'leader_kill', row['leader_kills'])}",
        _of(row, "link_cut", row["link_cuts"]),
        f"{_of(row, 'full_disk', row['full_disks'])}, {_of(row, 'clock_jump', row['clock_jumps'])}",
        f"{_of(row, 'poison', row['poison'])}, {_of(row, 'halt', row.get('halts', 0))}",
        f"{row.get('garbage', 0)}, {row['duplicates']:,}, {row['reordered']:,}",
        f"{row['lost']}, {row['doubled']}",
        row["checker"],
        "equal" if row["digest_equal"] else "differs",
        row["audit"],
        row["reconcile"],
        back,
    )
    return "| " + " | ".join(cells) + " |"


def _of(row: Document, kind: str, count: int | None = None) -> str:
    """Return a count, and the planned count if it differs."""
    planned = row.get("planned", {}).get(kind, count)
    found = row.get("injected", {}).get(kind, 0) if count is None else count
    return f"{found:,}" if planned in (None, found) else f"{found:,} of {planned:,}"


def _passed(result: CommandResult) -> str:
    return "passed" if result.code == 0 else "failed"


def _all_passed(result: Iterable[CommandResult]) -> str:
    found = list(result)
    return "passed" if found and all(one.code == 0 for one in found) else "failed"


def _first_difference(result: CommandResult) -> str:
    document = result.document
    rows = document.get("differences") or [
        figure for figure in document.get("figures", []) if figure.get("drifts")
    ]
    return str((rows or document.get("remarks") or [""])[0])[:400]
