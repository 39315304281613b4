"""Requests for other limits, as records of `arena.control`. Pure.

They have keys of their own: "risk/<agent>", or "risk/all" for every agent without its own limits.
"""

from typing import Final

from arena.errors import UsageError
from arena.ids import check_name
from arena.messages import RiskRequest
from arena.risk_limits import RiskLimits

RISK_KEY: Final = "risk/"
ALL_KEY: Final = f"{RISK_KEY}all"
RISK_IGNORED: Final = "risk_ignored"
"""The detail of an executor's heartbeat with requests that change nothing: key -> why."""


def key_of_request(agent: str | None) -> str:
    """The key of a request for an agent, or for all agents for None."""
    return ALL_KEY if agent is None else RISK_KEY + agent


def scope_of_request(key: bytes | None) -> str | None:
    """The key as text if it is that of a request; None for another key."""
    try:
        text = (key or b"").decode()
        if not text.startswith(RISK_KEY):
            return None
        check_name("agent", text.removeprefix(RISK_KEY))
    except (UnicodeDecodeError, UsageError):
        return None
    return text


def limits_asked(request: RiskRequest, base: RiskLimits) -> RiskLimits | None:
    """The limits that a request asks for; None if it leaves those of the files in force.

    Args:
        request: The request.
        base: The limits of the files, which limits by name are added to.

    Raises:
        UsageError: A limit cannot be used.
    """
    if request.reset or (request.limits is None and not request.preset):
        return None
    values = dict(request.limits or {})
    if request.preset:
        values["preset"] = request.preset
    elif "preset" not in values:
        values = {**base.as_json(), **values}
    return RiskLimits.from_json(values, "the request")
