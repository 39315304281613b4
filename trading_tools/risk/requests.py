"""Which limits govern an agent: those asked for, its own, or the arena's. Pure.

Requests are `RiskRequest` records of `arena.control` under "risk/<agent>" or "risk/all"; the newest
of a key counts. In order of precedence: a request for the agent, the agent's own table, a request
for all, `[risk]`. A request that cannot be used changes nothing. A `RiskAdjustment` under
"adjust/<agent>" scales what is in force until its venue time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from arena.bus.base import Record
from arena.errors import ArenaError
from arena.messages import RiskAdjustment, RiskRequest
from arena.messages.risk import LimitSource
from arena.risk_limits import OFF, RiskLimits
from arena.risk_requests import (
    ALL_KEY,
    adjusted_limits,
    key_of_adjustment,
    key_of_request,
    limits_asked,
    scope_of_request,
)
from arena.risk_state import RiskState

KEYS_MAX = 10_000
"""Limit of the keys that are kept; requests under further keys are ignored."""


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """The limits that govern an agent.

    Attributes:
        limits: The limits.
        set_by: Where they were set.
        by, reason: Of the request; "" for settings from files.
        request_offset: Offset of the newest request that concerns the agent; -1 for none.
        lift_offset: Offset of the newest request that lifts a breach; -1 for none.
    """

    limits: RiskLimits
    set_by: LimitSource
    by: str = ""
    reason: str = ""
    request_offset: int = -1
    lift_offset: int = -1

    def differ_from(self, state: RiskState) -> bool:
        """True if a `RiskLimitsSet` must be appended before the next order of the account."""
        if self.request_offset > state.request_offset:
            return True
        text = self.limits.text
        return text != state.limits or (bool(text) and self.set_by != state.set_by)

    def lifts(self, state: RiskState) -> bool:
        """True if a breach of the account is to be lifted that no earlier record lifted."""
        return self.lift_offset > state.request_offset


@dataclass(frozen=True, slots=True)
class _Asked:
    request: RiskRequest
    offset: int
    lift_offset: int


@dataclass(slots=True)
class LimitSettings:
    """The settings of an executor, and the requests that it has read.

    Attributes:
        default: The limits of agents without their own.
        by_agent: Agent -> its own limits.
        faults: Key -> why its newest request changes nothing.
    """

    default: RiskLimits = OFF
    by_agent: Mapping[str, RiskLimits] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _found: dict[str, LimitsInForce] = field(default_factory=dict)
    _adjustments: dict[str, RiskAdjustment] = field(default_factory=dict)

    def take(self, record: Record) -> str:
        """Fold a record of `arena.control`.

        Returns:
            Why the record changes nothing although it should; "" otherwise.
        """
        key = scope_of_request(record.key)
        if key is None:
            return ""
        try:
            message = record.message()
        except ArenaError as error:
            return self._refuse(key, str(error))
        if isinstance(message, RiskAdjustment) and key_of_adjustment(message.agent) == key:
            return self._adjust(message, key)
        if not isinstance(message, RiskRequest):
            return self._refuse(key, f"a {message.type_name()} under the key of a risk request")
        if key_of_request(message.agent) != key:
            return self._refuse(key, f"a request for {message.agent or 'all'} under another key")
        return self.note(message, record.offset)

    def note(self, request: RiskRequest, offset: int) -> str:
        """Fold a request; see `take`."""
        key = key_of_request(request.agent)
        if key not in self._asked and len(self._asked) >= KEYS_MAX:
            return self._refuse(key, f"more than {KEYS_MAX:,} keys have requests")
        before = self._asked.get(key)
        if request.limits is None and not request.preset and not request.reset and before:
            # It only lifts: the limits asked for before stay.
            old = before.request
            request = request.model_copy(update={"limits": old.limits, "preset": old.preset})
        try:
            limits_asked(request, self._base(request.agent))
        except ArenaError as error:
            return self._refuse(key, str(error))
        self.faults.pop(key, None)
        lift_offset = offset if request.lift else -1 if before is None else before.lift_offset
        self._asked[key] = _Asked(request, offset, lift_offset)
        self._found.clear()
        return ""

    def _adjust(self, adjustment: RiskAdjustment, key: str) -> str:
        if adjustment.agent not in self._adjustments and len(self._adjustments) >= KEYS_MAX:
            return self._refuse(key, f"more than {KEYS_MAX:,} agents have adjustments")
        self.faults.pop(key, None)
        self._adjustments[adjustment.agent] = adjustment
        return ""

    def limits_for(self, agent: str, as_of: datetime | None = None) -> LimitsInForce:
        """The limits that govern an agent.

        Args:
            agent: The agent.
            as_of: Venue time, up to which adjustments last; None leaves them out.
        """
        found = self._found.get(agent)
        if found is None:
            found = self._found[agent] = self._resolve(agent)
        adjustment = self._adjustments.get(agent)
        if adjustment is None or as_of is None or as_of >= adjustment.expires_at:
            return found
        limits = adjusted_limits(found.limits, adjustment)
        by, reason = adjustment.by, adjustment.reason
        return replace(found, limits=limits, set_by="request", by=by, reason=reason)

    @property
    def needs_candles(self) -> bool:
        """True if limits that are set, or asked for, are computed from closed candles."""
        known = [self.default, *self.by_agent.values()]
        asked = (limits_asked(a.request, self._base(a.request.agent)) for a in self._asked.values())
        return any(limits.needs_candles for limits in (*known, *(one for one in asked if one)))

    def _resolve(self, agent: str) -> LimitsInForce:
        own, everyone = self._asked.get(key_of_request(agent)), self._asked.get(ALL_KEY)
        offsets = [asked.offset for asked in (own, everyone) if asked is not None]
        lifts = [asked.lift_offset for asked in (own, everyone) if asked is not None]
        newest, lift = max(offsets, default=-1), max(lifts, default=-1)
        table = self.by_agent.get(agent)
        for asked, base in ((own, table or self.default), (everyone, self.default)):
            if asked is None or (asked is everyone and table is not None):
                continue
            limits = limits_asked(asked.request, base)
            if limits is not None:
                by, reason = asked.request.by, asked.request.reason
                return LimitsInForce(limits, "request", by, reason, newest, lift)
        if table is not None:
            return LimitsInForce(table, "agent", "", "", newest, lift)
        return LimitsInForce(self.default, "arena", "", "", newest, lift)

    def _base(self, agent: str | None) -> RiskLimits:
        table = self.by_agent.get(agent) if agent else None
        return self.default if table is None else table

    def _refuse(self, key: str, why: str) -> str:
        if len(self.faults) < KEYS_MAX:
            self.faults[key] = why
        return why
