"""The state machine of a connection: acks, refusals, silence."""

from connectors.market.events import SubscriptionsAcked, VenueRefused
from connectors.market.session import (
    STABLE_AFTER_S,
    Close,
    Drop,
    Send,
    Settled,
    Stable,
)
from connectors.venues.coinbase.session import (
    ACK_TIMEOUT_S,
    HEARTBEAT_TIMEOUT_S,
    CoinbaseSession,
)
from tests.connectors.builders import heartbeat, ticker

PRODUCTS = ("BTC-USD", "SOL-USD")


def opened() -> CoinbaseSession:
    """A session that has subscribed to its products at second 0."""
    session = CoinbaseSession(PRODUCTS, 0.0)
    session.open(0.0)
    return session


def refusal(product: str | None, reason: str = "is delisted") -> VenueRefused:
    """An error that names a product."""
    return VenueRefused("Failed to subscribe", f"{product} {reason}", product_id=product)


def test_settles_when_everything_is_acknowledged() -> None:
    """Cumulative acks settle the session once."""
    session = opened()
    part = frozenset(pair for pair in session.wanted if pair[1] == "BTC-USD")

    assert [] == session.on_event(SubscriptionsAcked(part), 0.1)
    assert [Settled()] == session.on_event(SubscriptionsAcked(session.wanted), 0.2)
    assert [] == session.on_event(SubscriptionsAcked(session.wanted), 0.3)


def test_missing_ack_is_requested_once_more_then_closes() -> None:
    """Only the missing product is requested again; without an ack the connection is closed."""
    session = opened()
    part = frozenset(pair for pair in session.wanted if pair[1] == "BTC-USD")
    session.on_event(SubscriptionsAcked(part), 0.1)
    late = ACK_TIMEOUT_S + 0.1
    session.on_event(heartbeat(), late)
    (again,) = session.on_tick(late)
    session.on_event(heartbeat(), 2 * late)
    (ended,) = session.on_tick(2 * late)

    assert isinstance(again, Send)
    assert "SOL-USD" in again.text
    assert "BTC-USD" not in again.text
    assert isinstance(ended, Close)
    assert "unacked" == ended.why


def test_missing_heartbeats_close_the_connection() -> None:
    """Tickers do not count as heartbeats."""
    session = opened()
    session.on_event(SubscriptionsAcked(session.wanted), 0.1)
    session.on_event(heartbeat(), 1.0)
    session.on_event(ticker(), 10.0)

    assert [] == session.on_tick(1.0 + HEARTBEAT_TIMEOUT_S)
    (ended,) = session.on_tick(1.1 + HEARTBEAT_TIMEOUT_S)
    assert isinstance(ended, Close)
    assert "silent" == ended.why
    assert [] == session.on_tick(99.0)


def test_refused_product_is_dropped_and_the_rest_subscribed_again() -> None:
    """One bad product voids a subscription, so only that one is dropped."""
    session = opened()
    drop, send = session.on_event(refusal("SOL-USD"), 0.1)

    assert Drop("SOL-USD", "SOL-USD is delisted") == drop
    assert isinstance(send, Send)
    assert "SOL-USD" not in send.text
    assert ["BTC-USD"] == session.products


def test_refusal_of_the_last_product_closes_the_connection() -> None:
    """No product is left to subscribe to."""
    session = opened()
    session.on_event(refusal("SOL-USD"), 0.1)
    drop, close = session.on_event(refusal("BTC-USD"), 0.2)

    assert isinstance(drop, Drop)
    assert isinstance(close, Close)
    assert "no_products" == close.why


def test_errors_without_a_known_product_are_bounded() -> None:
    """Three of them close the connection, including one that names an unknown product."""
    session = opened()
    actions = [session.on_event(refusal(name), 0.1) for name in (None, "XYZ-USD", None)]

    assert [[], []] == actions[:2]
    assert isinstance(actions[2][0], Close)


def test_is_stable_after_a_minute_of_heartbeats() -> None:
    """The session reports it once, so that the backoff is reset."""
    session = opened()
    session.on_event(SubscriptionsAcked(session.wanted), 0.1)

    assert [] == session.on_event(heartbeat(), STABLE_AFTER_S - 1)
    assert [Stable()] == session.on_event(heartbeat(), STABLE_AFTER_S)
    assert [] == session.on_event(heartbeat(), STABLE_AFTER_S + 1)


def test_unsubscribing_closes_the_session() -> None:
    """After that it does not react to events."""
    session = opened()
    (text,) = session.unsubscribe_messages()

    assert '"unsubscribe"' in text
    assert [] == session.on_event(refusal("BTC-USD"), 1.0)
