"""What the templates need, computed from results. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arena.page.line_chart import Curve, line_chart
from arena.page.series import OTHER, styles
from dashboard.model.results import (
    EquityCurves,
    IndicatorTraces,
    Leaderboard,
    PriceHistory,
    Trade,
    TurnDetail,
    TurnSummary,
    Verdict,
)
from dashboard.web.page import formats
from dashboard.web.page.activity import cause_words, model_state
from dashboard.web.page.board import board
from dashboard.web.page.coaching import coaching_rows, curve_marks
from dashboard.web.page.supervision import command_lines, process_tables

Context = Mapping[str, Any]  # Any: results, by the names that the templates use.
STREAM_MAX = 60
"""Newest turns in the reasoning stream."""
TRACED_LINES = (
    ("bollinger_upper_20_2", "upper band", "grey"),
    ("bollinger_lower_20_2", "lower band", "grey"),
    ("ema_20", "EMA 20", "s2 d2"),
)
"""Indicator, its words and its style on the chart of prices."""
RETURNS_PX, DRAWDOWNS_PX = 300, 110
"""Heights of the charts."""
DETECTABLE_MAX = 1.0
"""A larger difference is not drawn: no reader can use it."""


@dataclass(frozen=True, slots=True)
class Site:
    """What every page shows.

    Attributes:
        page: Name of the page in the navigation.
        ended: "ended 22:39" if the run has ended; "" while it runs.
        live: True if the page follows the arena.
        writable: True if commands are possible.
    """

    page: str
    run: str
    ended: str
    now: datetime
    live: bool
    writable: bool
    logged_in: bool
    public: bool
    hides_prompts: bool


@dataclass(frozen=True, slots=True)
class StreamTurn:
    """A turn in the stream, in words.

    Attributes:
        orders: True if it has an order.
        failed: True if it gave no decision, or an order was rejected.
        did: What it did: "Held", "Bought 0.4 BTC-USD at 67,201.10", "Failed".
        details: Tokens, time and cost.
    """

    turn_id: str
    agent: str
    style: str
    ended_at: datetime
    words: str
    orders: bool
    failed: bool
    did: str
    details: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the comparison; `width` is in percent."""

    words: str
    value: str
    width: float
    style: str


@dataclass(frozen=True, slots=True)
class Power:
    """What the data can show at the top."""

    title: str
    bars: tuple[Bar, ...]
    note: str


def prepare(name: str, given: Context) -> Context:
    """Add to the results of a page what its templates need besides.

    Args:
        name: Name of the page.
        given: The results, and title, path, run, ended, now, hide_prompts, public, logged_in and
            can_write.
    """
    found = {
        **given,
        "site": Site(
            page="nodes" if name == "command" else name,
            run=given["run"] or given["title"],
            ended=given["ended"],
            now=given["now"],
            live=not given["ended"] and "leaderboard" in given,
            writable=given["can_write"],
            logged_in=given["logged_in"],
            public=given["public"],
            hides_prompts=given["hide_prompts"],
        ),
    }
    if name == "nodes":
        found |= {
            "tables": process_tables(given["health"]),
            "commands": command_lines(given["health"]),
            "cause_words": cause_words,
            "model_state": model_state,
        }
    if "leaderboard" in given:
        found |= _standings(given["leaderboard"], given.get("verdict"))
    if "curves" in given:
        found |= _curves(given["curves"], found["styles"])
    if name == "live" and "turns" in given:
        found["stream"] = stream(given["turns"], given["trades"].trades, found["styles"])
    if name == "agent":
        found |= _agent(given, found["styles"])
    if "history" in given:
        found |= _market(given["history"], given["trades"].trades, given.get("agent", ""))
        found |= _indicators(given["traces"])
    if name == "turn":
        found |= _turn(given["turn"], given["trades"].trades)
    return found


def _standings(found: Leaderboard, verdict: Verdict | None) -> dict[str, object]:
    line_styles = styles((one.agent, one) for one in found.agents)
    return {
        "verdict": verdict,
        "styles": line_styles,
        "board": board(found, verdict, line_styles),
        "power": power(verdict) if verdict else None,
    }


def _curves(found: EquityCurves, line_styles: Mapping[str, str]) -> dict[str, object]:
    """The return of every agent since its opening, and its loss from its high; in percent."""
    returns, drawdowns = [], []
    for one in found.curves:
        style, whole = line_styles.get(one.agent, OTHER), float(one.opening)
        values = [
            None if v is None or not whole else (float(v) / whole - 1) * 100 for v in one.values
        ]
        returns.append(Curve(one.agent, style, values, marks=curve_marks(one.prompts)))
        drawdowns.append(
            Curve(one.agent, style, [None if v is None else -float(v) for v in one.drawdowns_pct])
        )
    return {
        "returns": line_chart(found.times, returns, RETURNS_PX),
        "drawdowns": line_chart(found.times, drawdowns, DRAWDOWNS_PX),
    }


def power(verdict: Verdict) -> Power | None:
    """Compare the largest difference at the top with the smallest that would be found."""
    size = verdict.detectable
    top = [row for row in verdict.rows if row.rank_low == 1]
    points = [row.total_return for row in top if row.total_return is not None]
    if size is None or len(points) < 2:
        return None
    seen = max(points) - min(points)
    found = min(size, DETECTABLE_MAX)
    whole = max(seen, found) or 1.0
    sizes = sorted(one.difference for one in verdict.detectables) or [size]
    size = sizes[-1]
    least = f"{sizes[0] * 100:.1f} to " if sizes[0] < size else ""
    shown = f"{least}{size:.1%}" if size <= DETECTABLE_MAX else "above 100%"
    return Power(
        title=f"Why #1–#{len(top)} are not separated",
        bars=(
            Bar("Largest difference seen", _percent(f"{seen:.1%}"), seen / whole * 100, "seen"),
            Bar("Found in 4 seasons of 5, if true", _percent(shown), found / whole * 100, "found"),
        ),
        note="A longer season finds smaller differences; more snapshots a day do not.",
    )


def _percent(words: str) -> str:
    return words.replace("%", " %")


def stream(
    turns: Sequence[TurnSummary], trades: Sequence[Trade], line_styles: Mapping[str, str]
) -> tuple[StreamTurn, ...]:
    """The newest turns in words, the newest first."""
    orders = {one.order_id: one for one in trades}
    return tuple(
        _stream_turn(turn, [orders[one] for one in turn.orders if one in orders], line_styles)
        for turn in turns[:STREAM_MAX]
    )


def _stream_turn(
    turn: TurnSummary, orders: Sequence[Trade], line_styles: Mapping[str, str]
) -> StreamTurn:
    is_failed = turn.outcome in ("failed", "expired", "aborted") or bool(turn.cause)
    rejected = any(one.outcome == "rejected" for one in orders)
    if is_failed:
        did = turn.outcome.replace("_", " ").capitalize()
    elif orders:
        did = "; ".join(order_words(one) for one in orders)
    elif turn.orders:
        did = "Ordered"
    else:
        did = "Held"
    tokens = f"{'~' if turn.tokens_estimated else ''}{turn.tokens:,} tokens"
    parts = [tokens, formats.milliseconds(turn.total_ms)]
    if turn.scripted:
        parts.append("scripted")
    elif turn.cost_usd is not None:
        parts.append(formats.cost(turn.cost_usd))
    return StreamTurn(
        turn_id=turn.turn_id,
        agent=turn.agent,
        style=line_styles.get(turn.agent, OTHER),
        ended_at=turn.ended_at,
        words=turn.words,
        orders=bool(turn.orders),
        failed=is_failed or rejected,
        did=did,
        details=" · ".join(parts),
    )


def order_words(order: Trade) -> str:
    """An order in words: "Bought 0.4 BTC-USD at 67,201.10", "Rejected: insufficient cash"."""
    if order.outcome == "rejected":
        return f"Rejected: {order.reason}"
    verb = "Bought" if order.action == "buy" else "Sold"
    what = f"{formats.quantity(order.quantity)} {order.product_id}"
    return f"{verb} {what} at {formats.price(order.price)}"


def _market(history: PriceHistory | None, trades: Sequence[Trade], agent: str) -> dict[str, object]:
    bars = history.bars if history is not None else ()
    fills = [
        one
        for one in trades
        if history is not None
        and one.product_id == history.product_id
        and one.outcome == "filled"
        and one.venue_time is not None
        and bars
        and one.venue_time >= bars[0].start
    ]
    return {"fills": tuple(fills), "chart_agent": agent}


def _indicators(found: IndicatorTraces | None) -> dict[str, object]:
    """The bid with its moving average and Bollinger bands, and the RSI; None without values."""
    if found is None:
        return {"price_lines": None, "rsi_lines": None}
    lines = [
        Curve(words, style, found.values[name])
        for name, words, style in TRACED_LINES
        if any(value is not None for value in found.values[name])
    ]
    bids = [None if one is None else float(one) for one in found.bids]
    bid, rsi = Curve("bid", "s1 d1", bids), found.values["rsi_14"]
    return {
        "price_lines": line_chart(
            found.times, [*lines, bid], RETURNS_PX, formats.indicator, signed=False
        )
        if lines
        else None,
        "rsi_lines": line_chart(
            found.times, [Curve("RSI", "s1 d1", rsi)], DRAWDOWNS_PX, formats.indicator, signed=False
        )
        if any(value is not None for value in rsi)
        else None,
    }


def _agent(given: Context, line_styles: Mapping[str, str]) -> dict[str, object]:
    agent = given["agent"]
    halts = {one.scope: one for one in given["leaderboard"].halted}
    costs = given["costs"]
    return {
        "account": given["portfolio"].account,
        "positions": given["portfolio"].positions,
        "coach": coaching_rows(given["coaching"]),
        "halt": halts.get("all") or halts.get(agent),
        "stream": stream(given["turns"].turns, given["trades"].trades, line_styles),
        "costs": costs.model_copy(
            update={"agents": tuple(one for one in costs.agents if one.agent == agent)}
        ),
    }


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the time of a turn; `at` and `width` are in percent."""

    words: str
    ms: float
    at: float
    width: float


def _turn(detail: TurnDetail, trades: Sequence[Trade]) -> dict[str, object]:
    ids = set(detail.summary.orders)
    return {
        "orders": tuple(one for one in trades if one.order_id in ids),
        "calls": tuple(call for one in detail.rounds for call in one.calls),
        "prompt_chars": sum(len(one.content) for one in detail.prompt),
        "times": _times(detail),
    }


def _times(detail: TurnDetail) -> tuple[Stretch, ...]:
    """The time of the model and of the tools, in turns, and the rest."""
    parts = []
    for number, one in enumerate(detail.rounds, 1):
        parts += [(f"Model, call {number}", one.model_ms), (f"Tools {number}", one.tools_ms)]
    parts = [part for part in parts if part[1]]
    parts.append(("Waiting", max(0.0, detail.summary.total_ms - sum(ms for _, ms in parts))))
    whole = sum(ms for _, ms in parts) or 1.0
    found, at = [], 0.0
    for words, ms in parts:
        width = ms / whole * 100
        found.append(Stretch(words, ms, round(at, 2), round(width, 2)))
        at += width
    return tuple(found)
