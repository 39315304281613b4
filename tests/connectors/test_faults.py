"""Fault words: what can be asked for, and what is refused."""

import pytest

from arena.errors import UsageError
from connectors.exchange.faults import KINDS, Fault, FaultBoard, parse_fault


def test_every_kind_can_be_asked_for() -> None:
    """A bare kind has defaults, unless it says nothing without; parameters follow a colon."""
    needed = {"status": ":status=offline", "terms": ":base_increment=1"}
    assert list(KINDS) == [parse_fault(kind + needed.get(kind, "")).kind for kind in KINDS]
    assert Fault("close", code=1012, at=30.0) == parse_fault("close:code=1012,at=30")
    assert Fault("gap", seconds=2.5, product="BTC-USD") == parse_fault(
        "gap:seconds=2.5,product=BTC-USD"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("explode", "no fault"),
        ("close:code", "no value"),
        ("close:code=abc", "invalid literal"),
        ("close:code=1005", "cannot be sent"),
        ("stall:minutes=1", "no parameter"),
        ("status:product=BTC-USD", "no status"),
        ("terms:product=BTC-USD", "changes nothing"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(text: str, complaint: str) -> None:
    """The message names the word that is wrong."""
    with pytest.raises(UsageError, match=complaint):
        parse_fault(text)


def test_a_lasting_fault_ends() -> None:
    """It is on from when it is set until its seconds are over."""
    board = FaultBoard()
    fault = Fault("stall", seconds=5)
    board.set(fault, 10.0)

    assert [fault, fault, None] == [board.active("stall", s) for s in (10.0, 14.9, 15.0)]
    assert board.active("html", 10.0) is None
