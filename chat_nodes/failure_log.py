"""What a chat node logs of failed calls: a few warnings with a count, not a line for each."""

from arena.failure_runs import FailureRuns
from arena.messages import CallOutcome, ChatRequest
from arena.node import Node


class CallFailures:
    """Counts failed calls and failed attempts in a row, by agent, and logs a few of them.

    Args:
        node: The process.
    """

    def __init__(self, node: Node) -> None:
        """Begin without a failure."""
        self._node = node
        self._calls = FailureRuns()
        self._attempts = FailureRuns()

    def ended(self, request: ChatRequest, outcome: CallOutcome, *, error: str, cause: str) -> None:
        """A call has ended, well or not."""
        ids = {"agent": request.agent, "call_id": request.call_id}
        if outcome == "ok":
            self._attempts.succeeded(request.agent)
            if (said := self._calls.succeeded(request.agent)) is not None:
                self._node.log.info("model calls succeed again", **ids, failures=said.failures)
        elif (said := self._calls.failed(request.agent)) is not None:
            words = {"outcome": outcome, "cause": cause, "error": error}
            self._node.log.warning("model calls fail", **ids, failures=said.failures, **words)

    def retried(self, request: ChatRequest, *, reason: str, delay_s: float) -> None:
        """An attempt failed, and another one follows."""
        if (said := self._attempts.failed(request.agent)) is not None:
            self._node.log.info(
                "model call retried",
                agent=request.agent,
                call_id=request.call_id,
                retries=said.failures,
                delay_s=round(delay_s, 3),
                reason=reason,
            )
