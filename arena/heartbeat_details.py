"""Details of heartbeats that have types: the state of each venue, and calls that wait. Pure.

Connectors and chat nodes write them; `arena.supervision` has those of supervisors.
"""

from collections.abc import Iterable
from typing import TypeVar

from pydantic import Field, JsonValue, ValidationError

from arena.messages import Heartbeat, MessagePart, Utc

VENUES = "venues"
"""The detail of a connector's heartbeat with the state of each of its venues."""
RETRIES = "retries"
"""The detail of a chat node's heartbeat with the calls that wait for their next attempt."""
RETRIES_MAX = 8
"""Most causes in `RETRIES`."""
TEXT_CHARS_MAX = 500

Detail = TypeVar("Detail", bound=MessagePart)


class VenueState(MessagePart):
    """The state of one venue's feed.

    Attributes:
        connected: True if every subscription is acknowledged.
        age_ms: Milliseconds since the newest message of its products; None before the first.
        products: Number of products that are followed.
        stale: Number of those whose prices are too old to trade on.
        connections: Number of its connection: 1 for the first.
        down: Why it sends nothing, and what to do; "" while it sends.
        ban: Until when it asked for no requests; "" without a ban of more than a minute.
    """

    venue: str
    connected: bool = False
    age_ms: int | None = None
    products: int = 0
    stale: int = 0
    connections: int = 0
    down: str = Field(default="", max_length=TEXT_CHARS_MAX)
    ban: str = Field(default="", max_length=TEXT_CHARS_MAX)


class RetryWait(MessagePart):
    """Calls that failed for one cause and wait for their next attempt.

    Attributes:
        cause: An `arena.messages.Cause`, such as "rate_limit".
        calls: Number of calls.
        until: When the last of them is tried again, by the chat node's clock.
    """

    cause: str
    calls: int
    until: Utc


def venue_states(beat: Heartbeat) -> tuple[VenueState, ...]:
    """The venues in a connector's heartbeat; () if it has none, as in lock-step."""
    return _read(VenueState, beat.details.get(VENUES))


def retry_waits(beat: Heartbeat) -> tuple[RetryWait, ...]:
    """The calls in a chat node's heartbeat that wait for their next attempt."""
    return _read(RetryWait, beat.details.get(RETRIES))


def as_detail(parts: Iterable[MessagePart]) -> JsonValue:
    """Parts as the value of a detail."""
    return [part.model_dump(mode="json") for part in parts]


def _read(kind: type[Detail], value: JsonValue) -> tuple[Detail, ...]:
    if not isinstance(value, list):
        return ()
    try:
        return tuple(kind.model_validate(one) for one in value)
    except ValidationError:
        return ()
