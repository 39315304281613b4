"""The HTML pages; `dashboard.web.page` draws them from results of the read model."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from dashboard.model import queries
from dashboard.model.arena_reader import Moment
from dashboard.model.change_cursor import ChangeCursor
from dashboard.model.hidden_prompts import page_without_words, without_prompts, without_words
from dashboard.model.results import TurnSummary
from dashboard.web.page.render import page
from dashboard.web.state import Web, WebState

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
async def live(request: Request, web: WebState) -> HTMLResponse:
    """The live page: verdict, leaderboard, curves, thoughts, positions, trades, costs."""
    now = await web.moment()
    reader, view = web.reader, web.reader.view
    return _page(
        "live",
        request,
        web,
        {
            "leaderboard": queries.leaderboard(
                view, now.frame, run=reader.run.name, ended=reader.run.ended
            ),
            "verdict": queries.verdict(view),
            "curves": queries.equity_curves(view, now.frame),
            "turns": await newest_turns(web),
            "positions": queries.positions(now.frame),
            "trades": await reader.history.trades(view),
            "prices": queries.prices(view, now.frame),
            "costs": queries.costs(view, now.frame),
            "health": queries.health(now.frame, reader.read_status()),
        },
    )


@router.get("/agents/{agent}")
async def agent_page(request: Request, web: WebState, agent: str) -> HTMLResponse:
    """One agent: portfolio, turns, trades."""
    now = await web.moment()
    reader, view = web.reader, web.reader.view
    turns = await reader.history.turns(view, agent)
    return _page(
        "agent",
        request,
        web,
        {
            "agent": agent,
            "portfolio": queries.portfolio(now.frame, agent),
            "turns": page_without_words(turns) if web.options.hide_prompts else turns,
            "trades": await reader.history.trades(view, agent),
            "verdict": queries.verdict(view),
            "curves": queries.equity_curves(view, now.frame),
            "prices": queries.prices(view, now.frame),
            "costs": queries.costs(view, now.frame),
        },
    )


@router.get("/agents/{agent}/turns/{turn_id}")
async def turn_page(request: Request, web: WebState, agent: str, turn_id: str) -> HTMLResponse:
    """One turn: the exact prompt, the rounds, the tool calls, what it cost."""
    await web.moment()
    detail = await web.reader.history.turn(web.reader.view, agent, turn_id)
    shown = without_prompts(detail) if web.options.hide_prompts else detail
    return _page("turn", request, web, {"agent": agent, "turn": shown})


@router.get("/nodes")
async def nodes_page(request: Request, web: WebState) -> HTMLResponse:
    """The supervisor view: processes, feed, models, halts."""
    now = await web.moment()
    reader, view = web.reader, web.reader.view
    context = {
        "health": queries.health(now.frame, reader.read_status()),
        "costs": queries.costs(view, now.frame),
        "leaderboard": queries.leaderboard(
            view, now.frame, run=reader.run.name, ended=reader.run.ended
        ),
    }
    return _page("nodes", request, web, context)


@router.get("/verify/{order_id}")
async def verify_page(request: Request, web: WebState, order_id: str) -> HTMLResponse:
    """Checks the hashes of an order's records in the browser."""
    return _page("verify", request, web, {"order_id": order_id})


async def newest_turns(web: Web) -> tuple[TurnSummary, ...]:
    """The newest turns of all agents, newest first."""
    cursor = ChangeCursor(await web.reader.turn_partitions())
    turns = reversed(cursor.new_turns(web.reader.view))
    return tuple(without_words(one) if web.options.hide_prompts else one for one in turns)


def _page(
    name: str, request: Request, web: Web, context: Mapping[str, object], status: int = 200
) -> HTMLResponse:
    now: Moment = web.reader.moment()
    common = {
        "title": web.options.title,
        "path": request.url.path,
        "run": web.reader.run.name,
        "ended": web.reader.run.ended,
        "now": now.frame.now,
        "hide_prompts": web.options.hide_prompts,
        "public": web.options.public,
        "logged_in": False,
        "can_write": False,
    }
    return HTMLResponse(page(name, {**common, **context}), status)
