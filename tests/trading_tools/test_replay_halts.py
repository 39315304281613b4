"""The halt of a rejection is found by its sentence."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from arena.bus.base import Record
from arena.kill_switch import KillSwitch
from tests.arena.test_kill_switch import AT, halt, record, resume
from trading_tools import replay_halts
from trading_tools.replay_halts import HaltHistory

ALL, MINE = b"all", b"agent/momentum"
CONTROL = [
    record(MINE, halt("momentum").model_copy(update={"reason": "one"}), offset=0),
    record(MINE, resume("momentum"), offset=1),
    record(ALL, halt().model_copy(update={"reason": "two"}), offset=2),
    record(MINE, halt("momentum").model_copy(update={"reason": "never in force"}), offset=3),
    record(MINE, b"rot", offset=4),
    record(ALL, resume(), offset=5),
    record(ALL, None, offset=6),
]


def prefixes(control: Sequence[Record]) -> list[KillSwitch]:
    """The kill switch after each record."""
    found = []
    for count in range(1, len(control) + 1):
        switch = KillSwitch()
        for one in control[:count]:
            switch.take(one)
        found.append(switch)
    return found


def test_each_halt_is_found_by_its_sentence() -> None:
    """It is the same as in a fold up to the record that the executor had read."""
    halts = HaltHistory(CONTROL)
    sentences = []
    for switch in prefixes(CONTROL):
        if (stop := switch.halt_of("momentum")) is not None:
            event = {"agent": "momentum", "detail": stop.sentence}
            assert stop == halts.switch_of(event, AT).halt_of("momentum")
            sentences.append(stop.why)

    assert ["one", "two"] == sentences[:2]
    assert 6 == len(sentences)


@pytest.mark.parametrize("agent", ["momentum", "scalper"])
def test_halt_that_was_never_in_force_is_not_found(agent: str) -> None:
    """Nor is another agent's, nor one for an unknown text: only the time is left."""
    halts = HaltHistory(CONTROL[:4] if agent == "momentum" else CONTROL[:5])
    (mine,) = (s for s in prefixes(CONTROL)[3].halts.values() if s.scope != "all")
    found = halts.switch_of({"agent": agent, "detail": mine.sentence}, AT)
    before = halts.switch_of({"agent": agent, "detail": "?"}, AT - timedelta(seconds=1))

    assert "two" == getattr(found.halt_of(agent), "why", None)
    assert before.halt_of(agent) is None


def test_many_rejections_fold_the_halts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records are folded once, not once per order."""
    folded = 0

    class Counting(KillSwitch):
        def take(self, record: Record) -> object:  # type: ignore[override]  # does not matter here
            nonlocal folded
            folded += 1
            return super().take(record)

    monkeypatch.setattr(replay_halts, "KillSwitch", Counting)
    halts = HaltHistory(CONTROL)
    stop = prefixes(CONTROL)[0].halt_of("momentum")
    assert stop is not None
    for _ in range(100):
        halts.switch_of({"agent": "momentum", "detail": stop.sentence}, AT)

    assert len(CONTROL) == folded
