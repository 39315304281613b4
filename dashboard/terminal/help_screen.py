"""The help screen: health, processes, keys and the meaning of columns. Pure."""

from rich.text import Text

from arena.plural import counted
from dashboard import text
from dashboard.labels import shadow_text, spending_text
from dashboard.model.frame import Frame
from dashboard.model.processes import ProcessRow
from dashboard.model.rows import ArenaSummary
from dashboard.terminal.borders import Section, bottom, pane_lines, top
from dashboard.terminal.grid import Column, blank, table, wrap
from dashboard.terminal.palette import ALARM, KEY, QUIET, TITLE, WARNING
from dashboard.terminal.screen_body import ScreenBody
from dashboard.terminal.ui import KeyLimits, Ui

KEYS = (
    ("q", "quit"),
    ("tab", "next pane; shift-tab: previous pane"),
    ("up down", "select an agent; in positions, trades and thinking: scroll"),
    ("enter", "turns of the selected agent; then p for the exact prompt, c for coaching"),
    ("m", "the market: indicators of every product"),
    ("page up, page down, home, end", "scroll"),
    ("esc", "back"),
    ("?", "this help"),
)
TERMS = (
    ("equity", "cash and positions, marked at the best bid, after fees and slippage"),
    ("P&L 5m", "change of equity in five minutes of market time"),
    (
        "lat. cost",
        "change of price between the agent's snapshot and its fill: "
        "- lost, + gained, summed over its trades",
    ),
    (
        "seen → filled",
        "price in the agent's snapshot, price of the fill with slippage; "
        "the difference in bps; wall time from the order to its decision",
    ),
    (
        "unsellable",
        "the venue accepts no market orders in it now, or has closed it; valued at its last bid",
    ),
    ("held", "market time since entry, weighted by quantity"),
    (
        "risk",
        "on the screen of an agent: its limits as bars, value and limit; SELLS ONLY after a breach",
    ),
    ("rej", "rejected orders, each with its reason in the trades pane"),
    ("ranks", "possible ranks by the judge's newest evaluation; a wide range is undecided"),
    ("interim", "the season is not over: claims are made only at planned looks"),
    ("interval", "confidence interval of the return in percent, by the judge's evaluation"),
    ("P&L", "of a position: its value at the best bid less its cost"),
    (
        "╌ ┈ ⋅",
        "lines of agents after the eighth, whose colours repeat",
    ),
    ("◇", "on a curve: another version of the agent's prompt came into force"),
    ("s", "scripted rules, not an LLM"),
    ("b", "a baseline for comparison"),
)
INDEX_TERMS = (
    (
        "index",
        "wealth index: mean over the currencies of equity over opening cash; nothing is "
        "converted, enter shows the amounts",
    ),
    ("P&L 5m", "change of that index in five minutes of market time"),
    *TERMS[2:],
)
"""The terms of accounts in several currencies."""
PROCESSES = (
    Column("process", cells_min=10),
    Column("name", cells_min=10),
    Column("state", cells_min=8),
    Column("heartbeat", "right"),
    Column("lag", "right", cells_min=4),
    Column("dead letters", "right"),
    Column("node", optional=1),
)


def help_body(frame: Frame, ui: Ui, width: int, height: int) -> ScreenBody:
    """Health, processes, keys and terms, scrollable."""
    inner, room = width - 4, height - 2
    lines = _lines(frame, inner)
    scroll_max = max(0, len(lines) - room)
    first = min(ui.scroll, scroll_max)
    keys = [("↑↓", "scroll"), ("esc", "back"), ("q", "quit")] if scroll_max else [("esc", "back")]
    body = [
        top(width, Section("help and health", focused=True)),
        *pane_lines(lines[first : first + room], width, room),
        bottom(width, keys, [Text(f"{first + 1}-{min(len(lines), first + room)} of {len(lines)}")]),
    ]
    return ScreenBody(body, KeyLimits(scroll_max=scroll_max, page=room))


def _lines(frame: Frame, width: int) -> list[Text]:
    lines = [Text("health", style=TITLE)]
    for name, words, style in _health(frame.summary):
        lines += _entry(name, words, width, style)
    lines += [blank(width), Text("processes", style=TITLE)]
    if frame.processes:
        lines += table(PROCESSES, [_process_cells(row) for row in frame.processes], width)
        for row in frame.processes:
            if row.stopped_by:
                lines += _entry(row.name or row.kind, row.stopped_by, width)
    else:
        lines += wrap("no heartbeat yet: check ARENA_PREFIX", width)
    lines += [blank(width), Text("keys", style=TITLE)]
    for key, words in KEYS:
        lines += _entry(key, words, width)
    lines += [blank(width), Text("terms", style=TITLE)]
    terms = INDEX_TERMS if frame.summary.wallets else TERMS
    for name, words in terms:
        lines += _entry(name, words, width)
    return lines


def _entry(name: str, words: str, width: int, style: str = "") -> list[Text]:
    label = max(18, len(name) + 2)
    parts = wrap(words, width - label, style=style)
    return [
        Text.assemble((f"{name if not index else '':<{label}}", KEY), part, no_wrap=True)
        for index, part in enumerate(parts)
    ]


def _health(summary: ArenaSummary) -> list[tuple[str, str, str]]:
    rules = "not read yet"
    if summary.fee_bps is not None and summary.slippage_bps is not None:
        rules = f"fee {summary.fee_bps:f} bps, slippage {summary.slippage_bps:f} bps per fill"
    stale = ", ".join(summary.stale_products) or "none"
    calls = f"{counted(summary.llm_calls, 'call')}, {text.count(summary.llm_errors)} failed"
    tokens = f"{text.count(summary.tokens)} tokens"
    feed = f"last price {text.age(summary.feed_age_s)} ago; stale products: {stale}"
    warning = text.one_line(summary.market_warning)
    rows = [
        *([("market", warning, WARNING)] if warning else []),
        ("feed", text.one_line(summary.feed_down) or feed, WARNING if summary.feed_down else ""),
        ("rules", rules, ""),
        (
            "models",
            ", ".join(filter(None, (calls, tokens, spending_text(summary), shadow_text(summary)))),
            WARNING if summary.llm_errors else "",
        ),
        (
            "dead letters",
            text.count(summary.dead_letters),
            WARNING if summary.dead_letters else "",
        ),
        ("unreadable", _unreadable(summary), WARNING if summary.malformed else ""),
    ]
    if summary.partial:
        rows.append(("sums", "turns, tokens and cost cover only the newest records", QUIET))
    if summary.broken_log:
        rows.insert(0, ("account log", f"BROKEN: {summary.broken_log}", ALARM))
    return rows


def _unreadable(summary: ArenaSummary) -> str:
    if not summary.malformed:
        return "0 records"
    newest = text.one_line(summary.malformed_newest)
    return f"{counted(summary.malformed, 'record')}; the newest: {newest}"


def _process_cells(row: ProcessRow) -> list[Text]:
    style = ALARM if row.state == "silent" else "" if row.alive else QUIET
    return [
        Text(row.kind),
        Text(row.name),
        Text(row.state.upper() if row.state == "silent" else row.state, style=style),
        Text(text.age(row.age_s)),
        Text(text.NO_VALUE if row.lag is None else text.count(row.lag)),
        Text(text.count(row.dead_letters), style=WARNING if row.dead_letters else ""),
        Text(row.node, style=QUIET),
    ]
