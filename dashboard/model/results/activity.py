"""What the venues' feeds and the models do now. Pure."""

from arena.messages.base import Utc
from arena.money import WireDecimal
from dashboard.model.results.base import Result


class VenueFeed(Result):
    """The feed of one venue.

    Attributes:
        state: "connected", "not connected", "down", "silent" if its connector's heartbeats are
            missing, "stopped", "in step" with the agents; else the state of the connector, if that
            does not report its venues.
        connector: Name of the process that reads it.
        age_s: Seconds since the newest message of its products; None before the first.
        products: Number of products.
        stale: Products whose prices are too old to trade on.
        gaps: Candles that are missing in the newest snapshot.
        connections: Number of its connection, 1 for the first; None if it has none.
        down: Why it sends nothing, and what to do; "" while it sends.
        ban: Until when it asked for no requests; "" without a ban.
        waits_for: The agents that the market waits for; "" for none.
    """

    venue: str
    state: str
    connector: str
    simulated: bool
    recorded: bool
    age_s: float | None
    products: int
    stale: tuple[str, ...]
    gaps: int
    connections: int | None
    down: str
    ban: str
    waits_for: str


class CauseCount(Result):
    """Calls that gave no usable answer for one cause, such as "rate_limit"."""

    cause: str
    calls: int


class CallsWaiting(Result):
    """Calls that wait for their next attempt; the last one until `until`."""

    cause: str
    calls: int
    until: Utc


class ModelNode(Result):
    """A chat node and its model.

    Attributes:
        state: State of its process in words of the heartbeat; "" if it sent none.
        scripted: True if scripted rules answer instead of an LLM; None if unknown.
        replies: "record" or "replay" if it has a file of replies; "" for none.
        in_flight: Calls that it makes now; None if unknown.
        waiting: Requests that it has not read yet; None if unknown.
        retries: What it waits for.
        agents: Agents that ask it.
        missed_by: Routers that wait because it does not run.
        recent_s: The span of `recent_calls`, `retried`, `latency_p50_ms` and `errors`, in seconds;
            of at most the newest 512 calls.
        latency_p50_ms: Median time to an answer; None without an answered call.
        last_call_age_s: Seconds since its newest call ended; None before the first.
        last_error: The error of its newest call; "" if that was answered at once.
        calls, failed, tokens, cost_usd: Of its calls in the newest records.
        tokens_estimated: True if its server does not count the tokens of all calls.
    """

    node: str
    model: str
    state: str
    alive: bool
    scripted: bool | None
    replies: str
    in_flight: int | None
    waiting: int | None
    retries: tuple[CallsWaiting, ...]
    agents: tuple[str, ...]
    missed_by: tuple[str, ...]
    recent_s: float
    recent_calls: int
    retried: int
    latency_p50_ms: float | None
    errors: tuple[CauseCount, ...]
    last_call_age_s: float | None
    last_error: str
    calls: int
    failed: int
    tokens: int
    tokens_estimated: bool
    cost_usd: WireDecimal | None
    calls_of_unknown_price: int


class Activity(Result):
    """What the feeds and the models do now.

    Attributes:
        partial: True if sums of calls are over the newest records only.
    """

    feeds: tuple[VenueFeed, ...]
    models: tuple[ModelNode, ...]
    partial: bool
