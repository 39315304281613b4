"""What a storm came to: its JSON document, its table, and the sum of several. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from operations.storm.storm import Outcome
from operations.storm.verdicts import Said

Document = dict[str, Any]  # Any: JSON
FINDINGS_SHOWN = 8
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
    "duplicates",
    "reordered",
    "lost",
    "doubled",
    "wrong",
    "seconds",
)
"""Figures that add up over several storms."""


def document_of(outcome: Outcome) -> Document:
    """The figures of a storm; the names are fixed."""
    verdicts, counts = outcome.verdicts, outcome.faults.counts
    checked: Mapping[str, int] = verdicts.checker.document.get("counts", {})
    return {
        "orders": checked.get("orders", 0),
        "kills": dict(sorted(outcome.faults.kills.items())),
        "freezes": counts["freeze"],
        "broker_kills": counts["broker_kill"],
        "leader_kills": counts["leader_kill"],
        "link_cuts": counts["link_cut"],
        "lost": checked.get("lost", 0) + checked.get("undecided", 0) if checked else None,
        "doubled": checked.get("doubled", 0) if checked else None,
        "digest_equal": verdicts.digest_equal,
        "audit": _passed(verdicts.audit),
        "reconcile": _all_passed(verdicts.reconciles.values()),
        "trial_balance": _all_passed(verdicts.balances.values()),
        "replay": _all_passed(verdicts.replays),
        "checker": _passed(verdicts.checker),
        "wrong": verdicts.checker.document.get("wrong_count"),
        "seed": outcome.plan.seed,
        "minutes": round(outcome.plan.seconds / 60, 2),
        "plan": outcome.plan.words(),
        "kafka": outcome.version,
        "full_disks": counts["full_disk"],
        "clock_jumps": counts["clock_jump"],
        "poison": outcome.sent["garbage"] + outcome.sent["poison"],
        "duplicates": outcome.sent["duplicates"],
        "reordered": outcome.sent["reordered"],
        "acked": outcome.sent["acked"],
        "recovery_s": outcome.recovery_s,
        "open_orders": outcome.open_orders,
        "seconds": round(outcome.seconds, 1),
        "checked": dict(checked),
        "sent": dict(outcome.sent),
        "ends": dict(outcome.ends),
        "skipped": dict(outcome.faults.skipped),
        "without": outcome.without,
        "findings": findings_of(outcome),
    }


def findings_of(outcome: Outcome) -> list[str]:
    """What is wrong, in words."""
    verdicts = outcome.verdicts
    found = [f"checker: {text}" for text in verdicts.checker.document.get("wrong", [])]
    if verdicts.checker.code not in (0, 1):
        found.append(f"checker: exit {verdicts.checker.code}: {verdicts.checker.errors}")
    for verdict in verdicts.audit.document.get("invariants", []):
        if verdict["status"].lower() == "fail":
            first = verdict["findings"][:1]
            found.append(f"audit {verdict['number']}: {verdict['failures']} failures: {first}")
    named = {"audit": verdicts.audit}
    named |= {f"replay {n}": said for n, said in enumerate(verdicts.replays, 1)}
    named |= {f"reconcile {kind}": said for kind, said in verdicts.reconciles.items()}
    named |= {f"trial balance {kind}": said for kind, said in verdicts.balances.items()}
    for name, said in named.items():
        if said.code != 0:
            first = _first_difference(said)
            found.append(f"{name}: exit {said.code}: {said.errors or first}")
    if not verdicts.digest_equal:
        found.append(f"digests differ: {verdicts.digests}")
    if outcome.recovery_s is None or outcome.open_orders:
        found.append(f"{outcome.open_orders} orders were open after the rest")
    return found


def held(document: Document) -> bool:
    """True where every promise held."""
    return (
        document["lost"] == 0
        and document["doubled"] == 0
        and document["digest_equal"]
        and document["recovery_s"] is not None
        and all(
            document[name] == "passed"
            for name in ("audit", "reconcile", "trial_balance", "replay", "checker")
        )
    )


def table_of(documents: Iterable[Document]) -> str:
    """One line per storm, and their sum where there are several."""
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
        "poison, copies",
        "lost, doubled",
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
    """Several storms as one document."""
    rows = list(documents)
    total: Document = {name: sum(row.get(name) or 0 for row in rows) for name in ADDED}
    kills: Counter[str] = Counter()
    for row in rows:
        kills.update(row["kills"])
    back = [row["recovery_s"] for row in rows]
    total |= {
        "seed": "all",
        "plan": f"{len(rows)} storms",
        "kills": dict(sorted(kills.items())),
        "digest_equal": all(row["digest_equal"] for row in rows),
        "recovery_s": None if None in back else max(back),
        "minutes": sum(row["minutes"] for row in rows),
    }
    for name in ("audit", "reconcile", "trial_balance", "replay", "checker"):
        total[name] = "passed" if all(row[name] == "passed" for row in rows) else "failed"
    return total


def _row(row: Document) -> str:
    back = "-" if row["recovery_s"] is None else f"{row['recovery_s']:g}"
    cells = (
        str(row["seed"]),
        row["plan"],
        f"{row['orders']:,}",
        str(sum(row["kills"].values())),
        str(row["freezes"]),
        f"{row['broker_kills']} / {row['leader_kills']}",
        str(row["link_cuts"]),
        f"{row['full_disks']}, {row['clock_jumps']}",
        f"{row['poison']}, {row['duplicates']:,}",
        f"{row['lost']}, {row['doubled']}",
        "equal" if row["digest_equal"] else "differs",
        row["audit"],
        row["reconcile"],
        back,
    )
    return "| " + " | ".join(cells) + " |"


def _passed(said: Said) -> str:
    return "passed" if said.code == 0 else "failed"


def _all_passed(said: Iterable[Said]) -> str:
    found = list(said)
    return "passed" if found and all(one.code == 0 for one in found) else "failed"


def _first_difference(said: Said) -> str:
    document = said.document
    rows = document.get("differences") or [
        figure for figure in document.get("figures", []) if figure.get("drifts")
    ]
    return str((rows or document.get("remarks") or [""])[0])[:400]
