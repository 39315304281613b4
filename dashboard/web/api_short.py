"""REST: the short paths `/health`, `/market`, `/portfolio` and `/trades`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from dashboard.model import market_queries, queries
from dashboard.model.results import LatestMarket, PortfolioResult, Symbols, TradePage
from dashboard.web import api
from dashboard.web.parameters import NAME_CHARS_MAX, ProductId
from dashboard.web.state import WebState

router = APIRouter(tags=["short paths"])

Agent = Annotated[str, Query(description="Name of the agent", max_length=NAME_CHARS_MAX)]


class Alive(BaseModel):
    """This process answers; `/api/v1/health` has the state of the arena."""

    status: Literal["ok"] = "ok"


@router.get("/health")
async def alive() -> Alive:
    """Whether this process answers."""
    return Alive()


@router.get("/market/symbols", response_model=Symbols)
async def symbols(request: Request, web: WebState) -> Response:
    """The ids of the products that have a price."""
    return await web.answer(request, "symbols", lambda _: market_queries.symbols(web.reader.view))


@router.get("/market/{symbol}/latest", response_model=LatestMarket)
async def latest(
    request: Request,
    web: WebState,
    symbol: Annotated[ProductId, Path(description="Id of the product")],
) -> Response:
    """The newest price of a product, and its closed candles."""
    view = web.reader.view
    return await web.answer(
        request,
        f"latest {symbol}",
        lambda now: market_queries.latest_market(view, now.frame, symbol),
    )


@router.get("/portfolio", response_model=PortfolioResult)
async def portfolio(request: Request, web: WebState, agent: Agent) -> Response:
    """An agent's account and positions."""
    return await web.answer(
        request, f"portfolio {agent}", lambda now: queries.portfolio(now.frame, agent)
    )


router.get("/trades", response_model=TradePage)(api.trades)
