"""The log lines of a chat node about failed calls: a few warnings with a count, not one each."""

from arena.failure_streaks import FailureStreaks
from arena.messages import CallOutcome, ChatRequest
from arena.node import Node


class CallFailures:
    """Counts failed calls and failed attempts in a row, by agent, and logs a few of them.

    Args:
        node: The process.
    """

    def __init__(self, node: Node) -> None:
        """Start without failures."""
        self._node = node
        self._calls = FailureStreaks()
        self._attempts = FailureStreaks()

    def ended(self, request: ChatRequest, outcome: CallOutcome, *, error: str, cause: str) -> None:
        """Count a call that ended, in success or failure."""
        ids = {"agent": request.asked_by, "call_id": request.call_id}
        if outcome == "ok":
            self._attempts.succeeded(request.asked_by)
            if (run := self._calls.succeeded(request.asked_by)) is not None:
                self._node.log.info("model calls succeed again", **ids, failures=run.failures)
        elif (run := self._calls.failed(request.asked_by)) is not None:
            facts = {"outcome": outcome, "cause": cause, "error": error}
            self._node.log.warning("model calls fail", **ids, failures=run.failures, **facts)

    def retried(self, request: ChatRequest, *, reason: str, delay_s: float) -> None:
        """Count a failed attempt that is followed by another one."""
        if (run := self._attempts.failed(request.asked_by)) is not None:
            self._node.log.info(
                "model call retried",
                agent=request.asked_by,
                call_id=request.call_id,
                retries=run.failures,
                delay_s=round(delay_s, 3),
                reason=reason,
            )
