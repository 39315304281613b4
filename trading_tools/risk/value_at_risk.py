"""Value at risk of an account over a day. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from arena.messages.orders import ValueAtRiskBasis


@dataclass(frozen=True, slots=True)
class ValueAtRisk:
    """How much of the equity a bad day costs, as a function of an order.

    Attributes:
        basis: How it was computed.
        measure: Quantity bought -> value at risk after it, in hundredths of a percent of equity,
            rounded up; None if it is unknown.
        unknown: Why it is unknown; "" if it is known.
    """

    basis: ValueAtRiskBasis
    measure: Callable[[int], int] | None = None
    unknown: str = ""
