"""The text that `arena up` and `arena demo` print: prices, models, processes, standings. Pure.

Every simulated or scripted figure is labelled, so none can be mistaken for a real one.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from arena.currency import DEFAULT_CURRENCY, cash_digits
from arena.fill_assumption import assumption_text, default_fills
from arena.plural import counted, noun
from arena.pricefiles.facts import MINUTE_S, PriceFacts
from arena.products import DEFAULT_VENUE
from arena.visible_text import one_line
from operations.commands.aligned_lines import aligned_lines
from operations.processes.child import ProcessSpec
from operations.specs.arena_spec import ArenaSpec
from operations.specs.baselines import rerouted_text
from operations.specs.market import MarketTable
from operations.specs.venues import by_venue

HEADINGS = ("#", "agent", "strategy", "model", "equity", "return", "fees", "trades", "rejected")
AMOUNTS = ("equity", "fees")
"""Columns that are repeated for each currency, if accounts hold several."""

CELL_CHARS_MAX = 80
FILES_MAX = 10
LINE_CHARS_MAX = 1_000
LEFT_ALIGNED = ("agent", "strategy", "model")
"""The left-aligned columns."""

LOCAL_MODEL_TEXT = "local:smollm2 (a real 135 M model; it trades at random)"
"""How output names the small model of `scripts/setup local-llm`."""

Document = Mapping[str, JsonValue]
"""The document that `arena dashboard --once --json` prints."""


def prices_text(spec: ArenaSpec) -> str:
    """The source of the prices, and the accounts' currency if it is not USD."""
    held = " and ".join((spec.currency, *spec.rules.wallets))
    currency = "" if held == DEFAULT_CURRENCY else f" Accounts hold {held}."
    files = counted(len(spec.market.context), "file")
    context = f" News and facts: {files}." if spec.market.context else ""
    return f"{_prices(spec)}{currency}{context}"


def _prices(spec: ArenaSpec) -> str:
    market = spec.market
    venues = " and ".join(name.capitalize() for name in by_venue(spec.arena.products))
    if market.is_live:
        return f"Prices: {venues}, live."
    what = _recorded(market) if market.prices else f"seed {market.seed}"
    if market.source == "replay":
        return f"Prices: {'replayed' if market.prices else 'simulated'}, {what}, in lock-step."
    pace = "real time" if market.speed == 1 else f"{market.speed:g} times real time"
    simulated = "exchange" if venues == DEFAULT_VENUE.capitalize() else venues
    return f"Prices: simulated {simulated}, {what}, {pace}."


def _recorded(market: MarketTable) -> str:
    if not market.from_cache:
        return counted(len(market.prices), "recorded file")
    assert market.start is not None, "the specification was checked"
    assert market.end is not None, "the specification was checked"
    days = " to ".join(f"{moment:%Y-%m-%d %H:%M}" for moment in (market.start, market.end))
    return f"{counted(len(market.prices), 'product')} from the cache, {days} UTC"


def fills_lines(spec: ArenaSpec, files: Sequence[PriceFacts]) -> list[str]:
    """What a replay assumes about fills.

    Args:
        spec: The arena.
        files: The facts about its price files.
    """
    if spec.market.source != "replay":
        return []
    bar_s = files[0].bar_s if files else spec.market.bar_s or MINUTE_S
    fills = spec.market.fills or default_fills(bar_s)
    text = assumption_text(bar_s, fills, spec.arena.interval_s, recorded=bool(files))
    return [text]


def file_lines(files: Sequence[PriceFacts]) -> list[str]:
    """The price files: one line each."""
    left_out = [f"  {file.line}" for file in files if file.left_out]
    files = [file for file in files if not file.left_out]
    more = len(files) - FILES_MAX
    lines = [*left_out, *(f"  {file.line}" for file in files[:FILES_MAX])]
    return [*lines, f"  and {more} more files"] if more > 0 else lines


def models_text(spec: ArenaSpec) -> str:
    """The models of the arena."""
    nodes = (n for n in spec.chat_nodes if not n.scripted)
    models = list(dict.fromkeys(LOCAL_MODEL_TEXT if n.local else n.model_id for n in nodes))
    scripted = any(n.scripted for n in spec.chat_nodes)
    rerouted = rerouted_text(spec.rerouted)
    remark = f"\n   {rerouted}" if rerouted else ""
    if not models:
        return f"Models: scripted rules, not LLMs.{remark}"
    also = " and scripted rules, which are not LLMs" if scripted else ""
    return f"Models: {', '.join(models)}{also}.{remark}"


def processes_text(processes: Sequence[ProcessSpec], agents: int) -> str:
    """The kinds of processes, counted."""
    names = [p.name for p in processes]
    nodes = sum(name.startswith("chat-node-") for name in names)
    routers = sum(name.startswith(("router-", "routers-")) for name in names)
    parts: list[str] = [name for name in ("exchange", "connector") if name in names]
    parts.append(counted(nodes, "chat node"))
    parts.append(f"{counted(routers, 'router')} ({counted(agents, 'agent')})")
    others = ("tools", "tool-server", "ledger", "judge", "trials", "alerts", "web", "dashboard")
    parts += [name for name in others if name in names]
    return ", ".join(parts)


def standings_title(document: Document, elapsed_s: float, interval_s: float) -> list[str]:
    """The lines above the table: run time, market time, trading costs."""
    speed = document.get("speed")
    market_min = elapsed_s * float(speed) / 60 if isinstance(speed, int | float) else 0.0
    market = f"about {market_min:.0f} min of simulated market, " * bool(document.get("simulated"))
    snapshots = counted(_int(document.get("snapshots")), "snapshot")
    return [
        f"Standings after {elapsed_s:.0f} s: {market}{snapshots}",
        f"(one per {interval_s:g} s of market{rules_text(document)})",
    ]


def rules_text(document: Document) -> str:
    """The costs of trading."""
    rules = document.get("rules")
    if not isinstance(rules, Mapping):
        return ""
    fee = Decimal(str(rules["fee_bps"])) / 100
    unit = document.get("currency", DEFAULT_CURRENCY)
    currency = "" if unit == DEFAULT_CURRENCY else f"; amounts in {unit}"
    return f"; fees {fee:.2f} % taker, slippage {rules['slippage_bps']} bps{currency}"


def standings_table(document: Document) -> list[str]:
    """The table, best first, and the dead below it; figures are right-aligned, signs always shown.

    The strategies have a column only if they differ from the agents' names. Amounts of several
    currencies have a column each.
    """
    agents = [a for a in agents_of(document) if a.get("alive", True) and not a.get("apart")]
    main, further = document.get("currency", DEFAULT_CURRENCY), document.get("wallets")
    units = [str(main), *(map(str, further) if isinstance(further, list) else ())]
    headings = _headings(units)
    cells_of = (_row(agent, units) for agent in agents)
    rows = [headings, *([one_line(cell, CELL_CHARS_MAX) for cell in row] for row in cells_of)]
    same_names = all(row[1].replace("-", "_") == row[2] for row in rows[1:])
    shown = [i for i in range(len(headings)) if not (same_names and headings[i] == "strategy")]
    right = [at for at, i in enumerate(shown) if headings[i] not in LEFT_ALIGNED]
    lines = aligned_lines([[row[i] for i in shown] for row in rows], right=right)
    return [*lines, *not_comparable_lines(document), *dead_agent_lines(document)]


def _headings(units: Sequence[str]) -> list[str]:
    """The column names; those of `AMOUNTS` once per currency if there are several."""
    found: list[str] = []
    for name in HEADINGS:
        several = name in AMOUNTS and len(units) > 1
        found += [one_line(f"{name} {unit}", 20) for unit in units] if several else [name]
    return found


def not_comparable_lines(document: Document) -> list[str]:
    """Agents that cannot be compared, with the cause; empty if there are none."""
    found = [a for a in agents_of(document) if a.get("alive", True) and a.get("apart")]
    lines = [_line(agent.get("agent"), agent.get("apart")) for agent in found]
    return ["Not comparable, not ranked:", *lines] if lines else []


def dead_agent_lines(document: Document) -> list[str]:
    """The dead agents of a standings document, with their cause; empty if all are alive."""
    dead = document.get("dead")
    found = [one for one in dead if isinstance(one, Mapping)] if isinstance(dead, list) else []
    lines = [_line(one.get("agent"), f"{one.get('cause')}; {one.get('remedy')}") for one in found]
    return ["Dead, not ranked:", *lines] if lines else []


def _line(agent: JsonValue, text: JsonValue) -> str:
    return f"  {one_line(f'{agent}: {text}', LINE_CHARS_MAX)}"


def agents_of(document: Document) -> list[Document]:
    """The agents of a standings document, in rank order."""
    agents = document.get("agents")
    return [a for a in agents if isinstance(a, Mapping)] if isinstance(agents, list) else []


def too_few_lines(document: Document, elapsed_s: float) -> list[str]:
    """A warning that the table does not rank agents."""
    count = _int(document.get("snapshots"))
    snapshots = f"{counted(count, 'snapshot')} in {elapsed_s:.0f} s"
    return [
        f"{snapshots} {noun(count, 'is', 'are')} far too few to rank agents:",
        "this shows that the arena works, not who is better.",
    ]


def _row(agent: Document, units: Sequence[str]) -> tuple[str, ...]:
    change = agent.get("return_pct")
    model = str(agent.get("model") or "-")
    if agent.get("scripted") and "scripted" not in model:
        model += " (scripted)"
    return (
        str(agent.get("rank", "-")),
        str(agent.get("agent")),
        str(agent.get("strategy")),
        model,
        *_amounts(agent, "equity", units),
        "-" if change is None else _signed_percent(Decimal(str(change))),
        *_amounts(agent, "fees", units),
        f"{_int(agent.get('trades')):,}",
        f"{_int(agent.get('rejections')):,}",
    )


def _amounts(agent: Document, what: str, units: Sequence[str]) -> list[str]:
    """An agent's equity or fees in each currency, the main one first; "-" where it has none."""
    main, *further = units
    accounts = agent.get("currencies")
    known = [a for a in accounts if isinstance(a, Mapping)] if isinstance(accounts, list) else []
    found = {str(account.get("currency")): account.get(what) for account in known}
    amounts = [(main, agent.get(f"{what}_usd")), *((unit, found.get(unit)) for unit in further)]
    return [
        "-" if amount is None else f"{Decimal(str(amount)):,.{cash_digits(unit)}f}"
        for unit, amount in amounts
    ]


def _signed_percent(value: Decimal) -> str:
    """Two decimals with the sign; no sign if they are zero."""
    text = f"{value:+.2f}"
    return f"{text[1:] if Decimal(text) == 0 else text} %"


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
