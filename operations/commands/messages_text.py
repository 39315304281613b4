"""What `arena up` and `arena demo` say: what is simulated, what is scripted, who stands where.

Pure. A figure that could be mistaken for a real one stands beside what it is.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from arena.currency import DEFAULT_CURRENCY, cash_digits
from arena.plural import counted, noun
from arena.pricefiles.facts import PriceFacts
from arena.visible_text import one_line
from operations.processes.child import ProcessSpec
from operations.specs.arena_spec import ArenaSpec
from operations.specs.baselines import moved_baselines_text

HEAD = ("#", "agent", "strategy", "model", "equity", "return", "fees", "trades", "rejected")
CELL_CHARS_MAX = 80
FILES_MAX = 10
LINE_CHARS_MAX = 1_000
WORDS = ("agent", "strategy", "model")
"""The columns that line up left."""

LOCAL_MODEL_TEXT = "local:smollm2 (a real 135 M model; it trades at random)"
"""The small model of `scripts/setup local-llm`, as people are told."""

Document = Mapping[str, JsonValue]
"""What `arena dashboard --once --json` prints."""


def prices_text(spec: ArenaSpec) -> str:
    """Where the prices come from, and what accounts hold if it is not USD."""
    held = "" if spec.currency == DEFAULT_CURRENCY else f" Accounts hold {spec.currency}."
    return f"{_prices(spec)}{held}"


def _prices(spec: ArenaSpec) -> str:
    market = spec.market
    if market.source == "coinbase":
        return "Prices: Coinbase, live."
    what = counted(len(market.prices), "recorded file") if market.prices else f"seed {market.seed}"
    if market.source == "replay":
        return f"Prices: {'replayed' if market.prices else 'simulated'}, {what}, in lock-step."
    pace = "real time" if market.speed == 1 else f"{market.speed:g} times real time"
    return f"Prices: simulated exchange, {what}, {pace}."


def file_lines(files: Sequence[PriceFacts]) -> list[str]:
    """What is in the price files: one line each."""
    left_out = [f"  {file.line}" for file in files if file.left_out]
    files = [file for file in files if not file.left_out]
    more = len(files) - FILES_MAX
    lines = [*left_out, *(f"  {file.line}" for file in files[:FILES_MAX])]
    return [*lines, f"  and {more} more files"] if more > 0 else lines


def models_text(spec: ArenaSpec) -> str:
    """Which models think."""
    nodes = (n for n in spec.chat_nodes if not n.scripted)
    models = list(dict.fromkeys(LOCAL_MODEL_TEXT if n.local else n.model_id for n in nodes))
    scripted = any(n.scripted for n in spec.chat_nodes)
    moved = moved_baselines_text(spec.moved)
    remark = f"\n   {moved}" if moved else ""
    if not models:
        return f"Models: scripted rules, not LLMs.{remark}"
    also = " and scripted rules, which are no LLM" if scripted else ""
    return f"Models: {', '.join(models)}{also}.{remark}"


def processes_text(processes: Sequence[ProcessSpec], agents: int) -> str:
    """What the processes are, in few words."""
    names = [p.name for p in processes]
    nodes = sum(name.startswith("chat-node-") for name in names)
    routers = sum(name.startswith(("router-", "routers-")) for name in names)
    words: list[str] = [name for name in ("exchange", "connector") if name in names]
    words.append(counted(nodes, "chat node"))
    words.append(f"{counted(routers, 'router')} ({counted(agents, 'agent')})")
    others = ("tools", "tool-server", "ledger", "judge", "dashboard")
    words += [name for name in others if name in names]
    return ", ".join(words)


def standings_title(document: Document, elapsed_s: float, interval_s: float) -> list[str]:
    """The lines above the table: how long, how much market, at what cost."""
    speed = document.get("speed")
    market_min = elapsed_s * float(speed) / 60 if isinstance(speed, int | float) else 0.0
    market = f"about {market_min:.0f} min of simulated market, " * bool(document.get("simulated"))
    snapshots = counted(_int(document.get("snapshots")), "snapshot")
    return [
        f"Standings after {elapsed_s:.0f} s: {market}{snapshots}",
        f"(one per {interval_s:g} s of market{rules_text(document)})",
    ]


def rules_text(document: Document) -> str:
    """What trading costs."""
    rules = document.get("rules")
    if not isinstance(rules, Mapping):
        return ""
    fee = Decimal(str(rules["fee_bps"])) / 100
    unit = document.get("currency", DEFAULT_CURRENCY)
    held = "" if unit == DEFAULT_CURRENCY else f"; amounts in {unit}"
    return f"; fees {fee:.2f} % taker, slippage {rules['slippage_bps']} bps{held}"


def standings_table(document: Document) -> list[str]:
    """The table, best first, and the dead apart; figures line up right, signs are always shown.

    The strategies have a column only where they are not the agents' names.
    """
    agents = [a for a in agents_of(document) if a.get("alive", True) and not a.get("apart")]
    digits = cash_digits(str(document.get("currency", DEFAULT_CURRENCY)))
    made = (_row(agent, digits) for agent in agents)
    rows = [HEAD, *(tuple(one_line(cell, CELL_CHARS_MAX) for cell in row) for row in made)]
    named = all(row[1].replace("-", "_") == row[2] for row in rows[1:])
    shown = [i for i in range(len(HEAD)) if not (named and HEAD[i] == "strategy")]
    widths = {i: max(len(row[i]) for row in rows) for i in shown}
    lines = []
    for row in rows:
        cells = [
            row[i].ljust(widths[i]) if HEAD[i] in WORDS else row[i].rjust(widths[i]) for i in shown
        ]
        lines.append("  ".join(cells).rstrip())
    return [*lines, *not_comparable_lines(document), *dead_lines(document)]


def not_comparable_lines(document: Document) -> list[str]:
    """Agents that cannot be compared, with the cause; none if there are none."""
    found = [a for a in agents_of(document) if a.get("alive", True) and a.get("apart")]
    lines = [_line(one.get("agent"), one.get("apart")) for one in found]
    return ["Not comparable, not ranked:", *lines] if lines else []


def dead_lines(document: Document) -> list[str]:
    """The dead of a standings document, with their cause; none if all are alive."""
    dead = document.get("dead")
    found = [one for one in dead if isinstance(one, Mapping)] if isinstance(dead, list) else []
    lines = [_line(one.get("agent"), f"{one.get('cause')}; {one.get('remedy')}") for one in found]
    return ["Dead, not ranked:", *lines] if lines else []


def _line(agent: JsonValue, words: JsonValue) -> str:
    return f"  {one_line(f'{agent}: {words}', LINE_CHARS_MAX)}"


def agents_of(document: Document) -> list[Document]:
    """The agents of a standings document, in rank order."""
    agents = document.get("agents")
    return [a for a in agents if isinstance(a, Mapping)] if isinstance(agents, list) else []


def too_few_lines(document: Document, elapsed_s: float) -> list[str]:
    """What such a table is worth."""
    count = _int(document.get("snapshots"))
    snapshots = f"{counted(count, 'snapshot')} in {elapsed_s:.0f} s"
    return [
        f"{snapshots} {noun(count, 'is', 'are')} far too few to rank agents:",
        "this shows that the arena works, not who is better.",
    ]


def _row(agent: Document, digits: int) -> tuple[str, ...]:
    equity, change, fees = (agent.get(k) for k in ("equity_usd", "return_pct", "fees_usd"))
    model = str(agent.get("model") or "-")
    if agent.get("scripted") and "scripted" not in model:
        model += " (scripted)"
    return (
        str(agent.get("rank", "-")),
        str(agent.get("agent")),
        str(agent.get("strategy")),
        model,
        "-" if equity is None else f"{Decimal(str(equity)):,.{digits}f}",
        "-" if change is None else _signed_percent(Decimal(str(change))),
        "-" if fees is None else f"{Decimal(str(fees)):,.{digits}f}",
        f"{_int(agent.get('trades')):,}",
        f"{_int(agent.get('rejections')):,}",
    )


def _signed_percent(value: Decimal) -> str:
    """Two decimals with the sign; no sign for what is zero in them."""
    text = f"{value:+.2f}"
    return f"{text[1:] if Decimal(text) == 0 else text} %"


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
