"""The table of storms, and when a promise held."""

from typing import Any

import pytest

from operations.storm.report import held, sum_of, table_of

SOUND: dict[str, Any] = {  # Any: JSON
    "orders": 1_000,
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
    "duplicates": 60,
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
    ],
    ids=str,
)
def test_one_broken_promise_is_a_broken_promise(broken: dict[str, Any]) -> None:
    """A storm held only if everything did."""
    assert held(SOUND)
    assert not held({**SOUND, **broken})


def test_storms_add_up() -> None:
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
