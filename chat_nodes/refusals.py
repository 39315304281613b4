"""The cause of a refused model call, whether it is transient, and the remedy. Pure.

The status is not enough: OpenAI answers 429 for an empty account, Gemini 400 for a wrong key,
llama.cpp 500 for a prompt that is too long, LM Studio 200 for a wrong path. So the text is checked
first, in every form that `chat_nodes.error_bodies` reads.

The text can mislead, too: "the parameter top_p is not available" is not about a model. So a 400 or
422 that names a field of the request is about that field, and the text of a transient status (429,
503) counts only if it is unambiguous.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

import orjson

from arena.messages import Cause, PromptSize
from chat_nodes.context_limits import ContextLimit, context_remedy, read_context_limit
from chat_nodes.decode import clean_text
from chat_nodes.error_bodies import ErrorBody, read_error_body
from chat_nodes.refused_fields import fields_by_path, is_blamed

MESSAGE_CHARS_MAX = 400
"""Characters of a server's own text in an error."""
TRANSIENT_STATUS = frozenset({408, 409, 424, 425, 429, 498, 499})
"""Statuses besides 5xx for which the same request may succeed later."""
FIELD_STATUS = frozenset({400, 422})
"""Statuses of refusals that may be about a field of the request."""
AFFORDABLE_TOKENS_MIN = 64
"""An answer of fewer tokens has no room for a call, so the account counts as empty."""
WRONG_PATH_STATUS = frozenset({301, 302, 303, 307, 308, 404, 405, 410, 501})

_FILTER_CODES = frozenset(
    (
        "content_filter",
        "responsibleaipolicyviolation",
        "data_inspection_failed",
        "content_policy_violation",
        "1301",
        "moderation",
    )
)
_FILTER = (
    r"content (?:management|filter|policy)|content_filter|flagged (?:for|as|by)|"
    r"inappropriate content|violat\w+ [^.\n]{0,40}(?:usage polic|safety|content polic)|"
    r"prohibited_content|requires moderation"
)
_QUOTA_CODES = frozenset(
    (
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",
        "insufficient_balance",
        "1113",
        "arrearage",
    )
)
_QUOTA = (
    r"insufficient (?:account |user )?(?:balance|quota|credit|funds)|exceeded your current quota|"
    r"credit balance is too low|(?:out of|used all|no|more) [^.\n]{0,20}credits|"
    r"payment required|(?:spending|billing) (?:hard )?limit|account [^.\n]{0,20}suspended|"
    r"余额不足|欠费"
)
_AUTH_CODES = frozenset(
    (
        "invalid_api_key",
        "api_key_invalid",
        "invalidapikey",
        "authentication_error",
        "unauthenticated",
        "token_not_found_in_db",
        # LiteLLM's proxy without a database: any key but its master key.
        "no_db_connection",
        "1004",
        "2049",
    )
)
_AUTH = (
    r"(?:incorrect|invalid|wrong|expired|missing|no) (?:x-)?(?:api[- ]?key|auth\w* (?:key|token)|"
    r"access token|token passed|bearer)|api key (?:not|is (?:in|not )valid|not found)|"
    r"invalid authentication|authentication ?error|unauthorized|\bno connected db\b"
)
_FORBIDDEN = r"(?:user )?location is not supported|country, region, or territory not supported"
_MODEL_CODES = frozenset(
    (
        "model_not_found",
        "deploymentnotfound",
        "invalid_model",
        "1211",
        "resource_not_found_error",
        "model_not_exist",
        "invalid_model_id",
    )
)
_MODEL = (
    r"(?:model|deployment)\b(?:[^.\n]|\.(?!\s)){0,120}?(?:not found|does ?n[o']t exist|"
    r"does not exist|not exist|is not a valid|decommissioned|has been deprecated|"
    r"is not available|not loaded)|no endpoints found for|not a valid model|"
    r"invalid model\b(?! (?:output|response|answer|reply|generation|completion|message))|"
    r"unknown model|no (?:such )?model\b|not found the model|no models loaded|"
    r"unable to access model|^model: \S+$|模型不存在"
)
_NO_TOOLS = (
    r"does not support (?:tools\b|function call|tool (?:use|call))|"
    r"tools? (?:is|are) not supported(?! (?:with|when|while|for)[^.\n]{0,40}reasoning)|"
    r"no endpoints found that support tool"
)
_NO_PROVIDER = r"no endpoints found that (?:can handle|support) (?:the|all) requested param"
_TOOL_FLAGS = r"enable-auto-tool-choice|--tool-call-parser|requires? --jinja|--jinja flag"
_WRONG_PATH = (
    r"unexpected endpoint|invalid url \(|no route(?! to host)|unknown (?:request )?url|"
    r"cannot post /"
)
_MALFORMED = r"(?:malformed|invalid|unparsable|unreadable|incomplete|broken|empty)"
_UNREADABLE = (
    r"invalid model (?:output|response|answer|reply|generation|completion|message)|"
    rf"\bmodel (?:has )?(?:produced|generated|returned|wrote|output)[^.\n]{{0,40}}{_MALFORMED}|"
    rf"{_MALFORMED}[^.\n]{{0,30}} (?:produced|generated|returned|written) by the model|"
    r"failed to (?:parse|generate)[^.\n]{0,30} (?:model|generated|function call|tool call)"
)
_ASKS_TO_RETRY = (
    r"(?:please|you (?:can|may)|then) (?:re-?try|try (?:again|this|the request))(?! with)|"
    r"try again (?:later|in)|retry (?:your|the|this) request|temporar(?:y|ily)"
)
_TRY_AGAIN_IN = r"(?:try again|retry|wait)(?: again)?(?: (?:in|after|for))?(?: about)? \d"
_PER_TIME = r"(?:per|a|each|/) ?(?:second|minute|min|hour|day)\b|\b[rt]p[smd]\b"
_PASSES = r"temporar(?:y|ily)|unavailable|try again|retry|overloaded|time-?d? ?out|busy"
_AFFORDABLE = r"can only afford[`'\s(]{1,3}(\d[\d,]{0,11})"
_PLAIN_TO_TLS = r"plain http request was sent to https|http request to an? https server"
_GENERATION_CODES = frozenset(("tool_use_failed", "output_parse_failed", "json_validate_failed"))

_LASTING_CODES = (_FILTER_CODES, _QUOTA_CODES, _AUTH_CODES, _MODEL_CODES, _GENERATION_CODES)
_FIELD_CODES = frozenset(
    ("unsupported_parameter", "unknown_parameter", "unsupported_value", "extra_forbidden")
)
_NOT_FIELDS = frozenset(("model", "prompt", "messages", "input"))
_CONVERSATION_PATHS = ("messages.", "tools.", "functions.", "tool_choice")
_CONTENT_BLAMED = (
    r"(?:prompt|content|input|message|response)s?\b[^.\n]{0,60}(?:flagged|violat|inappropriate)|"
    r"inappropriate content|prohibited_content|content (?:management|filter|policy)"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's refusal.

    Attributes:
        message: Its text in one line; "" if it has none.
        code: Its first code or type, in lower case.
        params: The paths that it names, such as `messages.2.content`.
        text: Its whole text, for pattern matching.
        retryable: True if the same request may succeed later.
        adaptable: True if another form of the request may be accepted.
        remedy: What to do; "" if it is not known.
        context: Numbers of the context, if the prompt or the cap on the answer is too large.
        generation: The model's answer, if the server refused it.
        affordable_tokens: The longest answer that the account can pay for, if the refusal has it.
        retry_delay: The wait in Gemini's RetryInfo.
    """

    status: int
    message: str
    cause: Cause
    retryable: bool
    adaptable: bool = False
    remedy: str = ""
    code: str = ""
    params: tuple[str, ...] = ()
    text: str = ""
    context: ContextLimit | None = None
    generation: str = ""
    affordable_tokens: int | None = None
    retry_delay: str = ""

    @property
    def param(self) -> str:
        """The first path that the server names; "" if it names none."""
        return self.params[0] if self.params else ""


def read_refusal(
    status: int,
    body: bytes,
    prompt_size: PromptSize = "full",
    *,
    sent: Collection[str] = (),
    has_wait_header: bool = False,
) -> Refusal:
    """Read a refusal.

    Args:
        status: HTTP status, or the status that is implied by a body under status 200.
        body: The body that the server sent; it may be malformed.
        prompt_size: Size of the prompt; the remedy for a long prompt names a smaller size.
        sent: Names of the options and of the provider's own fields in the request.
        has_wait_header: True if a header says when to retry.
    """
    error_body = read_error_body(body)
    context = read_context_limit(status, error_body)
    field = _field(status, error_body, sent)
    waits = (
        has_wait_header or bool(error_body.retry_delay) or _matches(_TRY_AGAIN_IN, error_body.text)
    )
    if _is_other_error(status, error_body, field, context, waits):
        context = None
    affordable = _affordable(error_body) if context is None and not field else None
    if context is None and field:
        cause, retryable = Cause.REFUSED_REQUEST, False
    else:
        cause, retryable = _cause(
            status, error_body, context, waits or _matches(_PER_TIME, error_body.text)
        )
    if affordable is not None:
        cause, retryable = Cause.QUOTA, False
    return Refusal(
        status=status,
        message=clean_text(error_body.message, MESSAGE_CHARS_MAX),
        cause=cause,
        retryable=retryable,
        adaptable=affordable is not None or _is_adaptable(status, cause, error_body),
        remedy=_remedy(cause, error_body, context, prompt_size),
        code=next((c for c in error_body.codes if not c.isdigit()), "")
        or next(iter(error_body.codes), ""),
        params=tuple(error_body.params),
        text=error_body.text,
        context=context,
        generation=error_body.generation,
        affordable_tokens=affordable,
        retry_delay=error_body.retry_delay,
    )


def _field(status: int, error_body: ErrorBody, sent: Collection[str]) -> str:
    """The field of the request that a refusal is about; "" if it names none.

    The path of a field that was sent always counts. The text, and other paths, count unless a code
    says that the refusal is about something else.
    """
    if status not in FIELD_STATUS or error_body.generation:
        return ""
    names = [name for name in sent if name not in _NOT_FIELDS]
    if by_path := fields_by_path(error_body.params, names):
        return by_path[0]
    leaves = {path.rpartition(".")[2] for path in error_body.params}
    if inner := next((name for name in names if name in leaves), ""):
        return inner
    if any(set(error_body.codes) & codes for codes in _LASTING_CODES):
        return ""
    if "model" in error_body.params or "prompt" in error_body.params:
        return ""
    if error_body.params and _FIELD_CODES.intersection(error_body.codes):
        return error_body.params[0]
    if blamed := next((name for name in names if is_blamed(name, error_body.text)), ""):
        return blamed
    if _matches(_CONTENT_BLAMED, error_body.text):
        return ""
    return next((path for path in error_body.params if path.startswith(_CONVERSATION_PATHS)), "")


def _is_other_error(
    status: int, error_body: ErrorBody, field: str, context: ContextLimit | None, waits: bool
) -> bool:
    """True if what looks like a prompt that is too long is about a field, or is transient."""
    if context is None:
        return False
    if status == 429:
        return waits
    # Only a path counts: in texts about the context, servers name the cap as well.
    return (
        field in fields_by_path(error_body.params, [field])
        and "tokens" not in field
        and not (field.startswith(_CONVERSATION_PATHS))
    )


def _affordable(error_body: ErrorBody) -> int | None:
    """The longest answer that the account can pay for, in OpenRouter's text; None if not stated."""
    found = re.search(_AFFORDABLE, error_body.text, re.IGNORECASE)
    tokens = int(found[1].replace(",", "")) if found else 0
    return tokens if tokens >= AFFORDABLE_TOKENS_MIN else None


def generation_body(refusal: Refusal) -> bytes:
    """A response body with the model's answer that the server refused to parse."""
    message = {"role": "assistant", "content": refusal.generation}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return orjson.dumps({"choices": [choice], "note": refusal.message})


def _cause(
    status: int, error_body: ErrorBody, context: ContextLimit | None, is_limit: bool
) -> tuple[Cause, bool]:
    """The cause, and whether it is transient.

    Args:
        status: HTTP status.
        error_body: The error in its body.
        context: Numbers of the context, if the prompt is too long.
        is_limit: True if the answer has the time until, or the period of, a limit.
    """
    text = error_body.text
    if context is not None:
        fits = context.answer_tokens_max is not None
        return (Cause.REFUSED_REQUEST if fits else Cause.CONTEXT_LENGTH), False
    may_pass = status in TRANSIENT_STATUS or (status >= 500 and status != 501)
    # "The content filter service is temporarily unavailable" is about a service.
    text_counts = not (may_pass and (status in (503, 504) or _matches(_PASSES, text)))
    if _has(error_body, _FILTER_CODES, _FILTER if text_counts else ""):
        return Cause.CONTENT_FILTER, False
    if error_body.generation or _has(error_body, _GENERATION_CODES):
        return Cause.UNUSABLE_ANSWER, True
    if text_counts and (_matches(_WRONG_PATH, text) or _matches(_PLAIN_TO_TLS, text)):
        return Cause.UNREACHABLE, False
    # Gemini writes "exceeded your current quota" for a rate limit, with the time until its end.
    quota = _QUOTA if status == 429 or text_counts else ""
    if status == 429 and is_limit:
        quota = ""
    if status == 402 or (not error_body.retry_delay and _has(error_body, _QUOTA_CODES, quota)):
        return Cause.QUOTA, False
    if status == 429:
        return Cause.RATE_LIMIT, True
    if may_pass:
        return (Cause.TIMEOUT if status == 408 else Cause.SERVER_ERROR), True
    cause = _lasting_cause(status, error_body)
    if cause is Cause.REFUSED_REQUEST and status in FIELD_STATUS:
        if _matches(_UNREADABLE, text):
            return Cause.UNUSABLE_ANSWER, True
        if _matches(_ASKS_TO_RETRY, text):
            return Cause.SERVER_ERROR, True
    return cause, False


def _lasting_cause(status: int, error_body: ErrorBody) -> Cause:
    """The cause of a refusal that is not transient."""
    text = error_body.text
    if status == 401 or _has(error_body, _AUTH_CODES, _AUTH):
        return Cause.AUTH
    if status in (403, 451) or _matches(_FORBIDDEN, text):
        return Cause.FORBIDDEN
    if _matches(_NO_TOOLS, text) or _matches(_TOOL_FLAGS, text):
        return Cause.REFUSED_REQUEST
    if _matches(_NO_PROVIDER, text):
        return Cause.REFUSED_REQUEST
    if "model" in error_body.params or _has(error_body, _MODEL_CODES, _MODEL):
        return Cause.MODEL_NOT_FOUND
    return Cause.UNREACHABLE if status in WRONG_PATH_STATUS else Cause.REFUSED_REQUEST


def _is_adaptable(status: int, cause: Cause, error_body: ErrorBody) -> bool:
    if (
        error_body.is_html
        or _matches(_NO_TOOLS, error_body.text)
        or _matches(_TOOL_FLAGS, error_body.text)
    ):
        return False
    # Servers that render templates answer 500 for a conversation that a template refuses.
    by_form = status == 500 or status in FIELD_STATUS
    return cause is Cause.REFUSED_REQUEST or (cause is Cause.SERVER_ERROR and by_form)


def _remedy(
    cause: Cause, error_body: ErrorBody, context: ContextLimit | None, size: PromptSize
) -> str:
    if context is not None:
        return context_remedy(context, size)
    if _matches(_TOOL_FLAGS, error_body.text):
        return (
            "start the server with tool calls: vLLM with --enable-auto-tool-choice and "
            "--tool-call-parser, llama.cpp with --jinja"
        )
    if _matches(_NO_TOOLS, error_body.text):
        return "this model takes no tools; choose one that can call tools"
    if _matches(_PLAIN_TO_TLS, error_body.text):
        return "write the base URL with https://"
    remedies = {
        Cause.AUTH: "is the key right? see --api-key-env",
        Cause.FORBIDDEN: "may this key use the model? see --api-key-env and --model-id",
        Cause.QUOTA: "the account has no credit left; add credit or use another key",
        Cause.MODEL_NOT_FOUND: "are --model-id and --base-url right?",
        Cause.CONTENT_FILTER: "the provider's content filter refused the prompt; change its words",
        Cause.UNUSABLE_ANSWER: "the server could not read its own model's tool call",
    }
    if cause in remedies:
        return remedies[cause]
    if error_body.is_html:
        return "a page came instead of JSON; is --base-url the API's address?"
    return ""


def _has(error_body: ErrorBody, codes: frozenset[str], pattern: str = "") -> bool:
    if any(code in codes for code in error_body.codes):
        return True
    return bool(pattern) and _matches(pattern, error_body.text)


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE | re.MULTILINE) is not None
