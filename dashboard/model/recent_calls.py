"""The newest model calls of each chat node: latency, errors by cause, retries. Pure."""

from collections import Counter, deque
from dataclasses import dataclass, field
from statistics import median

from arena.messages import LlmCall

CALLS_MAX = 512
"""Newest calls of a node that are kept."""
NODES_MAX = 1_000
RECENT_S = 600.0
"""Older calls say nothing of how a model does now."""
ERROR_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class RecentCall:
    """What is kept of a call.

    Attributes:
        ended_ms: When it ended, Unix milliseconds by the chat node's clock.
        cause: Why it gave no usable answer; "" if it did.
        latency_ms: Time to the answer; None for a recorded one.
        error: The newest error in it, also of an attempt before the answer; "" without one.
    """

    ended_ms: int
    latency_ms: float | None
    outcome: str
    cause: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class CallSummary:
    """A node's calls of a span of time.

    Attributes:
        calls: Number of calls.
        retried: Calls that needed more than one attempt.
        latency_p50_ms: Median time to an answer; None without an answered call.
        causes: Cause -> number of calls without a usable answer, the most frequent first.
        last_ended_ms: When the newest call ended; None without calls.
        last_error: The newest error; "" if the newest call gave an answer at once.
    """

    calls: int = 0
    retried: int = 0
    latency_p50_ms: float | None = None
    causes: tuple[tuple[str, int], ...] = ()
    last_ended_ms: int | None = None
    last_error: str = ""


@dataclass(slots=True)
class RecentCalls:
    """The newest calls of every node.

    Attributes:
        nodes: Node -> its newest calls, oldest first.
    """

    nodes: dict[str, deque[RecentCall]] = field(default_factory=dict)

    def add(self, call: LlmCall) -> None:
        """Add a call."""
        if call.node not in self.nodes and len(self.nodes) >= NODES_MAX:
            return
        error = call.error or (call.errors[-1] if call.errors else "")
        self.nodes.setdefault(call.node, deque(maxlen=CALLS_MAX)).append(
            RecentCall(
                ended_ms=round(call.ended_at.timestamp() * 1_000),
                latency_ms=None if call.replayed else call.latency_ms,
                outcome=call.outcome,
                cause="" if call.outcome == "ok" else call.cause or call.outcome,
                attempts=call.attempts,
                error=error[:ERROR_CHARS_MAX],
            )
        )

    def summary(self, node: str, now_ms: float) -> CallSummary:
        """The calls of a node in the last `RECENT_S` seconds.

        Args:
            node: Name of the node.
            now_ms: Unix milliseconds.
        """
        all_calls = self.nodes.get(node, ())
        calls = [one for one in all_calls if one.ended_ms >= now_ms - RECENT_S * 1_000]
        if not calls:
            return CallSummary(last_ended_ms=all_calls[-1].ended_ms if all_calls else None)
        latencies = (one.latency_ms for one in calls if one.outcome == "ok")
        answered = [latency_ms for latency_ms in latencies if latency_ms is not None]
        causes = Counter(one.cause for one in calls if one.cause)
        return CallSummary(
            calls=len(calls),
            retried=sum(one.attempts > 1 for one in calls),
            latency_p50_ms=median(answered) if answered else None,
            causes=tuple(causes.most_common()),
            last_ended_ms=calls[-1].ended_ms,
            last_error=calls[-1].error,
        )
