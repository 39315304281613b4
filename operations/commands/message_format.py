"""Formats every message as one line of text. Pure.

`describe` has one function per message type; a type without one shows its first fields.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import singledispatch

from arena.currency import DEFAULT_CURRENCY, cash_digits
from arena.durations import measured_ms
from arena.gate_settings import gates_text
from arena.messages import (
    AccountOpened,
    AgentSpec,
    ChatReply,
    ChatRequest,
    ClosedCandle,
    ContextItem,
    DeadLetter,
    Drift,
    Epoch,
    Evaluation,
    Halt,
    Heartbeat,
    LlmCall,
    MarketChecked,
    MarketSnapshot,
    Message,
    OpenAccount,
    OrderDecided,
    PassOver,
    Posting,
    ProcessCommand,
    Product,
    Resume,
    RiskLimitsSet,
    RiskRequest,
    RiskTripped,
    Rules,
    SkippedSnapshots,
    StateDigest,
    Ticker,
    ToolCall,
    ToolOffered,
    ToolResult,
    TradeIntent,
    Turn,
    TurnStarted,
    Usage,
)
from arena.money import from_units
from arena.plural import counted
from arena.trading_modes import ONLINE, condition, restriction
from operations.commands.message_format_coaching import FORMATS
from operations.commands.message_format_risk import (
    checked_text,
    intent_text,
    limits_set_text,
    lived_text,
    request_text,
    tripped_text,
)

FIELDS_SHOWN = 6
CENT_DIGITS = 2


def format_cash(value: Decimal | None, currency: str) -> str:
    """An amount with separators: at least cents, or all digits of a currency such as BTC."""
    if value is None:
        return "-"
    if cash_digits(currency) > CENT_DIGITS:
        return f"{value:,f}"
    return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:,f}"


def format_number(value: Decimal | None) -> str:
    """A quantity or price in full, with separators; "-" for None."""
    return "-" if value is None else f"{value:,f}"


def format_time(value: datetime) -> str:
    """Local time of day, to the millisecond."""
    return value.astimezone().strftime("%H:%M:%S.%f")[:-3]


@singledispatch
def describe(message: Message) -> str:
    """Return the content of a message in one line, without its type."""
    shown = list(message.model_dump(mode="json").items())[:FIELDS_SHOWN]
    return " ".join(f"{name}={value}" for name, value in shown)


@describe.register
def _(message: Ticker) -> str:
    return (
        f"{message.product_id} {format_number(message.price)}"
        f"  bid {format_number(message.best_bid)}  ask {format_number(message.best_ask)}"
        f"  venue time {format_time(message.event_time)}"
    )


@describe.register
def _(message: ClosedCandle) -> str:
    bar = message.candle
    prices = "  ".join(
        f"{name} {format_number(price)}"
        for name, price in (
            ("open", bar.open),
            ("high", bar.high),
            ("low", bar.low),
            ("close", bar.close),
        )
    )
    start = f"{bar.start:%Y-%m-%d %H:%M}Z"
    return f"{message.product_id} minute from {start}  {prices}  volume {format_number(bar.volume)}"


@describe.register
def _(message: Product) -> str:
    state = restriction(message.status, message.modes) or message.status
    return (
        f"{message.product_id} {state}  step {format_number(message.base_increment)}"
        f"  price step {format_number(message.quote_increment)}"
        f"  smallest order {format_cash(message.min_market_funds, message.quote_currency)}"
        f" {message.quote_currency}"
    )


@describe.register
def _(message: MarketSnapshot) -> str:
    views = []
    for view in message.products:
        price = format_number(view.ticker.price) if view.ticker else "no price"
        closed = condition(view.status, view.modes).replace("_", " ")
        state = " stale" if view.stale else ""
        views.append(f"{view.product_id} {price}{state if closed == ONLINE else f' {closed}'}")
    simulated = f"  simulated, {message.speed:g}x" if message.simulated else ""
    items = len(message.context)
    context = f"  {counted(items, 'item')} of news and facts" if items else ""
    return f"as of {format_time(message.as_of)}  {'  '.join(views)}{context}{simulated}"


@describe.register
def _(message: ContextItem) -> str:
    about = [message.product_id or "market", message.kind.replace("_", " ")]
    about += [message.sentiment] if message.sentiment else []
    about += [f"{message.score:f}"] if message.score is not None else []
    facts = ", ".join(f"{name} {value}" for name, value in message.facts.items())
    words = ". ".join(part for part in (message.title, message.text, facts) if part)
    source = f"  {message.source}" if message.source else ""
    return (
        f"{' '.join(about)}  published {message.published_at.isoformat()}{source}"
        f"  {words}  ({message.item_id})"
    )


@describe.register
def _(message: ChatRequest) -> str:
    characters = sum(len(m.content) for m in message.messages)
    return (
        f"{message.asked_by} round {message.round}: {counted(len(message.messages), 'message')}, "
        f"{characters:,} characters, {len(message.tools)} tools"
    )


@describe.register
def _(message: ChatReply) -> str:
    calls = "  ".join(f"{c.name}({c.arguments})" for c in message.tool_calls)
    text = f'"{message.text}"' if message.text else ""
    return (
        f"{message.asked_by} round {message.round} {_model(message.model, message.scripted)} "
        f"{message.outcome}: {message.error}{calls} {text}  "
        f"{_usage(message.usage)}, {measured_ms(message.latency_ms)}"
    )


@describe.register
def _(message: LlmCall) -> str:
    tries = f", {message.attempts} attempts" if message.attempts > 1 else ""
    return (
        f"{message.asked_by} round {message.round} {_model(message.model, message.scripted)} "
        f"{message.outcome} {message.error}  {_usage(message.usage)}, "
        f"{measured_ms(message.latency_ms)}{tries}"
    )


@describe.register
def _(message: ToolCall) -> str:
    return f"{message.agent} {message.tool}({message.arguments})"


@describe.register
def _(message: ToolResult) -> str:
    mark = "ok" if message.ok else f"refused {message.error}"
    return f"{message.agent} {message.tool} {mark}: {message.text}"


@describe.register
def _(message: ToolOffered) -> str:
    process = "in the account's writer" if message.touches_account else "anywhere"
    source = f", {message.source} {message.source_sha256[:12]}" if message.source else ""
    return f"{message.name}, runs {process}{source}: {message.description}"


@describe.register
def _(message: OpenAccount) -> str:
    return f"{message.agent} requests an account"


@describe.register
def _(message: Epoch) -> str:
    return f"epoch {message.epoch} starts, owner {message.owner}"


@describe.register
def _(message: StateDigest) -> str:
    return f"state hash {message.sha256[:16]} after seq {message.seq}"


@describe.register
def _(message: AccountOpened) -> str:
    unit = _unit_of(message.postings)
    further = {
        leg.unit: from_units(int(leg.amount))
        for leg in message.postings
        if leg.account.endswith("/cash") and leg.unit != unit
    }
    cash = _amounts_text({unit: message.cash_usd, **further})
    return f"{message.agent} opened with {cash}"


def _amounts_text(amounts: Mapping[str, Decimal]) -> str:
    """Amounts by currency: "70,000.00 USD and 30,000.00 USDT"."""
    return " and ".join(f"{format_cash(cash, unit)} {unit}" for unit, cash in amounts.items())


def _unit_of(postings: tuple[Posting, ...]) -> str:
    """The currency of the account that an event posts to."""
    found = (leg.unit for leg in postings if leg.account.endswith("/cash"))
    return next(found, DEFAULT_CURRENCY)


@describe.register
def _(message: OrderDecided) -> str:
    order = (
        f"{message.agent} {message.action or 'trade'} {format_number(message.quantity)} "
        f"{message.product_id or '(unreadable)'}"
    )
    if message.outcome == "rejected":
        return f"{order} rejected {message.reason}: {message.detail}"
    lived = message.order_type != "market" or message.outcome != "filled"
    if lived:
        order = f"{message.agent} {lived_text(message)}"
    if message.outcome not in ("filled", "part_filled"):
        return order
    unit = message.currency or _unit_of(message.postings)
    wallet = f" {message.currency}" if message.currency else ""
    return (
        f"{order}{'' if lived else ' filled'} at {format_number(message.price)}"
        f"  fee {format_cash(message.fee, unit)}{wallet}"
        f"  cash {format_cash(message.cash_after, unit)}{wallet}"
        f"  position {format_number(message.position_after)}"
    )


@describe.register
def _(message: TurnStarted) -> str:
    why = f", asked for {message.asked}" if message.asked else ""
    return f"{message.agent} starts on the snapshot as of {format_time(message.as_of)}{why}"


@describe.register
def _(message: SkippedSnapshots) -> str:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(message.counts.items()))
    count = counted(sum(message.counts.values()), "snapshot")
    return f"{message.agent} was not asked on {count} up to {format_time(message.as_of)}: {reasons}"


@describe.register
def _(message: Turn) -> str:
    calls = sum(len(r.tool_call_ids) for r in message.rounds)
    text = message.error or message.final_text or message.memory
    return (
        f"{message.agent} {message.outcome} in {measured_ms(message.total_ms)}: "
        f"{counted(len(message.rounds), 'round')}, {counted(calls, 'tool call')}, "
        f"{_usage(message.usage)}  {text}"
    )


@describe.register
def _(message: AgentSpec) -> str:
    return (
        f"{message.agent} ({_kind(message)}) plays {message.strategy} with {message.node}, "
        f"gates: {gates_text(message.gates, message.cadence)}, "
        f"prompt {message.prompt_sha256[:12]}"
        f"{f', {message.source}' if message.source else ''}"
    )


def _kind(spec: AgentSpec) -> str:
    return f"shadow of {spec.shadow_of}" if spec.is_shadow else spec.kind


@describe.register
def _(message: Rules) -> str:
    planned = message.planned_snapshots
    return (
        f"fee {format_number(message.fee_bps)} bps ({message.fee_schedule}), "
        f"slippage {format_number(message.slippage_bps)} bps, "
        f"start {_amounts_text({message.currency: message.starting_cash_usd, **message.wallets})}, "
        f"price age up to {message.price_age_s_max:g} s, "
        f"collar {format_number(message.collar_bps)} bps"
        f"{f', {planned:,} snapshots planned' if planned else ''}"
    )


@describe.register
def _(message: Heartbeat) -> str:
    counted = " ".join(f"{k}={v}" for k, v in sorted(message.counters.items()))
    return f"{message.node} {message.status} {counted}"


@describe.register
def _(message: Halt) -> str:
    return _halt_or_resume("halted", message)


@describe.register
def _(message: PassOver) -> str:
    position = f"{message.topic}[{message.partition}]@{message.offset}"
    return f"{position} is passed over by {message.by}: {message.error}"


@describe.register
def _(message: Resume) -> str:
    return _halt_or_resume("resumed", message)


@describe.register
def _(message: ProcessCommand) -> str:
    why = f": {message.reason}" if message.reason else ""
    where = f"{message.process} of {message.run} on {message.host}"
    return f"{message.action} {where}, asked by {message.by}{why}"


def _halt_or_resume(what: str, message: Halt | Resume) -> str:
    whose = f"{message.agent}'s orders" if message.agent else "everybody's orders"
    why = f": {message.reason}" if message.reason else ""
    return f"{whose} {what} by {message.by}{why}"


@describe.register
def _(message: Evaluation) -> str:
    count = len(message.warnings)
    warnings = f", {counted(count, 'warning')}" if count else ""
    return (
        f"after {counted(message.snapshots, 'snapshot')} "
        f"({message.confidence:.0%} intervals{warnings}): {message.verdict}"
    )


@describe.register
def _(message: Drift) -> str:
    dashboard = f", dashboard {message.dashboard:f}" if message.dashboard is not None else ""
    return (
        f"{message.owner} {message.what} {message.unit}: fold {message.fold:f},"
        f" books {message.books:f}{dashboard}"
    )


@describe.register
def _(message: DeadLetter) -> str:
    position = f"{message.topic}[{message.partition}]@{message.offset}"
    return f"{position} found by {message.reader}: {message.error}"


def _model(model: str, scripted: bool) -> str:
    return f"{model} (rules, not an LLM)" if scripted else model


def _usage(usage: Usage) -> str:
    tokens = f"{usage.prompt_tokens + usage.completion_tokens:,} tokens"
    return tokens if usage.cost_usd is None else f"{tokens}, ${usage.cost_usd:.4f}"


describe.register(RiskLimitsSet, limits_set_text)
describe.register(RiskTripped, tripped_text)
describe.register(MarketChecked, checked_text)
describe.register(RiskRequest, request_text)
describe.register(TradeIntent, intent_text)
for kind, text_of in FORMATS.items():
    describe.register(kind, text_of)
