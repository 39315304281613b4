"""Fault points do nothing unless they are armed, and kill the process if they are."""

import subprocess
import sys

import pytest

from arena.errors import UsageError
from arena.fault_points import ANY, POINTS, fault_point, parse_fault


@pytest.mark.parametrize("name", [*POINTS, ANY])
def test_fault_names_point_and_probability(name: str) -> None:
    """Every point can be named."""
    assert (name, 0.5) == parse_fault(f"{name}:0.5")


@pytest.mark.parametrize("text", ["after_dinner:1", "after_read", "after_read:2", "after_read:x"])
def test_malformed_fault_is_refused(text: str) -> None:
    """A misspelt fault must not look like a passed test."""
    with pytest.raises(UsageError):
        parse_fault(text)


def test_unarmed_point_does_nothing() -> None:
    """This process continues."""
    assert parse_fault("") is None
    fault_point("after_read")


@pytest.mark.parametrize(("armed", "code"), [("after_read:1", -9), ("after_epoch:1", 0)])
def test_armed_point_kills(armed: str, code: int) -> None:
    """Only the named point kills."""
    program = "from arena.fault_points import fault_point; fault_point('after_read')"
    ended = subprocess.run(
        [sys.executable, "-c", program], env={"ARENA_FAULT": armed}, timeout=30, check=False
    )

    assert code == ended.returncode
