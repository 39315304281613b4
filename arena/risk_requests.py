"""Requests for other limits, as records of `arena.control`. Pure.

They have keys of their own: "risk/<agent>", or "risk/all" for every agent without its own limits.
Adjustments for a while are under "adjust/<agent>", so neither replaces the other.
"""

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Final

from arena.bus.base import Record
from arena.errors import UsageError
from arena.ids import check_name
from arena.messages import RiskAdjustment, RiskRequest
from arena.money import decimal_text
from arena.risk_limits import RiskLimits

PERCENT: Final = Decimal(100)
HUNDREDTH: Final = Decimal("0.01")
RISK_KEY: Final = "risk/"
ALL_KEY: Final = f"{RISK_KEY}all"
ADJUST_KEY: Final = "adjust/"
RISK_IGNORED: Final = "risk_ignored"
"""The detail of an executor's heartbeat with requests that change nothing: key -> why."""


def key_of_request(agent: str | None) -> str:
    """The key of a request for an agent, or for all agents for None."""
    return ALL_KEY if agent is None else RISK_KEY + agent


def key_of_adjustment(agent: str) -> str:
    """The key of an adjustment of an agent's limits."""
    return ADJUST_KEY + agent


def scope_of_request(key: bytes | None) -> str | None:
    """The key as text if it is that of a request or an adjustment; None for another key."""
    try:
        text = (key or b"").decode()
        if not text.startswith((RISK_KEY, ADJUST_KEY)):
            return None
        check_name("agent", text.partition("/")[2])
    except (UnicodeDecodeError, UsageError):
        return None
    return text


class NewestRequests:
    """The newest request of each key, and its offset.

    Attributes:
        found: Key -> offset and request.
    """

    def __init__(self) -> None:
        """Start without requests."""
        self.found: dict[str, tuple[int, RiskRequest]] = {}

    def take(self, record: Record) -> None:
        """Note a record of `arena.control`; others than requests under their key do nothing."""
        message = record.message_or_none()
        if isinstance(message, RiskRequest):
            key = key_of_request(message.agent)
            if scope_of_request(record.key) == key:
                self.found[key] = record.offset, message

    def newest_offset(self, agent: str) -> int:
        """Offset of the newest request that concerns an agent; -1 for none."""
        keys = (key_of_request(agent), ALL_KEY)
        return max((self.found[key][0] for key in keys if key in self.found), default=-1)


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
    if request.preset or "preset" in values:
        return RiskLimits.from_json({**values, "preset": request.preset or values["preset"]}, "")
    return replace(RiskLimits.from_json({**base.as_json(), **values}, ""), preset=base.preset)


def adjusted_limits(limits: RiskLimits, adjustment: RiskAdjustment) -> RiskLimits:
    """The limits with exposure scaled; a limit that is off counts as 100 %, and none grows."""

    def scaled(limit: Decimal | None) -> Decimal:
        whole = PERCENT if limit is None else limit
        rounded = (whole * adjustment.factor).quantize(HUNDREDTH, ROUND_DOWN)
        return Decimal(decimal_text(max(HUNDREDTH, rounded.normalize())))

    return replace(
        limits,
        max_symbol_exposure_pct=scaled(limits.max_symbol_exposure_pct),
        max_portfolio_exposure_pct=scaled(limits.max_portfolio_exposure_pct),
    )
