"""The venues under contract: every package of `connectors.venues`, and the one to copy."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from arena.messages import Ticker
from connectors.market.events import Event
from connectors.market.feed import Dropped, Feed, Received
from connectors.market.recording import read_frames
from connectors.market.session import Action, Send, VenueSession
from connectors.market.venue import Decoder, Venue
from connectors.simulator.run import PROTOCOLS, ExchangeOptions
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.venue_protocol import ClientSession, ExchangeProtocol
from connectors.venues import load_venue, venue_names
from tests.connectors.builders import FIXTURES, T0, build_market
from tests.connectors.venues.template_exchange import TemplateProtocol

TEMPLATE = "_template"


@dataclass(frozen=True)
class Case:
    """One venue.

    Attributes:
        venue: The venue.
        products: Products that its simulation lists.
        protocol: Its protocol for the simulated exchange; None if there is none yet.
        recording: A small recording of frames of its shape.
    """

    venue: Venue
    products: tuple[str, ...]
    protocol: Callable[[SimulatedMarket], ExchangeProtocol] | None
    recording: Path


def case_of(name: str) -> Case:
    """The case of a venue, or of the one to copy."""
    if name == TEMPLATE:
        venue: Venue = importlib.import_module("connectors.venues._template.venue").VENUE
        protocol: Callable[[SimulatedMarket], ExchangeProtocol] | None = TemplateProtocol
    else:
        venue, protocol = load_venue(name), PROTOCOLS.get(name)
    recording = FIXTURES / f"{venue.name}_frames.jsonl"
    if not recording.exists():
        recording = FIXTURES / "frames.jsonl"  # Coinbase's, the first one.
    return Case(venue, venue.default_products[:2], protocol, recording)


NAMES = (*venue_names(), TEMPLATE)
SIMULATED = tuple(name for name in NAMES if case_of(name).protocol is not None)


def market_of(case: Case) -> SimulatedMarket:
    """A market of the case's products, played for some hours."""
    return build_market(ExchangeOptions(case.products), T0)


def events_of(case: Case) -> Iterator[tuple[int, Event]]:
    """The events of the recording, each with the number of its connection."""
    decode, epoch = case.venue.decoder(), 0
    for frame in read_frames(case.recording):
        if frame.epoch != epoch:
            decode, epoch = case.venue.decoder(), frame.epoch
        yield epoch, decode(frame.raw)


def folded(case: Case) -> list[Ticker]:
    """The tickers that the feed makes of the recording."""
    feed, epoch = Feed(case.venue.name), 0
    tickers: list[Ticker] = []
    for number, event in events_of(case):
        if number != epoch:
            epoch = number
            feed.connected()
        outcome = feed.apply(event, Received(datetime.now(UTC), 0.0, epoch))
        if isinstance(outcome, Ticker):
            tickers.append(outcome)
        else:
            assert outcome is None or isinstance(outcome, Dropped)
    return tickers


class Loop:
    """A session and a simulated venue that talk without sockets.

    Attributes:
        session: The session under test.
        client: The venue's side.
        sent: Texts that the session has sent.
        actions: Its other actions.
    """

    def __init__(self, case: Case, *, lost: int = 0) -> None:
        """Connect at second 0; the venue's first `lost` replies get lost."""
        assert case.protocol is not None
        self.session: VenueSession = case.venue.session(list(case.products), 0.0)
        self._protocol = case.protocol(market_of(case))
        self.client: ClientSession = self._protocol.session()
        self._decode: Decoder = case.venue.decoder()
        self._lost = lost
        self.sent: list[str] = []
        self.actions: list[Action] = []
        self.perform(self.session.open(0.0), 0.0)

    def perform(self, actions: list[Action], now_s: float) -> None:
        """Carry out actions and hand the replies to the session."""
        for action in actions:
            if isinstance(action, Send):
                self.send(action.text, now_s)
            else:
                self.actions.append(action)

    def send(self, text: str, now_s: float) -> None:
        """Send a text and handle the replies."""
        self.sent.append(text)
        replies = self.client.on_message(text)
        if self._lost > 0:
            self._lost -= 1
            return
        for reply in replies:
            self.perform(self.session.on_event(self._decode(reply), now_s), now_s)

    def play(self, now_s: float) -> None:
        """Let ten seconds of market pass, and send its frames to the session."""
        market = self._protocol.market
        market.advance(market.now_s + 10)
        at = datetime.fromtimestamp(market.now_s, UTC)
        for product_id in market.products:
            frames = [
                *self._protocol.step_frames(product_id, at, hidden=False),
                *self._protocol.beat_frames(product_id, at),
            ]
            for frame in frames:
                if self.client.wants(frame.channels, product_id):
                    event = self._decode(frame.text)
                    self.perform(self.session.on_event(event, now_s), now_s)

    def tick(self, now_s: float) -> None:
        """Let the session check its time-outs."""
        self.perform(self.session.on_tick(now_s), now_s)
