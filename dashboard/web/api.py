"""REST: the read model under `/api/v1`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from dashboard.model import queries
from dashboard.model.hidden_prompts import page_without_words, without_prompts
from dashboard.model.history import PAGE_MAX
from dashboard.model.results import Health, Leaderboard, TurnDetail, TurnPage, Verdict
from dashboard.web.state import WebState

router = APIRouter(prefix="/api/v1")
NAME_CHARS_MAX = 200
CURSOR_CHARS_MAX = 64

AgentName = Annotated[str, Path(description="Name of the agent", max_length=NAME_CHARS_MAX)]
Limit = Annotated[int, Query(description="Most entries of the page", ge=1, le=PAGE_MAX)]
Cursor = Annotated[
    str | None,
    Query(description="`cursor` of the page before", max_length=CURSOR_CHARS_MAX),
]


@router.get("/leaderboard", response_model=Leaderboard)
async def leaderboard(request: Request, web: WebState) -> Response:
    """The ranking, with the verdict, the dead, and the halts."""
    run, view = web.reader.run, web.reader.view
    return await web.answer(
        request,
        "leaderboard",
        lambda now: queries.leaderboard(view, now.frame, run=run.name, ended=run.ended),
    )


@router.get("/verdict", response_model=Verdict | None)
async def verdict(request: Request, web: WebState) -> Response:
    """The judge's newest verdict; null without one."""
    return await web.answer(request, "verdict", lambda _: queries.verdict(web.reader.view))


@router.get("/health", response_model=Health)
async def health(request: Request, web: WebState) -> Response:
    """The state of processes, feed and records."""
    return await web.answer(
        request, "health", lambda now: queries.health(now.frame, web.reader.read_status())
    )


@router.get("/agents/{agent}/turns", response_model=TurnPage)
async def turns(
    request: Request, web: WebState, agent: AgentName, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """An agent's turns, the newest first."""
    await web.moment()
    page = await web.reader.history.turns(web.reader.view, agent, limit, cursor)
    return web.page(request, page_without_words(page) if web.options.hide_prompts else page)


@router.get("/agents/{agent}/turns/{turn_id}", response_model=TurnDetail)
async def turn(
    request: Request,
    web: WebState,
    agent: AgentName,
    turn_id: Annotated[str, Path(description="Id of the turn", max_length=NAME_CHARS_MAX)],
) -> Response:
    """A whole turn, with the prompt exactly as the model got it."""
    await web.moment()
    detail: BaseModel = await web.reader.history.turn(web.reader.view, agent, turn_id)
    assert isinstance(detail, TurnDetail)
    return web.page(request, without_prompts(detail) if web.options.hide_prompts else detail)
