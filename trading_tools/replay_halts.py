"""Finds the halt by which an executor refused a recorded order.

The time alone does not identify it: hosts' clocks differ, and a halt by an unreadable record has no
time. A refusal repeats the sentence of its halt, so the halt is found by that among all halts that
were ever in force. They are folded once, however many orders were refused.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from arena.bus.base import Record
from arena.kill_switch import ALL_AGENTS, ActiveHalt, KillSwitch, key_of, parse_lost_records_halt


class HaltHistory:
    """All halts that were ever in force.

    Args:
        control: The records of `arena.control`, oldest first.
    """

    def __init__(self, control: Iterable[Record]) -> None:
        """Fold the records."""
        self._control = list(control)
        self._halts: dict[tuple[str, str], ActiveHalt] = {}
        switch = KillSwitch()
        # Halts of single agents that have had no effect so far, because all agents were halted.
        without_effect: dict[str, ActiveHalt] = {}
        for record in self._control:
            scope = switch.take(record).scope
            halt = switch.halts.get(scope)
            if scope and scope != ALL_AGENTS:
                without_effect.pop(scope, None)
                if halt is not None:
                    without_effect[scope] = halt
            overall = switch.halt_of_all()
            if overall is not None:
                self._note(overall)
                continue
            for one in without_effect.values():
                self._note(one)
            without_effect.clear()

    def _note(self, halt: ActiveHalt) -> None:
        self._halts.setdefault((halt.scope, halt.sentence), halt)

    # Any: a decoded event of the account log.
    def switch_of(self, event: Mapping[str, Any], at: datetime) -> KillSwitch:
        """The kill switch as an executor had read it when it refused an order.

        Args:
            event: The event of the refused order.
            at: The time of the event.
        """
        switch, detail = KillSwitch(), event["detail"]
        for scope in (ALL_AGENTS, key_of(event["agent"])):
            if (halt := self._halts.get((scope, detail))) is not None:
                switch.halts[scope] = halt
                return switch
        switch.lost = parse_lost_records_halt(detail)
        return self._by_time(at) if switch.lost is None else switch

    def _by_time(self, at: datetime) -> KillSwitch:
        """The kill switch by time, for a refusal that names no known halt and so will differ."""
        switch, folded = KillSwitch(), KillSwitch()
        for record in self._control:
            message = folded.take(record).message
            if message is not None and message.at <= at:
                switch.note(message)
        return switch
