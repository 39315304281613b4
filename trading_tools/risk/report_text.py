"""The output of `arena risk show` and `arena risk report`: JSON documents and lines. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import JsonValue

from arena.account_state import Account
from arena.accounts import Shard
from arena.money import from_units
from arena.open_orders import AgentOrders
from arena.plural import counted
from arena.risk_limits import RiskLimits
from arena.risk_log import RiskLog
from arena.risk_requests import NewestRequests
from arena.risk_state import RiskState, account_name
from arena.shadow_agents import named
from arena.unknown_names import unknown_name
from trading_tools.quotes import MarketState
from trading_tools.risk.checks import utc_words
from trading_tools.risk.limit_distances import MeasuredAccount, limits_now

NO_LIMITS = "no account has limits yet: they are set before an agent's first order"
DETAILS_SHOWN = 5

Document = dict[str, JsonValue]


def show_document(
    log: RiskLog, market: MarketState, requests: NewestRequests, agent: str | None
) -> Document:
    """The limits in force of every account, and how far it is from them.

    Args:
        log: The fold of the account log.
        market: The newest quotes.
        requests: The requests for other limits.
        agent: One agent, or None for all.

    Raises:
        UsageError: There is no such agent.
    """
    names = {name for shard in log.shards.values() for name in shard.accounts}
    if agent is not None and agent not in names:
        raise unknown_name("agent", agent, names)
    found: list[JsonValue] = []
    for shard in log.shards.values():
        for name in sorted(shard.accounts):
            if agent in (None, name):
                newest = requests.newest_offset(name)
                for one in _accounts(shard, name, market):
                    applied = one["request_offset"]
                    waits = newest > (-1 if applied is None else applied)
                    found.append(one | {"request_waits": waits})
    return {"accounts": found}


def show_lines(document: Document) -> Iterator[str]:
    """The document for people."""
    accounts = _list(document["accounts"])
    if not accounts:
        yield NO_LIMITS
    for account in accounts:
        preset = f"{account['preset']}, " if account["preset"] else ""
        source = {"arena": "[risk] or flags", "agent": "its own table", "request": "a request"}
        where = source.get(str(account["set_by"]), "never set")
        stopped = f"; only sells {account['only_sells']}" if account["only_sells"] else ""
        waits = "; a newer request applies from its next order on"
        more = waits if account["request_waits"] else ""
        yield f"{named(str(account['account']))}: {preset}set by {where}{stopped}{more}"
        for one in _list(account["limits"]):
            now = f"now {one['now']}" if one["now"] else "now unknown"
            left = f", {one['left']} left" if one["left"] else ""
            detail = f" ({one['detail']})" if one["detail"] else ""
            figures = f"{one['threshold']:>10}  {now}{left}  {one['state']}{detail}"
            yield f"  {one['limit']:<28} {figures}"
        for name, value in _map(account["others"]).items():
            yield f"  {name:<28} {_text(value):>10}"


def report_lines(document: Document) -> Iterator[str]:
    """The document of `RiskReport` for people."""
    agents = _map(document["agents"])
    if not agents:
        yield "no order was measured by limits yet"
    for agent, found in agents.items():
        risk, exits = _map(found["risk"]), _map(found["exits"])
        blocked = sum(_map(risk["rejected"]).values())
        yield (
            f"{named(agent)}: {risk['approved']} approved, {risk['adjusted']} cut,"
            f" {blocked} rejected; exits: {exits['armed']} armed, {exits['fired']} fired,"
            f" {exits['cancelled']} cancelled"
        )
        if settings := _map(risk["settings"]):
            yield f"  limits            {'; '.join(settings)}"
        if unknown := _map(risk["unknown"]):
            yield f"  not measured      {_counts(unknown)}"
    for day in _list(document["limit_enforcement"]):
        blocks, hints = _map(day["risk_block_breakdown"]), _map(day["risk_limit_hints"])
        if not blocks and not hints:
            continue
        yield f"{day['day']} {day['agent']}"
        if blocks:
            yield f"  stopped or cut by  {_counts(blocks)}"
        if hints:
            yield f"  near              {_counts(hints)}"
        details = _list(day["blocked_details"])
        for one in details[:DETAILS_SHOWN]:
            yield (
                f"  {one['at']} {one['side']} {one['asked']} {one['product_id']}"
                f" {one['decision']}: {one['detail'] or one['limit']}"
            )
        if len(details) > DETAILS_SHOWN:
            yield f"  {counted(len(details) - DETAILS_SHOWN, 'more order')} in --json"


def _accounts(shard: Shard, agent: str, market: MarketState) -> Iterator[dict[str, Any]]:
    owned = [("", shard.accounts[agent]), *sorted(shard.wallets.get(agent, {}).items())]
    orders = shard.standing.get(agent) or AgentOrders()
    for currency, account in owned:
        state = shard.risk.get(account_name(agent, currency))
        if state is not None:
            yield _account(account_name(agent, currency), currency, account, state, orders, market)


def _account(
    name: str,
    currency: str,
    account: Account,
    state: RiskState,
    orders: AgentOrders,
    market: MarketState,
) -> dict[str, Any]:
    limits, bids = RiskLimits.from_text(state.limits), market.bids()
    at = market.newest_at
    now_ms = int(at.timestamp() * 1000) if at else 0
    day = f"{at:%Y-%m-%d}" if at else state.day
    measured = limits_now(
        MeasuredAccount(account, currency, state, orders, bids, day, now_ms), limits
    )
    known = {one.limit for one in measured}
    until_ms = state.tripped_until_ms
    tripped = state.is_tripped(now_ms)
    until = f"until {utc_words(until_ms)}" if until_ms else "until `arena risk lift`"
    return {
        "account": name,
        "preset": state.preset,
        "set_by": state.set_by,
        "request_offset": state.request_offset if state.request_offset >= 0 else None,
        "equity": f"{from_units(account.equity(bids)):f}",
        "tripped": state.tripped if tripped else "",
        "only_sells": f"{until} ({state.tripped})" if tripped else "",
        "limits": [asdict(one) for one in measured],
        "others": {k: v for k, v in limits.as_json().items() if k not in known},
    }


def _counts(found: Mapping[str, Any]) -> str:  # Any: counts
    return ", ".join(f"{limit} {count}" for limit, count in found.items())


def _text(value: JsonValue) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# Any: JSON objects of the documents above.
def _list(value: object) -> list[Any]:
    assert isinstance(value, list)
    return value


def _map(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value
