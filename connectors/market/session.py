"""One connection as a state machine: what a venue's session returns and what it must have. Pure.

A session is given events and the time, and returns actions for the shell to perform. States:
subscribing (acknowledgements are missing) -> live (every subscription is acknowledged) -> closed.
Prices are used from the first frame on; only `Settled` waits for the acknowledgements.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from connectors.market.events import Event

STABLE_AFTER_S: Final = 60.0
"""How long a connection must last before the delay of the next reconnect is short again."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget this product: the venue refuses it."""

    product_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection and reconnect; `why` is one word for the counters."""

    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Every subscription is acknowledged."""


@dataclass(frozen=True, slots=True)
class Stable:
    """The connection has lasted `STABLE_AFTER_S`: the backoff may be reset."""


Action = Send | Drop | Close | Settled | Stable


class VenueSession(Protocol):
    """The state of one connection to a venue.

    Attributes:
        products: Ids of the products that the venue has not refused.
    """

    products: list[str]

    def open(self, now_s: float) -> list[Action]:
        """The first messages, at a time in monotonic seconds."""

    def on_event(self, event: Event, now_s: float) -> list[Action]:
        """Handle an event of the venue."""

    def on_tick(self, now_s: float) -> list[Action]:
        """Check time-outs; called about once a second."""

    def unsubscribe_messages(self) -> list[str]:
        """The messages that end the subscriptions; the session is closed after them."""
