"""What limits of risk are measured against, a part of the account fold. Pure.

Amounts are units of 10^-8 of the account's currency, times Unix milliseconds of venue time.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class RiskState:
    """The limits of an account, and what they are measured against.

    Attributes:
        limits: The limits in force as JSON with sorted keys; "" for none.
        preset: The preset that they started from; "" for none.
        set_by: "arena", "agent" or "request"; "" if none were set.
        request_offset: Offset of the newest request in `arena.control` that was applied; -1 for
            none.
        day: UTC day of the figures of the day; "" before the first.
        day_equity: Equity when the day was first seen.
        peak_equity: The highest equity so far.
        entries_today: Buys that filled on this day.
        losses_in_a_row: Sells at a loss since the last one at a profit.
        last_loss_ms: When the newest of them filled; 0 for none.
        tripped: The limit that was breached: the account may only sell; "" if it may buy.
        tripped_until_ms: Until when; 0 until it is lifted.
        trip_id: Id of the breach, from which the orders of flattening derive; "" for none.
        flatten: True while positions are to be sold because of the breach.
    """

    limits: str = ""
    preset: str = ""
    set_by: str = ""
    request_offset: int = -1
    day: str = ""
    day_equity: int = 0
    peak_equity: int = 0
    entries_today: int = 0
    losses_in_a_row: int = 0
    last_loss_ms: int = 0
    tripped: str = ""
    tripped_until_ms: int = 0
    trip_id: str = ""
    flatten: bool = False

    def is_tripped(self, at_ms: int) -> bool:
        """True if a breach allows sells only, at a venue time in Unix milliseconds."""
        until_ms = self.tripped_until_ms
        return bool(self.tripped) and not (until_ms and at_ms >= until_ms)


def account_name(agent: str, currency: str = "") -> str:
    """The name of an account: the agent, or "<agent> <currency>" for a wallet."""
    return f"{agent} {currency}" if currency else agent
