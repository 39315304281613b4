"""The halts of a replay: by which one an executor refused an order.

By time alone it cannot be found: clocks of hosts differ, and a halt by a record that cannot be read
has no time. The refusal repeats the sentence of its halt, so it is found by that, among all that
were ever in force. They are folded once, however many orders were refused.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from arena.bus.base import Record
from arena.kill_switch import EVERYBODY, Stop, Switch, key_of, lost_records_of


class HaltHistory:
    """Every halt that was in force at some time.

    Args:
        control: The records of `arena.control`, oldest first.
    """

    def __init__(self, control: Iterable[Record]) -> None:
        """Fold the records."""
        self._control = list(control)
        self._stops: dict[tuple[str, str], Stop] = {}
        switch = Switch()
        # Halts of agents that had no effect of their own so far, because everybody was halted.
        waiting: dict[str, Stop] = {}
        for record in self._control:
            scope = switch.take(record).scope
            stop = switch.stops.get(scope)
            if scope and scope != EVERYBODY:
                waiting.pop(scope, None)
                if stop is not None:
                    waiting[scope] = stop
            everybody = switch.of_everybody()
            if everybody is not None:
                self._note(everybody)
                continue
            for one in waiting.values():
                self._note(one)
            waiting.clear()

    def _note(self, stop: Stop) -> None:
        self._stops.setdefault((stop.scope, stop.sentence), stop)

    # Any: a decoded event of the account log.
    def switch_of(self, event: Mapping[str, Any], at: datetime) -> Switch:
        """The kill switch as an executor had read it when it refused an order.

        Args:
            event: The refusal.
            at: Its time.
        """
        switch, detail = Switch(), event["detail"]
        for scope in (EVERYBODY, key_of(event["agent"])):
            if (stop := self._stops.get((scope, detail))) is not None:
                switch.stops[scope] = stop
                return switch
        switch.lost = lost_records_of(detail)
        return self._by_time(at) if switch.lost is None else switch

    def _by_time(self, at: datetime) -> Switch:
        """What had been asked for, of a refusal that names no halt: it is another one."""
        switch, reading = Switch(), Switch()
        for record in self._control:
            message = reading.take(record).message
            if message is not None and message.at <= at:
                switch.note(message)
        return switch
