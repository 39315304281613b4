"""Finds the rules that were in force when a recorded order was decided. Pure.

The owner of a shard states its rules in its epoch, so they are in the log itself, also after a
restart with another fee, or after a standby with other rules took over. Epochs of older executors
have no rules; those orders are replayed by the rules on the roster, which is compacted.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

from arena.bus.base import Record
from arena.errors import BrokenLog, Malformed
from arena.messages import Epoch, Message, Rules
from trading_tools.rules import TradingRules


class RulesHistory:
    """The roster's rules by time, and those that the newest epoch of each shard states."""

    def __init__(self, roster: Iterable[Message]) -> None:
        """Select the rules among the messages of the roster."""
        found = [message for message in roster if isinstance(message, Rules)]
        self._roster = sorted(found, key=lambda rules: rules.at)
        self._stated: dict[int, TradingRules | None] = {}

    def note_epoch(self, record: Record) -> None:
        """Note the rules of an epoch that counted."""
        try:
            message = record.message()
        except Malformed:
            return
        if isinstance(message, Epoch):
            rules = message.rules
            self._stated[record.partition] = None if rules is None else TradingRules.of(rules)

    def at(self, partition: int, moment: datetime) -> TradingRules:
        """The rules of the executor that decided at a moment.

        Args:
            partition: Partition of the account log whose epochs were noted so far.
            moment: Wall time.

        Raises:
            BrokenLog: Neither the epoch nor the roster has rules.
        """
        stated = self._stated.get(partition)
        if stated is not None:
            return stated
        if not self._roster:
            raise BrokenLog(
                f"neither the epochs of account.events[{partition}] nor the roster state the rules"
                " of an executor",
                remedy="export arena.roster, too",
            )
        index = bisect_right(self._roster, moment, key=lambda rules: rules.at)
        return TradingRules.of(self._roster[max(0, index - 1)])
