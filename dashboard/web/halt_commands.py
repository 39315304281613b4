"""Writes: halt and resume, as records of `arena.control`, by the code of `arena halt`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field

from arena.halt_command import halt_or_resume
from arena.kill_switch import ALL_AGENTS
from arena.messages import Halt, Resume
from arena.unknown_names import check_agent_name
from dashboard.web.errors import RUNS, Conflict
from dashboard.web.state import Web, WebState

router = APIRouter(prefix="/api/v1")
WAIT_S = 5.0
REASON_CHARS_MAX = 500
NAME_CHARS_MAX = 64


class HaltRequest(BaseModel):
    """Whom to halt or resume.

    Attributes:
        agent: Name of the agent; "all" for all agents.
        reason: Reason for the record; agents read it in refusals.
    """

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)] = ALL_AGENTS
    reason: Annotated[str, Field(max_length=REASON_CHARS_MAX)] = ""


class HaltAnswer(BaseModel):
    """What became of it.

    Attributes:
        done: What was written.
        agent: The agent, or "all".
        confirmed: True if the owner of every shard has confirmed it.
        confirmed_s: Seconds until the last one did; null if one did not.
        unconfirmed: Shard -> why its owner did not; orders may still be filled, or refused.
        still_halted: The halt of all agents that still covers a resumed agent.
    """

    done: Literal["halted", "resumed"]
    agent: str
    confirmed: bool
    confirmed_s: float | None
    unconfirmed: dict[int, str]
    still_halted: tuple[str, ...]


@router.post("/halt")
async def halt(web: WebState, answer: Response, body: Annotated[HaltRequest, Body()]) -> HaltAnswer:
    """Refuse new orders of one agent or of all until a resume.

    202 if an owner of a shard does not confirm within 5 s: an executor obeys it when it reads it.
    """
    return await _write(web, answer, body, Halt)


@router.post("/resume")
async def resume(
    web: WebState, answer: Response, body: Annotated[HaltRequest, Body()]
) -> HaltAnswer:
    """Take orders again. A halt of all agents and a halt of one agent end separately."""
    return await _write(web, answer, body, Resume)


async def _write(
    web: Web, answer: Response, body: HaltRequest, kind: type[Halt] | type[Resume]
) -> HaltAnswer:
    if not web.can_write:
        raise Conflict("this run has ended: nothing can be halted or resumed", remedy=RUNS)
    name = None if body.agent == ALL_AGENTS else check_agent_name(body.agent)
    message = kind(agent=name, reason=body.reason, by=web.by, at=web.reader.clock.now())
    async with web.halts:
        outcome = await halt_or_resume(web.reader.bus, message, WAIT_S)
    confirmation = outcome.confirmation
    is_confirmed = not confirmation.unconfirmed
    answer.status_code = 200 if is_confirmed else 202
    return HaltAnswer(
        done="halted" if kind is Halt else "resumed",
        agent=body.agent,
        confirmed=is_confirmed,
        confirmed_s=confirmation.seconds if is_confirmed else None,
        unconfirmed=dict(confirmation.unconfirmed),
        still_halted=outcome.still_halted,
    )
