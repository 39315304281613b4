"""A page as an answer, with what every page shows."""

from collections.abc import Mapping, Sequence

from fastapi import Request
from fastapi.responses import HTMLResponse

from dashboard.model import queries
from dashboard.model.arena_reader import Moment
from dashboard.web.guard import SESSION
from dashboard.web.page.contexts import prepare
from dashboard.web.page.render import page, page_parts
from dashboard.web.state import Web

COMMON = ("state", "bar")
"""The parts of every page."""


def page_answer(
    name: str,
    request: Request,
    web: Web,
    context: Mapping[str, object],
    wanted: Sequence[str] = (),
    status: int = 200,
) -> HTMLResponse:
    """A page, or the parts of it that were asked for with `?parts=`.

    Every page gets `title`, `path`, `run` (its name), `ended` ("ended 22:39", or ""), `now`,
    `hide_prompts`, `public`, `logged_in`, and `can_write`: buttons are only shown if it is true.

    Args:
        name: Name of the page.
        request: The request.
        web: The state of the app.
        context: The results that the page shows.
        wanted: The parts that were asked for.
        status: HTTP status.
    """
    run, options = web.reader.run, web.options
    logged_in = bool(request.scope.get(SESSION))
    common = {
        "title": options.title,
        "path": request.url.path,
        "run": run.name,
        "ended": run.ended,
        "now": web.reader.moment().frame.now,
        "hide_prompts": options.hide_prompts,
        "public": options.public,
        "logged_in": logged_in,
        "can_write": logged_in and web.can_write,
    }
    given = prepare(name, {**common, **context})
    is_part = bool(wanted) and "parts" in request.query_params
    text = page_parts(wanted, given) if is_part else page(name, given)
    return HTMLResponse(text, status, headers={"Cache-Control": "private, no-store"})


def bars(web: Web, now: Moment) -> dict[str, object]:
    """What the bars of every page show."""
    reader, view = web.reader, web.reader.view
    return {
        "leaderboard": web.leaderboard(now),
        "verdict": queries.verdict(view),
        "costs": queries.costs(view, now.frame),
        "health": queries.health(now.frame, reader.read_status()),
    }
