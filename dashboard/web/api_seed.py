"""REST: the short paths `/health`, `/market`, `/portfolio` and `/trades`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from dashboard.model import queries
from dashboard.model.results import PortfolioResult, TradePage
from dashboard.web.api import NAME_CHARS_MAX, Cursor, Limit
from dashboard.web.state import WebState

router = APIRouter()

Agent = Annotated[str, Query(description="Name of the agent", max_length=NAME_CHARS_MAX)]
AnyAgent = Annotated[
    str | None,
    Query(description="Name of the agent; all without it", max_length=NAME_CHARS_MAX),
]


class Alive(BaseModel):
    """This process answers; `/api/v1/health` has the state of the arena."""

    status: Literal["ok"] = "ok"


@router.get("/health")
async def alive() -> Alive:
    """Whether this process answers."""
    return Alive()


@router.get("/portfolio", response_model=PortfolioResult)
async def portfolio(request: Request, web: WebState, agent: Agent) -> Response:
    """An agent's account and positions."""
    return await web.answer(
        request, f"portfolio {agent}", lambda now: queries.portfolio(now.frame, agent)
    )


@router.get("/trades", response_model=TradePage)
async def trades(
    request: Request,
    web: WebState,
    agent: AnyAgent = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Decided orders, the newest first."""
    await web.moment()
    return web.page(request, await web.reader.history.trades(web.reader.view, agent, limit, cursor))
