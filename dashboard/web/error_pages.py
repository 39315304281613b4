"""Errors as pages for people: who asks for a page gets one, programs get JSON."""

from collections.abc import Awaitable, Callable

import orjson
from fastapi import Request, Response

from dashboard.web.page_answers import page_answer
from dashboard.web.state import web_of

API = "/api/"
Handler = Callable[[Request, Exception], Awaitable[Response]]


def with_page(handler: Handler) -> Handler:
    """A handler that answers browsers with a page of the same status and words.

    Args:
        handler: Answers with the JSON of an error.
    """

    async def handle(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        is_page = "text/html" in request.headers.get("accept", "")
        if not is_page or request.url.path.startswith(API) or "parts" in request.query_params:
            return answer
        detail = orjson.loads(answer.body)["error"]
        return page_answer("error", request, web_of(request), detail, status=answer.status_code)

    return handle
