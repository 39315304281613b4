"""A refused model call to its cause, whether it may pass, and the remedy. Pure.

Statuses alone do not tell: OpenAI answers 429 for an empty account, Gemini 400 for a wrong key,
llama.cpp 500 for a prompt that is too long, LM Studio 200 for a wrong path. So the words are looked
at first, in every form that `chat_nodes.error_bodies` reads.
"""

import re
from dataclasses import dataclass

import orjson

from arena.messages import Cause, PromptSize
from chat_nodes.context_limits import ContextTold, read_context
from chat_nodes.decode import clean_text
from chat_nodes.error_bodies import ErrorBody, read_error_body

MESSAGE_CHARS_MAX = 400
"""Of a server's own words in an error."""
TRANSIENT_STATUS = frozenset({408, 409, 424, 425, 429, 498, 499})
"""Besides 5xx: the same request may succeed later."""
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
    r"is not available|not loaded)|no endpoints found for|not a valid model|invalid model\b|"
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
_WRONG_PATH = r"unexpected endpoint|invalid url \(|no route|unknown (?:request )?url|cannot post /"
_PLAIN_TO_TLS = r"plain http request was sent to https|http request to an? https server"
_GENERATION_CODES = frozenset(("tool_use_failed", "output_parse_failed", "json_validate_failed"))

NEXT_SIZES = {"full": 'prompt = "compact" (or "tiny")', "compact": 'prompt = "tiny"'}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a server's refusal means.

    Attributes:
        message: Its words in one line; "" if it said nothing.
        code: The first code or type it gives, in lower case. param: the first path it names.
        params: All paths it names, as `messages.2.content`. text: all its words, for patterns.
        retryable: True if the same request may succeed later.
        learnable: True if another form of the request may be accepted.
        remedy: What to do, in words; "" if nothing is known.
        context: Told numbers if the prompt, or the answer's cap, is too long.
        generation: What the model wrote, if the server refused that.
        retry_delay: How long to wait, as Gemini's RetryInfo says it.
    """

    status: int
    message: str
    cause: Cause
    retryable: bool
    learnable: bool = False
    remedy: str = ""
    code: str = ""
    params: tuple[str, ...] = ()
    text: str = ""
    context: ContextTold | None = None
    generation: str = ""
    retry_delay: str = ""

    @property
    def param(self) -> str:
        """The first path that the server names; "" if it names none."""
        return self.params[0] if self.params else ""


def read_refusal(status: int, body: bytes, prompt_size: PromptSize = "full") -> Refusal:
    """What a refusal means.

    Args:
        status: Of the answer, or the one that a body under status 200 means.
        body: As the server sent it, of any quality.
        prompt_size: Of the prompt; a remedy for its length names a smaller one.
    """
    said = read_error_body(body)
    context = read_context(status, said)
    cause, retryable = _cause(status, said, context)
    return Refusal(
        status=status,
        message=clean_text(said.message, MESSAGE_CHARS_MAX),
        cause=cause,
        retryable=retryable,
        learnable=_is_learnable(status, cause, said),
        remedy=_remedy(cause, said, context, prompt_size),
        code=next((c for c in said.codes if not c.isdigit()), "") or next(iter(said.codes), ""),
        params=tuple(said.params),
        text=said.text,
        context=context,
        generation=said.generation,
        retry_delay=said.retry_delay,
    )


def generation_body(refusal: Refusal) -> bytes:
    """The answer that a server refused to read in its own model's words, as an answer in text."""
    message = {"role": "assistant", "content": refusal.generation}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return orjson.dumps({"choices": [choice], "note": refusal.message})


def _cause(status: int, said: ErrorBody, context: ContextTold | None) -> tuple[Cause, bool]:
    text = said.text
    if context is not None:
        fits = context.answer_tokens_max is not None
        return (Cause.REFUSED_REQUEST if fits else Cause.CONTEXT_LENGTH), False
    if _has(said, _FILTER_CODES, _FILTER):
        return Cause.CONTENT_FILTER, False
    if said.generation or _has(said, _GENERATION_CODES):
        return Cause.UNUSABLE_ANSWER, True
    if _matches(_WRONG_PATH, text) or _matches(_PLAIN_TO_TLS, text):
        return Cause.UNREACHABLE, False
    # Gemini says "exceeded your current quota" of a rate limit, with the time after which it ends.
    if status == 402 or (not said.retry_delay and _has(said, _QUOTA_CODES, _QUOTA)):
        return Cause.QUOTA, False
    if status == 429:
        return Cause.RATE_LIMIT, True
    if status in TRANSIENT_STATUS or (status >= 500 and status != 501):
        return (Cause.TIMEOUT if status == 408 else Cause.SERVER_ERROR), True
    return _lasting_cause(status, said), False


def _lasting_cause(status: int, said: ErrorBody) -> Cause:
    """The cause of a refusal that does not pass."""
    text = said.text
    if status == 401 or _has(said, _AUTH_CODES, _AUTH):
        return Cause.AUTH
    if status in (403, 451) or _matches(_FORBIDDEN, text):
        return Cause.FORBIDDEN
    if _matches(_NO_TOOLS, text) or _matches(_TOOL_FLAGS, text):
        return Cause.REFUSED_REQUEST
    if _matches(_NO_PROVIDER, text):
        return Cause.REFUSED_REQUEST
    if "model" in said.params or _has(said, _MODEL_CODES, _MODEL):
        return Cause.MODEL_NOT_FOUND
    return Cause.UNREACHABLE if status in WRONG_PATH_STATUS else Cause.REFUSED_REQUEST


def _is_learnable(status: int, cause: Cause, said: ErrorBody) -> bool:
    if said.is_html or _matches(_NO_TOOLS, said.text) or _matches(_TOOL_FLAGS, said.text):
        return False
    # Servers that render templates answer 500 for a conversation that a template refuses.
    return cause is Cause.REFUSED_REQUEST or (cause is Cause.SERVER_ERROR and status == 500)


def _remedy(cause: Cause, said: ErrorBody, context: ContextTold | None, size: PromptSize) -> str:
    if context is not None:
        return context_remedy(context, size)
    if _matches(_TOOL_FLAGS, said.text):
        return (
            "start the server with tool calls: vLLM with --enable-auto-tool-choice and "
            "--tool-call-parser, llama.cpp with --jinja"
        )
    if _matches(_NO_TOOLS, said.text):
        return "this model takes no tools; choose one that can call tools"
    if _matches(_PLAIN_TO_TLS, said.text):
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
    if said.is_html:
        return "a page came instead of JSON; is --base-url the API's address?"
    return ""


def context_remedy(context: ContextTold, size: PromptSize) -> str:
    """What to do about a prompt that is too long.

    Args:
        context: What the server says of it.
        size: Of the prompt that was refused.
    """
    if (left := context.answer_tokens_max) is not None:
        return f"set --max-completion-tokens to at most {left:,}"
    limit = f" of {context.limit_tokens:,} tokens" if context.limit_tokens else ""
    prompt = f" (it has {context.prompt_tokens:,})" if context.prompt_tokens else ""
    smaller = NEXT_SIZES.get(size, "")
    remedy = (
        f"set {smaller}"
        if smaller
        else "the prompt is tiny already: give the model a larger context, or trade fewer products"
    )
    return f"the prompt{prompt} does not fit the model's context{limit}; {remedy}"


def _has(said: ErrorBody, codes: frozenset[str], pattern: str = "") -> bool:
    if any(code in codes for code in said.codes):
        return True
    return bool(pattern) and _matches(pattern, said.text)


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE | re.MULTILINE) is not None
