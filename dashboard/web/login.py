"""Log in and out: the token in a form becomes a cookie that scripts cannot read."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dashboard.web.guard import LOGIN, LOGOUT, SESSION, cookie_name
from dashboard.web.page_answers import page_answer
from dashboard.web.rate_limit import client_name
from dashboard.web.sessions import SESSION_S
from dashboard.web.state import WebState
from dashboard.web.token_file import new_nonce

router = APIRouter(include_in_schema=False)
FIELDS_MAX = 8


@router.get(LOGIN)
async def login_page(request: Request, web: WebState) -> HTMLResponse:
    """The form."""
    target = local_path(request.query_params.get("next", "/"))
    return page_answer("login", request, web, {"message": "", "next": target})


@router.post(LOGIN)
async def login(request: Request, web: WebState) -> Response:
    """Take the token of the form, and answer with the cookie."""
    fields = form_fields(await request.body())
    target = local_path(fields.get("next", "/"))
    clock = web.reader.clock
    if not web.sessions.is_token(fields.get("token", "")):
        client = client_name(request.client.host if request.client else "")
        web.failures.count(client, clock.monotonic())
        context = {"message": "This is not the token.", "next": target}
        return page_answer("login", request, web, context, status=401)
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        cookie_name(request.scope),
        web.sessions.new(new_nonce(), clock.now().timestamp()),
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=web.options.scheme == "https",
    )
    return answer


@router.post(LOGOUT)
async def logout(request: Request, web: WebState) -> Response:
    """End the session."""
    if cookie := request.scope.get(SESSION):
        web.sessions.end(cookie)
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(cookie_name(request.scope), httponly=True, samesite="strict")
    return answer


def form_fields(body: bytes) -> dict[str, str]:
    """The fields of a form; {} if it cannot be read."""
    try:
        found = parse_qs(body.decode("ascii"), max_num_fields=FIELDS_MAX)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def local_path(text: str) -> str:
    """A path of this server to go to; "/" if it would lead elsewhere."""
    is_local = text.startswith("/") and text[1:2] not in ("/", "\\")
    return text if is_local and text.isprintable() and text.isascii() else "/"
