"""REST under `/api/v1`: what is about the whole arena."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from dashboard.model import activity_queries, agent_queries, market_queries, queries
from dashboard.model.context_notes import context_notes
from dashboard.model.results import (
    Activity,
    Agents,
    Candles,
    ContextNotes,
    Costs,
    EquityCurves,
    Health,
    IndicatorValues,
    Leaderboard,
    Positions,
    Prices,
    Runs,
    Trace,
    TradePage,
    Verdict,
)
from dashboard.web.parameters import NAME_CHARS_MAX, AnyAgent, Cursor, Limit, ProductId
from dashboard.web.state import WebState

router = APIRouter(prefix="/api/v1", tags=["arena"])
POINTS_MAX = 2_000


@router.get("/leaderboard", response_model=Leaderboard)
async def leaderboard(request: Request, web: WebState) -> Response:
    """The ranking, with the verdict, the dead, and the halts."""
    return await web.answer(request, "leaderboard", lambda now: web.leaderboard(now))


@router.get("/verdict", response_model=Verdict | None)
async def verdict(request: Request, web: WebState) -> Response:
    """The judge's newest verdict; null without one."""
    return await web.answer(request, "verdict", lambda _: queries.verdict(web.reader.view))


@router.get("/agents", response_model=Agents)
async def agents(request: Request, web: WebState) -> Response:
    """All agents, in rank order."""
    return await web.answer(request, "agents", lambda now: agent_queries.agents(now.frame))


@router.get("/positions", response_model=Positions)
async def positions(request: Request, web: WebState, agent: AnyAgent = None) -> Response:
    """The positions of all agents, or of one."""
    view = web.reader.view
    return await web.answer(
        request,
        f"positions {agent}",
        lambda now: queries.all_positions(view, now.frame, agent),
    )


@router.get("/trades", response_model=TradePage)
async def trades(
    request: Request,
    web: WebState,
    agent: AnyAgent = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Decided orders, the newest first, with the price seen and the price paid."""
    history, view = web.reader.history, web.reader.view
    name = f"trades {(agent, limit, cursor)}"
    return await web.page_of(request, name, lambda: history.trades(view, agent, limit, cursor))


@router.get("/trace/{order_id}", response_model=Trace)
async def trace(
    request: Request,
    web: WebState,
    order_id: Annotated[str, Path(description="Id of the order", max_length=NAME_CHARS_MAX)],
) -> Response:
    """The records of an order with their exact bytes, and what a reader can check in them."""
    await web.moment()
    found = await web.tracer.trace(web.reader.view, order_id, hide_prompts=web.options.hide_prompts)
    return web.result(request, found)


@router.get("/prices", response_model=Prices)
async def prices(request: Request, web: WebState) -> Response:
    """The newest price of every product."""
    view = web.reader.view
    return await web.answer(request, "prices", lambda now: queries.prices(view, now.frame))


@router.get("/indicators/{product}", response_model=IndicatorValues)
async def indicators(
    request: Request,
    web: WebState,
    product: Annotated[ProductId, Path(description="Id of the product")],
) -> Response:
    """The indicators of a product by granularity, as in the newest snapshot."""
    view = web.reader.view
    return await web.answer(
        request, f"indicators {product}", lambda _: market_queries.indicators(view, product)
    )


@router.get("/candles/{product}", response_model=Candles)
async def candles(
    request: Request,
    web: WebState,
    product: Annotated[ProductId, Path(description="Id of the product")],
    granularity: Annotated[
        str,
        Query(
            description="1m, 5m, 15m, or what the snapshot has; the shortest by default",
            max_length=16,
        ),
    ] = "",
) -> Response:
    """The closed candles of a product, as in the newest snapshot."""
    view = web.reader.view
    return await web.answer(
        request,
        f"candles {product} {granularity}",
        lambda _: queries.candles(view, product, granularity),
    )


@router.get("/context", response_model=ContextNotes)
async def context(request: Request, web: WebState) -> Response:
    """The dated news, sentiment and token facts of the newest snapshot."""
    return await web.answer(request, "context", lambda _: context_notes(web.reader.view))


@router.get("/equity", response_model=EquityCurves)
async def equity(
    request: Request,
    web: WebState,
    points: Annotated[
        int, Query(description="Approximate number of points", ge=2, le=POINTS_MAX)
    ] = queries.CURVE_POINTS,
) -> Response:
    """The equity of every ranked agent at the kept snapshots."""
    view = web.reader.view
    return await web.answer(
        request, f"equity {points}", lambda now: queries.equity_curves(view, now.frame, points)
    )


@router.get("/costs", response_model=Costs)
async def costs(request: Request, web: WebState) -> Response:
    """What agents paid to the market and for their models."""
    view = web.reader.view
    return await web.answer(request, "costs", lambda now: queries.costs(view, now.frame))


@router.get("/health", response_model=Health)
async def health(request: Request, web: WebState) -> Response:
    """The state of processes, feed and records."""
    return await web.answer(
        request, "health", lambda now: queries.health(now.frame, web.reader.read_status())
    )


@router.get("/activity", response_model=Activity)
async def activity(request: Request, web: WebState) -> Response:
    """What each venue's feed and each model does now."""
    view = web.reader.view
    return await web.answer(
        request,
        "activity",
        lambda now: activity_queries.activity(view, now.frame.processes, now.frame.now),
    )


@router.get("/runs", response_model=Runs)
async def runs(request: Request, web: WebState) -> Response:
    """The runs of the home, the newest first."""
    return web.result(request, await web.runs())
