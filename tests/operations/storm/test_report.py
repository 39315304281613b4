"""The report of storms: table, sums, promises."""

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from operations.storm.fault_plan import make_plan
from operations.storm.outcome import Outcome
from operations.storm.report import (
    all_promises_held,
    document_of,
    missing_figures,
    rare_kinds,
    remarks_of,
    sum_of,
    table_of,
)
from operations.storm.verdicts import CommandResult, Verdicts

SOUND: dict[str, Any] = {  # Any: JSON
    "orders": 1_000,
    "acked": 900,
    "kills": {"executor": 3, "judge": 1},
    "freezes": 2,
    "broker_kills": 1,
    "leader_kills": 0,
    "link_cuts": 4,
    "lost": 0,
    "doubled": 0,
    "digest_equal": True,
    "audit": "passed",
    "reconcile": "passed",
    "trial_balance": "passed",
    "replay": "passed",
    "checker": "passed",
    "seed": 1,
    "minutes": 2.0,
    "plan": "1 broker, plain",
    "full_disks": 1,
    "clock_jumps": 1,
    "poison": 5,
    "garbage": 4,
    "duplicates": 60,
    "reordered": 9,
    "recovery_s": 3.5,
}


@pytest.mark.parametrize(
    "broken",
    [
        {"lost": 1},
        {"lost": None},
        {"doubled": 1},
        {"digest_equal": False},
        {"audit": "failed"},
        {"reconcile": "failed"},
        {"trial_balance": "failed"},
        {"replay": "failed"},
        {"checker": "failed"},
        {"recovery_s": None},
        {"orders": 0},
        {"acked": 0, "orders": 5_000},
        {
            **dict.fromkeys(("freezes", "broker_kills", "link_cuts", "full_disks"), 0),
            **dict.fromkeys(("clock_jumps", "poison", "halts"), 0),
            "kills": {"executor": 0},
        },
    ],
    ids=str,
)
def test_storm_with_one_broken_promise_does_not_pass(broken: dict[str, Any]) -> None:
    """A storm passes only if every promise held, and it had orders and faults."""
    assert all_promises_held(SOUND)
    assert not all_promises_held({**SOUND, **broken})


def test_several_storms_are_summed() -> None:
    """Counts are summed, and one failure makes the sum fail."""
    second = {**SOUND, "seed": 2, "kills": {"executor": 2}, "audit": "failed", "lost": 1}
    total = sum_of([SOUND, second])
    lines = table_of([SOUND, second]).splitlines()

    assert {"executor": 5, "judge": 1} == total["kills"]
    assert (2_000, 8, "failed", 1) == (
        total["orders"],
        total["link_cuts"],
        total["audit"],
        total["lost"],
    )
    assert 5 == len(lines)
    assert lines[-1].startswith("| all | 2 storms | 2,000 | 6 | 4 | 2 / 0 | 8 |")
    assert 1 == len({line.count("|") for line in lines})


def test_faults_that_were_not_injected_are_reported() -> None:
    """The table has both counts; kinds of which most are missing are named."""
    planned = {"poison": 60, "link_cut": 4, "link reset": 2, "kill": 4, "freeze": 5}
    injected = {"poison": 5, "link_cut": 4, "link reset": 2, "kill": 4, "freeze": 2}
    not_injected = [f"poison {n} to agent.turns: KafkaConnectionError" for n in range(9)]
    storm = {**SOUND, "planned": planned, "injected": injected, "not_injected": not_injected}
    text = "\n".join(remarks_of(storm))

    assert all_promises_held(storm)
    assert ["poison", "freeze"] == rare_kinds(planned, injected)
    assert "| 5 of 60, 0 |" in table_of([storm])
    assert "| 10 of 120, 0 |" in table_of([storm, storm])
    assert "kills: executor 3, judge 1" in text
    assert "reset 2" in text
    assert not_injected[0] in text
    assert "not injected: 3 more" in text
    assert "poison 5 of 60, freeze 2 of 5" in text


def test_refusals_that_cannot_be_checked_are_counted() -> None:
    """They are counted by reason, also over several storms."""
    storm = {**SOUND, "refusals_judged": 900, "refusals_unjudged": {"no_price": 2}}

    text = "\n".join(remarks_of(sum_of([storm, storm])))
    assert "refusals: 1,800 computed again, 4 cannot be, no_price 4" in text


def outcome(orders: int, last_at: int, ledger_end: int, kills: int, acked: int = 9) -> Outcome:
    """Return the outcome of a storm without errors, with these counts."""
    counts = {"orders": orders, "last_at": last_at}
    digest = {"account_digest": "ab"}
    return Outcome(
        plan=make_plan(1, 1),
        version="4",
        seconds=60.0,
        faults=cast(
            Any, SimpleNamespace(kills=Counter(judge=kills), counts=Counter(), not_injected=["x"])
        ),
        sent=Counter(acked=acked),
        not_injected=["y"],
        verdicts=Verdicts(
            checker=CommandResult(0, {"counts": counts}, "", 1.0),
            audit=CommandResult(0, digest, "", 1.0),
            replays=[CommandResult(0, digest, "", 1.0)],
            reconciles={"sqlite": CommandResult(0, {"offsets": {"0": ledger_end}}, "", 1.0)},
            balances={"sqlite": CommandResult(0, {}, "", 1.0)},
        ),
        decision_gap_s=1.0,
        recovery_s=1.0,
        ends=Counter(),
        open_orders=0,
        phases={},
    )


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (outcome(10, 9, 10, 1), ""),
        (outcome(10, 9, 9, 1), "the sqlite ledger ends at 9, the last event is at 9"),
        (outcome(0, 9, 10, 1), "the storm had no orders, so it shows nothing"),
        (
            outcome(10, 9, 10, 1, 0),
            "no command of the storm's own sender was acked, so it shows nothing",
        ),
        (outcome(10, 9, 10, 0), "the storm injected no fault, so it shows nothing"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_storm_that_shows_nothing_does_not_pass(found: Outcome, why: str) -> None:
    """Without orders, faults, or a complete ledger there is a finding."""
    document = document_of(found)

    assert (why == "") == all_promises_held(document)
    assert not missing_figures(document)
    assert ["kills"] == missing_figures({k: v for k, v in document.items() if k != "kills"})
    assert ([why] if why else []) == document["findings"]
    assert ["x", "y"] == document["not_injected"]
    assert "poison" in document["rare"]
    assert {"executor", "supervisor", "ledger-postgres"} < set(document["kills"])
