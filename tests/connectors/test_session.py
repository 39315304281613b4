"""The connection's state machine: acks, refusals, silence."""

from connectors.coinbase.events import SubscriptionsAcked, VenueRefused
from connectors.coinbase.session import (
    ACK_TIMEOUT_S,
    HEARTBEAT_TIMEOUT_S,
    STABLE_AFTER_S,
    Close,
    Drop,
    Send,
    Session,
    Settled,
    Stable,
)
from tests.connectors.builders import heartbeat, ticker

PRODUCTS = ("BTC-USD", "SOL-USD")


def opened() -> Session:
    """A session that has asked for its products at second 0."""
    session = Session(PRODUCTS, 0.0)
    session.open(0.0)
    return session


def refusal(product: str | None, reason: str = "is delisted") -> VenueRefused:
    """An error that names a product."""
    return VenueRefused("Failed to subscribe", f"{product} {reason}", product_id=product)


def test_settles_when_everything_is_acknowledged() -> None:
    """Cumulative acks in any order settle once."""
    session = opened()
    part = frozenset(pair for pair in session.wanted if pair[1] == "BTC-USD")

    assert [] == session.on_event(SubscriptionsAcked(part), 0.1)
    assert [Settled()] == session.on_event(SubscriptionsAcked(session.wanted), 0.2)
    assert [] == session.on_event(SubscriptionsAcked(session.wanted), 0.3)


def test_a_missing_ack_is_asked_for_once_more_then_given_up() -> None:
    """Only the missing product is asked for again; silence after that ends the connection."""
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


def test_silence_ends_the_connection() -> None:
    """Tickers alone are no sign of life: only heartbeats are."""
    session = opened()
    session.on_event(SubscriptionsAcked(session.wanted), 0.1)
    session.on_event(heartbeat(), 1.0)
    session.on_event(ticker(), 10.0)

    assert [] == session.on_tick(1.0 + HEARTBEAT_TIMEOUT_S)
    (ended,) = session.on_tick(1.1 + HEARTBEAT_TIMEOUT_S)
    assert isinstance(ended, Close)
    assert "silent" == ended.why
    assert [] == session.on_tick(99.0)


def test_a_refused_product_is_dropped_and_the_rest_asked_for_again() -> None:
    """One bad product voids a subscription: drop exactly that one."""
    session = opened()
    drop, send = session.on_event(refusal("SOL-USD"), 0.1)

    assert Drop("SOL-USD", "SOL-USD is delisted") == drop
    assert isinstance(send, Send)
    assert "SOL-USD" not in send.text
    assert ["BTC-USD"] == session.products


def test_the_last_product_refused_ends_the_connection() -> None:
    """With nothing left to ask for there is nothing to wait for."""
    session = opened()
    session.on_event(refusal("SOL-USD"), 0.1)
    drop, close = session.on_event(refusal("BTC-USD"), 0.2)

    assert isinstance(drop, Drop)
    assert isinstance(close, Close)
    assert "no_products" == close.why


def test_errors_that_name_nothing_are_bounded() -> None:
    """Three of them end the connection; a named product that we do not have is one of them."""
    session = opened()
    actions = [session.on_event(refusal(name), 0.1) for name in (None, "XYZ-USD", None)]

    assert [[], []] == actions[:2]
    assert isinstance(actions[2][0], Close)


def test_is_stable_after_a_minute_of_heartbeats() -> None:
    """Only then may the backoff start anew, and it is said once."""
    session = opened()
    session.on_event(SubscriptionsAcked(session.wanted), 0.1)

    assert [] == session.on_event(heartbeat(), STABLE_AFTER_S - 1)
    assert [Stable()] == session.on_event(heartbeat(), STABLE_AFTER_S)
    assert [] == session.on_event(heartbeat(), STABLE_AFTER_S + 1)


def test_takes_leave_by_unsubscribing() -> None:
    """After that nothing is answered any more."""
    session = opened()
    (text,) = session.unsubscribe_messages()

    assert '"unsubscribe"' in text
    assert [] == session.on_event(refusal("BTC-USD"), 1.0)
