"""Faults of the simulated exchange: parsing, refusals and duration."""

import pytest

from arena.errors import UsageError
from connectors.simulator.faults import KINDS, ActiveFaults, VenueFault, parse_fault


def test_every_kind_is_parsed() -> None:
    """A kind without parameters has defaults, unless it needs one; parameters follow a colon."""
    needed = {"status": ":status=offline", "terms": ":base_increment=1"}
    assert list(KINDS) == [parse_fault(kind + needed.get(kind, "")).kind for kind in KINDS]
    assert VenueFault("close", code=1012, at=30.0) == parse_fault("close:code=1012,at=30")
    assert VenueFault("gap", seconds=2.5, product="BTC-USD") == parse_fault(
        "gap:seconds=2.5,product=BTC-USD"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode", "unknown fault"),
        ("close:code", "no value"),
        ("close:code=abc", "invalid literal"),
        ("close:code=1005", "cannot be sent"),
        ("gap:at=nan", "at is nan"),
        ("gap:at=inf", "at is inf"),
        ("gap:at=-1", "at is -1; write a number of seconds from 0"),
        ("lifetime:seconds=nan", "seconds is nan"),
        ("stall:minutes=1", "no parameter"),
        ("status:product=BTC-USD", "no status"),
        ("terms:product=BTC-USD", "changes nothing"),
    ],
)
def test_invalid_fault_is_refused(text: str, complaint: str) -> None:
    """The message names what is wrong."""
    with pytest.raises(UsageError, match=complaint):
        parse_fault(text)


def test_lasting_fault_ends() -> None:
    """It is on for its number of seconds."""
    active = ActiveFaults()
    fault = VenueFault("stall", seconds=5)
    active.set(fault, 10.0)

    assert [fault, fault, None] == [active.current("stall", s) for s in (10.0, 14.9, 15.0)]
    assert active.current("html", 10.0) is None
