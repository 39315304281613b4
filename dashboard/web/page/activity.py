"""Words for what models do. Pure."""

from arena.messages import Cause
from arena.plural import counted
from dashboard.model.results import ModelNode

CAUSES: dict[str, str] = {
    Cause.AUTH: "key refused",
    Cause.FORBIDDEN: "not allowed",
    Cause.MODEL_NOT_FOUND: "unknown model",
    Cause.UNKNOWN_TOOL: "unknown tool",
    Cause.CONTEXT_LENGTH: "prompt too long",
    Cause.QUOTA: "quota used up",
    Cause.BUDGET: "token budget used up",
    Cause.RATE_LIMIT: "rate limit",
    Cause.UNREACHABLE: "server not reached",
    Cause.TIMEOUT: "no answer in time",
    Cause.SERVER_ERROR: "server error",
    Cause.REFUSED_REQUEST: "request refused",
    Cause.CONTENT_FILTER: "content filter",
    Cause.UNUSABLE_ANSWER: "unusable answer",
}
"""Cause -> what it is called on the page."""


def cause_words(cause: str) -> str:
    """A cause in words; one of a newer version as it is."""
    return CAUSES.get(cause, cause.replace("_", " ") or "unknown cause")


def model_state(model: ModelNode, *, ended: str) -> str:
    """The state of a chat node: "2 calls in flight, 1 request waits", "✕ no heartbeat".

    Args:
        model: The chat node.
        ended: When the run ended; "" while it runs.
    """
    if ended:
        return "the run has ended"
    if not model.alive:
        words = {"": "no process sends heartbeats", "silent": "no heartbeat"}
        return model.state if model.state == "stopped" else f"✕ {words.get(model.state)}"
    parts = [] if model.state == "running" else [model.state]
    if model.in_flight:
        parts.append(f"{counted(model.in_flight, 'call')} in flight")
    if model.waiting:
        parts.append(counted(model.waiting, "request waits", "requests wait"))
    return ", ".join(parts) or "idle"
