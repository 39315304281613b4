"""Errors as answers: every one is JSON with status, message and remedy. Pure apart from FastAPI."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from arena.errors import ArenaError, BrokerUnavailable, UsageError
from dashboard.model.queries import UnknownName

MESSAGE_CHARS_MAX = 500
REMEDIES = {404: "see /api/docs", 405: "see /api/docs"}
RUNS = "choose a run that runs; `arena runs list` shows them"
"""The remedy for a command to a run that has ended."""


class NotReady(ArenaError):
    """The records that existed at the start are not read yet.

    Args:
        share: Share that was read, 0 to 1.
    """

    def __init__(self, share: float) -> None:
        """Say how much was read."""
        super().__init__(f"still reading the records: {share:.0%}", remedy="try again in a second")


class Conflict(ArenaError):
    """What was asked for cannot be done in this state of the arena."""


class Busy(ArenaError):
    """Too many requests of this kind are being answered."""


class ErrorDetail(BaseModel):
    """What went wrong.

    Attributes:
        status: Status of the answer.
        message: What went wrong, with the value.
        remedy: What to do; "" if nothing helps.
    """

    status: int
    message: str
    remedy: str


class ErrorAnswer(BaseModel):
    """The answer to a request that failed."""

    error: ErrorDetail


def error_answer(
    status: int, message: str, remedy: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer for an error.

    Args:
        status: HTTP status.
        message: What went wrong.
        remedy: What to do.
        headers: Further headers.
    """
    detail = ErrorDetail(status=status, message=message[:MESSAGE_CHARS_MAX], remedy=remedy)
    more = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse({"error": detail.model_dump()}, status, headers=more)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths, wrong methods, and what routes refuse."""
    assert isinstance(error, HTTPException)
    status, message = error.status_code, str(error.detail)
    if message == HTTPStatus(status).phrase:
        message = f"{message}: {request.method} {request.url.path}"
    return error_answer(status, message, REMEDIES.get(status, ""), error.headers)


async def on_invalid(_request: Request, error: Exception) -> Response:
    """Parameters or bodies that do not fit."""
    assert isinstance(error, RequestValidationError)
    words = "; ".join(
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
    )
    return error_answer(422, words, "see /api/docs")


async def on_arena_error(_request: Request, error: Exception) -> Response:
    """Errors that the arena explains."""
    assert isinstance(error, ArenaError)
    headers = {}
    if isinstance(error, UnknownName):
        status = 404
    elif isinstance(error, UsageError):
        status = 422
    elif isinstance(error, NotReady | BrokerUnavailable):
        status, headers = 503, {"Retry-After": "1"}
    elif isinstance(error, Busy):
        status, headers = 429, {"Retry-After": "5"}
    elif isinstance(error, Conflict):
        status = 409
    else:
        status = 500
    return error_answer(status, str(error.args[0]), error.remedy, headers)


async def on_gone(_request: Request, _error: Exception) -> Response:
    """The client left before its body was whole: no error of this server, and none in its log."""
    return error_answer(400, "the client left before the body was whole", "send it again")


async def on_unexpected(_request: Request, _error: Exception) -> Response:
    """Everything else; the cause is in the log, because it may contain secrets."""
    return error_answer(500, "internal error", "see the log of arena web")
