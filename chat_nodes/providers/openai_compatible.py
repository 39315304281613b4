"""Any server with the Chat Completions protocol, through `openai`'s async client.

The only module that knows `openai` 3.52 and its HTTP layers, `httpx2` over `aiohttp`. It calls
`AsyncOpenAI.post` with a body that orjson wrote, and gets the raw response. The resource methods
(`chat.completions.create`) over the default transport need 2.5 times the CPU for the same request,
because they copy the request through typed dictionaries and the response into pydantic models, and
do HTTP in pure Python; see `docs/performance.md`.

If a server refuses one form of the request, another form is sent: `chat_nodes.adaptations` derives
it from the refusal, and the model keeps it in its `Dialect` until the process ends.

Bounds: one total time per attempt, which also ends a stalled body; `RESPONSE_BYTES_MAX` of body, as
received and unpacked (no compressed body is requested); no retry inside the client.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import httpx2
import openai

from arena.clock import Clock, SystemClock
from arena.endpoint import authorizes, key_remedy
from arena.messages import Cause, ChatRequest
from arena.redaction import Secrets
from chat_nodes.adaptations import adapt, is_first_guess
from chat_nodes.address import CHAT_PATH, read_address
from chat_nodes.content_encodings import BodyTooLong, plain_body
from chat_nodes.decode import clean_text, implied_status
from chat_nodes.dialect import Dialect, RefusedRequest, options_of, refused_request
from chat_nodes.implied_status import OK, reported_error
from chat_nodes.lenient_json import read_body
from chat_nodes.model import CallFailed, ModelSettings, Paid, RawReply, SentRequest, build_request
from chat_nodes.profiles import first_dialect
from chat_nodes.refusals import Refusal, generation_body, read_refusal
from chat_nodes.retries import requested_wait_s

OPENAI_BASE_URL = "https://api.openai.com/v1"
PLACEHOLDER_KEY = "no-key"
"""Key for servers that need none, because the client requires one."""
CONNECT_TIMEOUT_S = 10.0
RESPONSE_BYTES_MAX = 4 * 1024 * 1024
"""Largest answer; no model writes this much, and a longer body is cut off."""
ENCODING_HEADER = "x-arena-content-encoding"
"""Header that keeps an answer's `Content-Encoding` until its body was read."""
WAIT_HEADERS = ("retry-after", "retry-after-ms")
UNEXPLAINED_MAX = 16
"""Requests refused without a reason and not sent again yet; from this number on, guess at once."""
URL_REMEDY = "is --base-url right?"
CLIENT_ERROR_CHARS_MAX = 200
"""Characters of a client's error that are shown."""
KEY_HEADERS = frozenset(("api-key", "x-api-key", "x-goog-api-key"))
"""Headers that hold a key: if one is given but no key is, no `Authorization` header is sent."""


class BodyRefused(httpx2.TransportError):
    """A response body that is too long to read."""


class BoundedBody(httpx2.AsyncByteStream):
    """A response body that raises `BodyRefused` when it exceeds the bound."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        """Wrap the unread body of a response."""
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks of the body."""
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > RESPONSE_BYTES_MAX:
                raise BodyRefused(f"the answer is longer than {RESPONSE_BYTES_MAX:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        """Return the connection to the pool."""
        await self._stream.aclose()


async def _bound_body(response: httpx2.Response) -> None:
    # The client would unpack any size; `plain_body` has a bound.
    if encoding := response.headers.pop("content-encoding", ""):
        response.headers[ENCODING_HEADER] = encoding
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = BoundedBody(response.stream)


class OpenAICompatibleModel:
    """One model on one server, with a pool of kept-alive connections.

    Args:
        settings: Settings of the model.
        clock: Time-outs, and the wall time for `Retry-After` dates; None for the system's.
        dialect: The first dialect; None for the one of its host's profile.

    Raises:
        UsageError: The base URL is not an address.
    """

    scripted = False

    def __init__(
        self,
        settings: ModelSettings,
        *,
        clock: Clock | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        """Open the client; the first request is sent by `complete`."""
        self.model_id = settings.model_id
        self._address = read_address(settings.base_url or OPENAI_BASE_URL)
        self.host = self._address.host
        self._settings = settings
        self._clock = clock or SystemClock()
        self.secrets = Secrets.of(settings.api_key, settings.headers)
        self._dialect = dialect or first_dialect(self.host, settings.model_id)
        header_names = {name.lower() for name in settings.headers}
        self._unexplained: set[str] = set()
        self._headers: dict[str, str | openai.Omit] = {}
        if not settings.api_key and header_names & KEY_HEADERS:
            self._headers["Authorization"] = openai.Omit()
        timeout = httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S)
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key or PLACEHOLDER_KEY,
            base_url=self._address.base_url,
            max_retries=0,
            timeout=timeout,
            default_headers={"Accept-Encoding": "identity", **settings.headers},
            default_query=self._address.query,
            http_client=openai.DefaultAioHttpClient(
                timeout=timeout,
                limits=httpx2.Limits(
                    max_connections=settings.max_connections,
                    max_keepalive_connections=settings.max_connections,
                ),
                event_hooks={"response": [_bound_body]},
            ),
        )

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Make one attempt in the current dialect; the result holds no secret."""
        result = await self._complete(request, timeout_s)
        body = self.secrets.hide_bytes(result.body)
        if isinstance(result, RawReply):
            return replace(result, body=body)
        hide = self.secrets.hide
        return replace(result, body=body, reason=hide(result.reason), remedy=hide(result.remedy))

    async def _complete(self, request: ChatRequest, timeout_s: float) -> RawReply | CallFailed:
        dialect = self._dialect
        sent = self._build_request(request, dialect)
        try:
            async with self._clock.timeout(timeout_s):
                response = await self._client.post(
                    CHAT_PATH,
                    cast_to=httpx2.Response,
                    content=sent.content,
                    options={"headers": self._headers},
                )
        except TimeoutError:
            return self._late(timeout_s, sent)
        except openai.APIStatusError as error:
            response = error.response
        except openai.APIConnectionError as error:
            if isinstance(error, openai.APITimeoutError) and not _was_cut(error):
                is_connecting = isinstance(error.__cause__, httpx2.ConnectTimeout)
                return self._late(min(timeout_s, CONNECT_TIMEOUT_S), sent, is_connecting)
            return self._broken(error.__cause__ or error, sent)
        except aiohttp.ClientError as error:
            # The answer is not HTTP: the client's own HTTP layer does not translate this error.
            return self._broken(error, sent)
        return self._answered(response, request, dialect, sent)

    def _answered(
        self, response: httpx2.Response, request: ChatRequest, dialect: Dialect, sent: SentRequest
    ) -> RawReply | CallFailed:
        """The result for a response with any status."""
        encoding = response.headers.get(ENCODING_HEADER, "")
        problem = "cannot be unpacked"
        try:
            plain = plain_body(response.content, encoding, RESPONSE_BYTES_MAX)
        except BodyTooLong as error:
            plain, problem = None, str(error)
        if plain is None and response.is_success:
            text = f"the answer is {clean_text(encoding, 20)}-encoded, unasked, and {problem}"
            return CallFailed(
                f"{self._address.url}: {text}",
                retryable=True,
                cause=Cause.UNUSABLE_ANSWER,
                sent=sent,
                paid="answer",
            )
        body = self.secrets.hide_bytes(plain or b"")
        implied = implied_status(body) if response.is_success else response.status_code
        if implied != OK:
            return self._refused(response, implied, body, request, dialect, sent)
        self._accept(dialect, sent)
        return RawReply(body, sent)

    def _build_request(self, request: ChatRequest, dialect: Dialect) -> SentRequest:
        options = options_of(dialect, request, self._settings)
        return build_request(self.model_id, request, options, dialect.wire, dialect.phrases)

    def _accept(self, dialect: Dialect, sent: SentRequest) -> None:
        """Keep a guessed form that was accepted, except that the token cap is restored."""
        if self._unexplained:
            self._unexplained.discard(sent.sha256)
        if dialect.before_guess is not None and self._dialect is dialect:
            self._dialect = dialect.confirmed()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _late(self, timeout_s: float, sent: SentRequest, is_connecting: bool = False) -> CallFailed:
        url = self._address.url
        if is_connecting:
            reason = f"{url} could not be reached within {round(timeout_s, 1):g} s; {URL_REMEDY}"
            return CallFailed(
                reason, retryable=True, cause=Cause.UNREACHABLE, sent=sent, remedy=URL_REMEDY
            )
        reason = f"{url} gave no whole answer within {round(timeout_s, 1):g} s"
        return CallFailed(reason, retryable=True, cause=Cause.TIMEOUT, sent=sent, paid="prompt")

    def _refused(
        self,
        response: httpx2.Response,
        implied: int,
        body: bytes,
        request: ChatRequest,
        dialect: Dialect,
        sent: SentRequest,
    ) -> RawReply | CallFailed:
        """The result for a refusal: try another form, retry later, or fail."""
        refused = refused_request(request, sent.options, sent.wire)
        refusal = read_refusal(
            implied,
            body,
            request.prompt_size,
            sent=(*refused.options, *refused.provider_fields),
            has_wait_header=any(name in response.headers for name in WAIT_HEADERS),
        )
        if refusal.generation:
            return RawReply(generation_body(refusal), sent)
        status = response.status_code
        answered = f"{self._address.url} answered {status}"
        if status != implied:
            answered += f" with an error that means {implied}"
        hint = self._address.hint if refusal.cause is Cause.UNREACHABLE else ""
        message, remedy = refusal.message, refusal.remedy or hint
        if refusal.cause in (Cause.AUTH, Cause.FORBIDDEN) and self._unset_key:
            message, remedy = self._unset_key
        paid: Paid = "answer" if _is_answer(status, body) else "nothing"
        reason = "; ".join(p for p in (answered, message, remedy) if p)
        if phrase := self._adapt(refusal, request, refused, dialect, sent):
            reason = f"{answered}; {refusal.message}; asked again: {phrase}"
            return CallFailed(
                reason,
                retryable=True,
                cause=refusal.cause,
                adapted=True,
                sent=sent,
                body=body,
                paid=paid,
            )
        may_pass = refusal.retryable or phrase == ""
        retryable = may_pass and response.headers.get("x-should-retry") != "false"
        wait_s = requested_wait_s(
            response.headers,
            is_limit=refusal.cause is Cause.RATE_LIMIT,
            retry_delay=refusal.retry_delay,
            text=refusal.text,
            now=self._clock.now(),
        )
        return CallFailed(
            reason,
            retryable=retryable,
            retry_after_s=wait_s if retryable else None,
            cause=refusal.cause,
            sent=sent,
            body=body,
            remedy=remedy,
            paid=paid,
        )

    @property
    def _unset_key(self) -> tuple[str, str] | None:
        """The message and the remedy for a refusal without a key; None if a key was sent."""
        settings = self._settings
        if settings.api_key or authorizes(settings.headers):
            return None
        variable = settings.key_variable
        text = f"the environment variable {variable} is not set, so " if variable else ""
        return f"{text}no key was sent", key_remedy(variable)

    def _adapt(
        self,
        refusal: Refusal,
        request: ChatRequest,
        refused: RefusedRequest,
        dialect: Dialect,
        sent: SentRequest,
    ) -> str | None:
        """Adapt the dialect and return a phrase for the change; None if no form is left to try.

        "" means that only a guess is left, and that the same request may still be accepted.
        """
        adaptation = adapt(dialect, refusal, refused)
        if adaptation is None:
            if dialect.before_guess is not None and self._dialect is dialect:
                self._dialect = dialect.before_guess
            return None
        if is_first_guess(dialect, adaptation) and not self._is_unexplained_again(sent):
            return ""
        adapted_dialect, phrase = adaptation
        if self._dialect is dialect:
            self._dialect = adapted_dialect
            return phrase
        # Another call was refused before this one and has changed the dialect already.
        current = self._build_request(request, self._dialect)
        if current.content != sent.content:
            return "as another call has learned"
        adaptation = adapt(self._dialect, refusal, refused)
        if adaptation is None:
            return None
        self._dialect, phrase = adaptation
        return phrase

    def _is_unexplained_again(self, sent: SentRequest) -> bool:
        """True if this request was refused without a reason before; else remember it."""
        if sent.sha256 in self._unexplained or len(self._unexplained) >= UNEXPLAINED_MAX:
            self._unexplained.discard(sent.sha256)
            return True
        self._unexplained.add(sent.sha256)
        return False

    def _broken(self, cause: BaseException, sent: SentRequest) -> CallFailed:
        url = self._address.url
        if isinstance(cause, BodyRefused):
            reason = f"{url}: {cause}"
            return CallFailed(reason, retryable=False, cause=Cause.UNUSABLE_ANSWER, sent=sent)
        what = clean_text(
            self.secrets.hide(f"{type(cause).__name__} {cause}"), CLIENT_ERROR_CHARS_MAX
        )
        reason = f"the connection to {url} failed ({what}); {URL_REMEDY}"
        return CallFailed(
            reason, retryable=True, cause=Cause.UNREACHABLE, sent=sent, remedy=URL_REMEDY
        )


def _is_answer(status: int, body: bytes) -> bool:
    """True if the status is good and the body has no error: a model may have written it."""
    return 200 <= status < 300 and reported_error(read_body(body).value) is None


def _was_cut(error: openai.APITimeoutError) -> bool:
    """True if the server closed the connection, which the client's HTTP layer calls a timeout."""
    origin = error.__cause__.__cause__ if error.__cause__ else None
    cut = isinstance(origin, aiohttp.ClientConnectionError)
    return cut and not isinstance(origin, aiohttp.ServerTimeoutError)


def open_model(settings: ModelSettings) -> OpenAICompatibleModel:
    """Open the model."""
    return OpenAICompatibleModel(settings)
