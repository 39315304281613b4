"""What `arena up` and `arena demo` say: what is simulated, what is scripted, who stands where.

Pure. A figure that could be mistaken for a real one stands beside what it is.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from arena.spec import ArenaSpec
from arena.supervisor.child import ProcessSpec

Document = Mapping[str, JsonValue]
"""What `arena dashboard --once --json` prints."""


def prices_words(spec: ArenaSpec) -> str:
    """Where the prices come from."""
    market = spec.market
    if market.source == "coinbase":
        return "Prices: Coinbase, live."
    what = f"{len(market.prices)} recorded files" if market.prices else f"seed {market.seed}"
    pace = "real time" if market.speed == 1 else f"{market.speed:g} times real time"
    return f"Prices: simulated exchange, {what}, {pace}."


def models_words(spec: ArenaSpec) -> str:
    """Which models think."""
    models = list(dict.fromkeys(n.model_id for n in spec.chat_nodes if not n.scripted))
    scripted = any(n.scripted for n in spec.chat_nodes)
    if not models:
        return "Models: scripted rules, not LLMs."
    also = " and scripted rules, which are no LLM" if scripted else ""
    return f"Models: {', '.join(models)}{also}."


def process_words(processes: Sequence[ProcessSpec], agents: int) -> str:
    """What the processes are, in few words."""
    names = [p.name for p in processes]
    nodes = sum(name.startswith("chat-node-") for name in names)
    routers = sum(name.startswith(("router-", "routers-")) for name in names)
    words: list[str] = [name for name in ("exchange", "connector") if name in names]
    words.append(f"{nodes} chat node{'s' * (nodes != 1)}")
    agents_words = f"{agents} agent{'s' * (agents != 1)}"
    words.append(agents_words if routers == agents else f"{agents_words} in {routers} routers")
    words += [name for name in ("tools", "dashboard") if name in names]
    return ", ".join(words)


def standings_title(document: Document, elapsed_s: float, interval_s: float) -> str:
    """The line above the table: how long, how much market, at what cost."""
    snapshots = _int(document.get("snapshots"))
    speed = document.get("speed")
    market_min = elapsed_s * float(speed) / 60 if isinstance(speed, int | float) else 0.0
    market = f"about {market_min:.0f} min of simulated market, " * bool(document.get("simulated"))
    return (
        f"Standings after {elapsed_s:.0f} s ({market}{snapshots} snapshots, "
        f"one per {interval_s:g} s of market{rules_words(document)})"
    )


def rules_words(document: Document) -> str:
    """What trading costs."""
    rules = document.get("rules")
    if not isinstance(rules, Mapping):
        return ""
    fee = Decimal(str(rules["fee_bps"])) / 100
    return f"; fees {fee:.2f} % taker, slippage {rules['slippage_bps']} bps"


def standings_table(document: Document) -> list[str]:
    """The table, best first; figures line up right, signs are always shown."""
    head = ("#", "agent", "strategy", "model", "equity", "return", "fees", "trades", "rejected")
    rows = [head, *(_row(agent) for agent in agents_of(document))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if 1 <= i <= 3 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def agents_of(document: Document) -> list[Document]:
    """The agents of a standings document, in rank order."""
    agents = document.get("agents")
    return [a for a in agents if isinstance(a, Mapping)] if isinstance(agents, list) else []


def too_few_words(document: Document, elapsed_s: float) -> str:
    """What such a table is worth."""
    return (
        f"{_int(document.get('snapshots'))} snapshots in {elapsed_s:.0f} s are far too few to "
        "rank agents: this shows that the arena works, not who is better."
    )


def _row(agent: Document) -> tuple[str, ...]:
    equity, change, fees = (agent.get(k) for k in ("equity_usd", "return_pct", "fees_usd"))
    model = str(agent.get("model") or "-")
    if agent.get("scripted") and "scripted" not in model:
        model += " (scripted)"
    return (
        str(agent.get("rank", "-")),
        str(agent.get("agent")),
        str(agent.get("strategy")),
        model,
        "-" if equity is None else f"{Decimal(str(equity)):,.2f}",
        "-" if change is None else f"{Decimal(str(change)):+.2f} %",
        "-" if fees is None else f"{Decimal(str(fees)):,.2f}",
        f"{_int(agent.get('trades')):,}",
        f"{_int(agent.get('rejections')):,}",
    )


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
