"""The HTML pages; `dashboard.web.page` draws them from results of the read model.

With `?parts=a,b` a page answers with these parts of itself only: that is how open pages stay up to
date.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from arena.errors import UsageError
from arena.page.series import HOLD_STRATEGY
from dashboard.model import queries
from dashboard.model.activity_queries import activity
from dashboard.model.change_cursor import ChangeCursor
from dashboard.model.context_notes import context_notes
from dashboard.model.hidden_prompts import page_without_words, without_words
from dashboard.model.indicator_values import indicator_traces, indicator_values
from dashboard.model.price_history import price_history, products
from dashboard.model.results import PriceHistory, TurnSummary
from dashboard.web.page_answers import COMMON, bars, page_answer
from dashboard.web.state import Web, WebState

REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
)
"""A report has its scripts inside; in a sandbox they are of no origin."""

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Parts = Annotated[str, Query(max_length=200)]
Product = Annotated[str, Query(max_length=100)]
TRADES = 100
CURVE_POINTS = 200
LIVE = (*COMMON, "judge", "leaderboard", "dead", "curves", "reasoning", "market", "indicators",
        "context", "positions", "trades", "costs")  # fmt: skip
AGENT = (*COMMON, "portfolio", "market", "turns", "curves", "coaching", "positions", "trades",
         "costs")  # fmt: skip
NODES = (*COMMON, "feed", "venues", "models", "halts", "processes", "costs")


@router.get("/")
async def live(
    request: Request, web: WebState, parts: Parts = "", product: Product = ""
) -> HTMLResponse:
    """The live page: verdict, leaderboard, curves, thoughts, prices, positions, trades, costs."""
    now = await web.moment()
    view, wanted = web.reader.view, _wanted(parts, LIVE)
    given = bars(web, now)
    if _needs(wanted, "curves"):
        given["curves"] = queries.equity_curves(view, now.frame, CURVE_POINTS)
    if _needs(wanted, "reasoning", "trades", "market", "indicators"):
        given["trades"] = await web.reader.history.trades(view, limit=TRADES)
    if _needs(wanted, "reasoning"):
        given["turns"] = await newest_turns(web)
    if _needs(wanted, "market", "indicators"):
        given |= _market(web, product)
    given["positions"] = queries.positions(now.frame)
    given["news"] = context_notes(view)
    return page_answer("live", request, web, given, wanted)


@router.get("/agents/{agent}")
async def agent_page(
    request: Request,
    web: WebState,
    agent: str,
    parts: Parts = "",
    product: Product = "",
    before: Annotated[str | None, Query(max_length=100)] = None,
) -> HTMLResponse:
    """One agent: portfolio, prices, turns, curve, coaching, positions, trades, costs."""
    now = await web.moment()
    reader, view, wanted = web.reader, web.reader.view, _wanted(parts, AGENT)
    turns = await reader.history.turns(view, agent, cursor=before)
    trades = await reader.history.trades(view, agent, limit=TRADES)
    given = bars(web, now) | {
        "agent": agent,
        "portfolio": queries.portfolio(now.frame, agent),
        "turns": page_without_words(turns) if web.options.hide_prompts else turns,
        "trades": trades,
        "coaching": web.coaching(now, agent),
    }
    if _needs(wanted, "curves"):
        curves = queries.equity_curves(view, now.frame, CURVE_POINTS)
        shown = {agent, *(one.agent for one in now.frame.ranking if one.strategy == HOLD_STRATEGY)}
        few = tuple(one for one in curves.curves if one.agent in shown)
        given["curves"] = curves.model_copy(update={"curves": few})
    if _needs(wanted, "market", "indicators"):
        traded = trades.trades[0].product_id if trades.trades else ""
        given |= _market(web, product or traded)
    return page_answer("agent", request, web, given, wanted)


@router.get("/agents/{agent}/turns/{turn_id}")
async def turn_page(request: Request, web: WebState, agent: str, turn_id: str) -> HTMLResponse:
    """One turn: the exact prompt, the rounds, the tool calls, what it cost."""
    now = await web.moment()
    given = bars(web, now) | {
        "agent": agent,
        "turn": await web.turn(agent, turn_id),
        "trades": await web.reader.history.trades(web.reader.view, agent, limit=TRADES),
    }
    return page_answer("turn", request, web, given, COMMON)


@router.get("/nodes")
async def nodes_page(request: Request, web: WebState, parts: Parts = "") -> HTMLResponse:
    """The supervisor view: processes, feed, models, halts."""
    now = await web.moment()
    found = activity(web.reader.view, now.frame.processes, now.frame.now)
    given = bars(web, now) | {"activity": found}
    return page_answer("nodes", request, web, given, _wanted(parts, NODES))


@router.get("/runs")
async def runs_page(request: Request, web: WebState) -> HTMLResponse:
    """The runs of the home, with links to their reports."""
    given = bars(web, await web.moment()) | {"runs": await web.runs()}
    return page_answer("runs", request, web, given, COMMON)


@router.get("/runs/{run}/report/")
async def report(web: WebState, run: str) -> HTMLResponse:
    """The report of a run: a page of its own, which may not use this one's session."""
    text = await web.report(run)
    return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})


@router.get("/verify/{order_id}")
async def verify_page(request: Request, web: WebState, order_id: str) -> HTMLResponse:
    """Checks the hashes of an order's records in the browser."""
    now, view, hidden = await web.moment(), web.reader.view, web.options.hide_prompts
    trace = await web.tracer.trace(view, order_id, hide_prompts=hidden)
    given = bars(web, now) | {"order_id": order_id, "trace": trace}
    return page_answer("verify", request, web, given, COMMON)


async def newest_turns(web: Web) -> tuple[TurnSummary, ...]:
    """The newest turns of all agents, newest first."""
    cursor = ChangeCursor(await web.reader.turn_partitions())
    turns = sorted(cursor.new_turns(web.reader.view), key=lambda one: one.ended_at, reverse=True)
    return tuple(without_words(one) if web.options.hide_prompts else one for one in turns)


def _market(web: Web, product: str) -> dict[str, object]:
    known = products(web.reader.view)
    chosen = product if product in known else known[0] if known else ""
    history: PriceHistory | None = price_history(web.reader.view, chosen) if chosen else None
    view, newest = web.reader.view, web.reader.view.market.newest
    shown = newest.view(chosen) if newest else None
    return {
        "history": history,
        "products": known,
        "indicators": indicator_values(shown, newest.as_of) if newest and shown else None,
        "traces": indicator_traces(view, chosen) if shown else None,
    }


def _wanted(given: str, known: Sequence[str]) -> tuple[str, ...]:
    """The parts that are asked for; () for the whole page.

    Raises:
        UsageError: A part is not one of the page.
    """
    names = tuple(dict.fromkeys(given.split(","))) if given else ()
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"unknown part {unknown[0]!r}", remedy=f"parts: {', '.join(known)}")
    return names


def _needs(wanted: Sequence[str], *names: str) -> bool:
    return not wanted or any(name in wanted for name in names)
