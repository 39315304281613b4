"""Accounts that may only sell, because they lost more than a limit of risk allows. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

from arena.risk_state import RiskState
from dashboard.alerts.found import Alert
from dashboard.alerts.texts import plain, plain_name
from dashboard.model.risk_rows import is_tripped
from dashboard.model.view import ArenaView

LOSS_LIMIT = "loss-limit"


def find_breaches(view: ArenaView) -> Iterator[Alert]:
    """One alert per account that may only sell now."""
    for name, state in sorted(_states(view).items()):
        agent, _, currency = name.partition(" ")
        if is_tripped(state, view.market.venue_now) and not view.is_shadow(agent):
            account = f"{plain_name(agent)}{f', {currency}' if currency else ''}"
            subject = f"{LOSS_LIMIT}:{name}"
            text = (
                f"{account} lost more than {plain(state.tripped)} allows and may only sell"
                f" {_until(state)}; see `arena risk show {plain_name(agent)}`"
            )
            yield Alert(LOSS_LIMIT, subject, f"{subject}@{state.trip_id}", text)


def breach_ended(view: ArenaView, name: str) -> str | None:
    """The sentence about an account that may buy again; None while it may not."""
    state = _states(view).get(name)
    if state is not None and is_tripped(state, view.market.venue_now):
        return None
    return f"{plain_name(name)} may buy again"


def _states(view: ArenaView) -> dict[str, RiskState]:
    return {n: state for s in view.accounts.shards.values() for n, state in s.risk.items()}


def _until(state: RiskState) -> str:
    if not state.tripped_until_ms:
        return "until an operator lifts it"
    until = datetime.fromtimestamp(state.tripped_until_ms / 1000, UTC)
    return f"until {until:%Y-%m-%d %H:%M} UTC of market time"
