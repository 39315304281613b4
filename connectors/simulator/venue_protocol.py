"""What the simulated exchange needs of a venue's protocol: sessions, frames, responses. Pure.

The server has the sockets, the clock and the faults; an `ExchangeProtocol` has everything that one
venue says in its own way. A product's id in the market is its id in the arena.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from connectors.simulator.simulated_market import SimulatedMarket

JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class RestResponse:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame for every client that gets one of these channels of the product."""

    channels: tuple[str, ...]
    text: str


class ClientSession(Protocol):
    """One client's subscriptions.

    Attributes:
        pairs: Pairs (channel, product) that the client gets.
    """

    pairs: set[tuple[str, str]]

    def wants(self, channels: tuple[str, ...], product_id: str) -> bool:
        """True if the client gets one of the channels for the product."""

    def on_message(self, text: str | bytes, *, forget: str | None = None) -> list[str]:
        """The frames for this client in reply to a request.

        Args:
            text: The request.
            forget: A product that the acknowledgement omits although it is subscribed (a fault).
        """


class ExchangeProtocol(Protocol):
    """One venue's protocol over a simulated market.

    Attributes:
        market: The market.
        subscribe_within_s: Seconds in which a client must send its first request, or None.
        lifetime_s: Seconds after which a connection is closed, or None.
        messages_per_s_max: Requests that a client may send in a second, or None.
        absent_faults: Kinds of faults that the venue does not have, and why.
    """

    market: SimulatedMarket
    subscribe_within_s: float | None
    lifetime_s: float | None
    messages_per_s_max: int | None
    absent_faults: Mapping[str, str]

    def session(self) -> ClientSession:
        """The state of a new client."""

    def beat_frames(self, product_id: str, at: datetime) -> list[Frame]:
        """The frames about a product that are sent once per venue second."""

    def step_frames(self, product_id: str, at: datetime, *, hidden: bool) -> list[Frame]:
        """The frames about a product since the last call, at a venue time.

        Args:
            product_id: Id of the product.
            at: Venue time.
            hidden: True if they are withheld (a fault); they are not sent later either.
        """

    def faulty_frame(self, product_id: str, kind: str) -> str:
        """A frame that the real venue should not send.

        Args:
            product_id: Id of the product that the frame is about.
            kind: "big_frame", "bad_print", "reorder", "garbage" or "shutdown".

        Raises:
            UsageError: The product has no price yet.
        """

    def respond(self, target: str, at: datetime) -> RestResponse:
        """The response to `GET target` at a venue time."""

    def refuse(self, status: int, headers: Mapping[str, str], *, handshake: bool) -> RestResponse:
        """The response to a client that makes too many requests or handshakes: 418 or 429."""

    def error(self, status: int, message: str) -> RestResponse:
        """An error in the venue's format."""
