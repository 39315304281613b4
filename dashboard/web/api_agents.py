"""REST: one agent, its portfolio, its turns, and its prompts as they were rendered."""

from fastapi import APIRouter, Request, Response

from dashboard.model import agent_queries, queries
from dashboard.model.hidden_prompts import page_without_words
from dashboard.model.queries import UnknownName
from dashboard.model.results import (
    AgentCoaching,
    AgentDetail,
    PortfolioResult,
    RenderedPrompt,
    TurnDetail,
    TurnPage,
)
from dashboard.web.parameters import AgentName, Cursor, Limit, TurnId
from dashboard.web.state import WebState

router = APIRouter(prefix="/api/v1/agents/{agent}", tags=["agents"])


@router.get("", response_model=AgentDetail)
async def agent_detail(request: Request, web: WebState, agent: AgentName) -> Response:
    """Everything that is known of an agent."""
    view = web.reader.view
    return await web.answer(
        request, f"agent {agent}", lambda now: agent_queries.agent_detail(view, now.frame, agent)
    )


@router.get("/portfolio", response_model=PortfolioResult)
async def portfolio(request: Request, web: WebState, agent: AgentName) -> Response:
    """An agent's account and positions."""
    return await web.answer(
        request, f"portfolio {agent}", lambda now: queries.portfolio(now.frame, agent)
    )


@router.get("/coaching", response_model=AgentCoaching)
async def coaching(request: Request, web: WebState, agent: AgentName) -> Response:
    """An agent's evaluations, the versions of its prompt with what changed, its owner's words."""
    return await web.answer(request, f"coaching {agent}", lambda now: web.coaching(now, agent))


@router.get("/turns", response_model=TurnPage)
async def turns(
    request: Request, web: WebState, agent: AgentName, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """An agent's turns, the newest first."""

    async def read() -> TurnPage:
        page = await web.reader.history.turns(web.reader.view, agent, limit, cursor)
        return page_without_words(page) if web.options.hide_prompts else page

    return await web.page_of(request, f"turns {(agent, limit, cursor)}", read)


@router.get("/turns/{turn_id}", response_model=TurnDetail)
async def turn(request: Request, web: WebState, agent: AgentName, turn_id: TurnId) -> Response:
    """A whole turn: the prompt exactly as the model got it, and everything after it."""
    return web.result(request, await web.turn(agent, turn_id))


@router.get("/turns/{turn_id}/prompt", response_model=RenderedPrompt)
async def turn_prompt(
    request: Request, web: WebState, agent: AgentName, turn_id: TurnId
) -> Response:
    """The prompt of a turn exactly as the model got it."""
    prompt = agent_queries.rendered_prompt(await web.turn(agent, turn_id))
    hidden = web.options.hide_prompts
    return web.result(request, prompt.model_copy(update={"hidden": hidden}))


@router.get("/prompt", response_model=RenderedPrompt)
async def newest_prompt(request: Request, web: WebState, agent: AgentName) -> Response:
    """The newest prompt of an agent."""
    await web.moment()
    page = await web.reader.history.turns(web.reader.view, agent, 1)
    if not page.turns:
        raise UnknownName(f"{agent} has ended no turn yet", remedy="ask again later")
    return await turn_prompt(request, web, agent, page.turns[0].turn_id)
