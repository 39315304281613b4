"""A connection to Binance spot: acknowledgements, refusals, limits, silence, its end."""

import json

from connectors.market.events import (
    ActivitySeen,
    HeartbeatSeen,
    RequestAcked,
    RequestRefused,
    VenueClosing,
)
from connectors.market.session import Action, Close, Drop, Send, Settled, Stable
from connectors.venues.binance.session import (
    ACK_TIMEOUT_S,
    LIFETIME_S,
    SILENCE_MAX_S,
    BinanceSession,
)
from connectors.venues.binance.subscription import (
    BATCH_STREAMS_MAX,
    MESSAGES_PER_S_MAX,
    PULSE,
    STREAMS,
    Outbox,
)

PRODUCTS = ("binance:BTCUSDT", "binance:SOLUSDT")
MANY = tuple(f"binance:X{n}USDT" for n in range(60))


def requests(actions: list[Action]) -> list[dict[str, object]]:
    """The requests among actions."""
    return [json.loads(action.text) for action in actions if isinstance(action, Send)]


def id_of(request: dict[str, object]) -> int:
    """The id of a request."""
    assert isinstance(request["id"], int)
    return request["id"]


def params_of(request: dict[str, object]) -> list[object]:
    """The streams of a request."""
    assert isinstance(request["params"], list)
    return request["params"]


def opened(products: tuple[str, ...] = PRODUCTS) -> tuple[BinanceSession, list[int]]:
    """A session that has subscribed at second 0, and the ids of its requests for products."""
    session = BinanceSession(products, 0.0)
    return session, [id_of(r) for r in requests(session.open(0.0)) if r["params"] != [PULSE]]


def closing(actions: list[Action]) -> str:
    """Why the only action closes the connection."""
    (action,) = actions
    assert isinstance(action, Close)
    return action.why


def beat(product: str = PRODUCTS[0]) -> HeartbeatSeen:
    """Data of a product."""
    return HeartbeatSeen(product, 1, 1)


def test_subscribes_to_the_streams_of_each_product_and_a_pulse() -> None:
    """Stream names are in lower case."""
    products, pulse = requests(BinanceSession(PRODUCTS, 0.0).open(0.0))

    assert ("SUBSCRIBE", [PULSE]) == (pulse["method"], pulse["params"])
    assert [f"{name}@{kind}" for name in ("btcusdt", "solusdt") for kind in STREAMS] == products[
        "params"
    ]


def test_settles_when_every_request_is_acknowledged() -> None:
    """The pulse does not count; unknown ids are ignored."""
    session, (request_id,) = opened()

    assert [] == session.on_event(RequestAcked(99), 0.1)
    assert [Settled()] == session.on_event(RequestAcked(request_id), 0.2)
    assert [] == session.on_event(RequestAcked(request_id), 0.3)


def test_messages_are_sent_within_the_limit() -> None:
    """Of sixty products in batches, three requests go at once, the others with later ticks."""
    session = BinanceSession(MANY, 0.0)
    first = requests(session.open(0.0))
    early, later = requests(session.on_tick(0.5)), requests(session.on_tick(1.0))

    assert (MESSAGES_PER_S_MAX, [], 1) == (len(first), early, len(later))
    batches = [params_of(request) for request in [*first, *later]]
    assert len(MANY) * len(STREAMS) + 1 == len({stream for batch in batches for stream in batch})
    assert max(map(len, batches)) <= BATCH_STREAMS_MAX


def test_outbox_never_exceeds_its_rate() -> None:
    """In any second at most so many texts leave, whenever it is asked."""
    outbox = Outbox()
    for number in range(20):
        outbox.put(str(number))
    sent = [(step / 10, text) for step in range(100) for text in outbox.release(step / 10)]

    assert [str(n) for n in range(20)] == [text for _, text in sent]
    for at_s, _ in sent:
        assert sum(at_s <= s < at_s + 1.0 for s, _ in sent) <= MESSAGES_PER_S_MAX


def test_missing_acknowledgement_is_requested_once_more_then_closes() -> None:
    """The second request has new ids."""
    session, (request_id,) = opened()
    late = ACK_TIMEOUT_S + 0.1
    session.on_event(beat(), late)
    (again,) = requests(session.on_tick(late))
    session.on_event(beat(), 2 * late)

    assert id_of(again) > request_id
    assert "unacked" == closing(session.on_tick(2 * late))


def test_refused_batch_is_split_and_the_refused_product_dropped() -> None:
    """The others stay subscribed."""
    session, (request_id,) = opened()
    single = requests(session.on_event(RequestRefused(request_id, 2, "Invalid"), 1.0))
    good, bad = (id_of(request) for request in single)
    assert [] == session.on_event(RequestAcked(good), 1.1)

    actions = session.on_event(RequestRefused(bad, 2, "Invalid"), 1.2)

    assert [Drop("binance:SOLUSDT", "Invalid"), Settled()] == actions
    assert ["binance:BTCUSDT"] == session.products


def test_refusal_of_the_last_product_closes_the_connection() -> None:
    """No product is left."""
    session, (request_id,) = opened(PRODUCTS[:1])
    drop, close = session.on_event(RequestRefused(request_id, 2, "Invalid"), 1.0)

    assert Drop(PRODUCTS[0], "Invalid") == drop
    assert "no_products" == closing([close])


def test_refusals_without_a_known_request_are_bounded() -> None:
    """The third closes the connection."""
    session, _ = opened()
    refusal = RequestRefused(None, 3, "Invalid JSON")

    assert [[], []] == [session.on_event(refusal, 1.0) for _ in range(2)]
    assert "refused" == closing(session.on_event(refusal, 1.0))


def test_silence_of_all_data_closes_the_connection() -> None:
    """Acknowledgements are not data; frames that confirm no quotes are."""
    session, (request_id,) = opened()
    session.on_event(ActivitySeen(PRODUCTS[0]), 5.0)
    session.on_event(RequestAcked(request_id), 10.0)

    assert [] == session.on_tick(5.0 + SILENCE_MAX_S)
    assert "silent" == closing(session.on_tick(5.1 + SILENCE_MAX_S))
    assert [] == session.on_tick(99.0)


def test_connection_ends_before_the_venue_ends_it() -> None:
    """Half an hour before."""
    session, (request_id,) = opened()
    session.on_event(RequestAcked(request_id), 0.1)
    session.on_event(beat(), LIFETIME_S - 1)

    assert [] == session.on_tick(LIFETIME_S - 1)
    assert "lifetime" == closing(session.on_tick(LIFETIME_S))


def test_announced_end_closes_the_connection() -> None:
    """The next connection is made before the venue ends this one."""
    session, _ = opened()

    assert "server_shutdown" == closing(session.on_event(VenueClosing(), 1.0))


def test_is_stable_after_a_minute_of_data() -> None:
    """The session reports it once, so that the backoff is reset."""
    session, (request_id,) = opened()
    session.on_event(RequestAcked(request_id), 0.1)

    assert [] == session.on_event(beat(), 59.0)
    assert [Stable()] == session.on_event(beat(), 60.0)
    assert [] == session.on_event(beat(), 61.0)


def test_unsubscribing_closes_the_session() -> None:
    """It stays within the limit of messages, too."""
    session, _ = opened(MANY)
    texts = session.unsubscribe_messages()

    assert all('"UNSUBSCRIBE"' in text for text in texts)
    assert 0 < len(texts) <= MESSAGES_PER_S_MAX
    assert [] == session.on_event(VenueClosing(), 1.0)
