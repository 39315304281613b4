"""Reads the error in the body of a refusal, in any form that servers use. Pure.

Servers differ: `{"error": {...}}` (OpenAI and most), an array of it (Gemini), flat (older vLLM,
SGLang), `{"error": "text"}` (LM Studio, xAI with a `code` beside it), a list of `detail` (Mistral,
FastAPI) that is sometimes JSON inside a text, the answer of another server inside a text (LiteLLM)
or inside `metadata.raw` (OpenRouter), HTML of a proxy, plain text, or nothing. The content type is
ignored: DeepSeek labels JSON as `application/octet-stream`.
"""

import ast
import json
import re
from dataclasses import dataclass, field

import orjson

from chat_nodes.decode import clean_text

TEXT_CHARS_MAX = 8_000
"""Characters of one text that are read."""
TEXTS_MAX = 24
DEPTH_MAX = 10
ITEMS_MAX = 32
GENERATION_CHARS_MAX = 32_000
"""Characters of a model's answer inside a refusal that are kept."""
STARTS_MAX = 6
"""Positions in one text at which JSON is looked for."""

TEXT_KEYS = ("message", "msg", "detail", "status_msg", "error_description", "description")
INNER_KEYS = (
    "error",
    "errors",
    "details",
    "metadata",
    "raw",
    "innererror",
    "inner_error",
    "base_resp",
    "fieldViolations",
    "provider_specific_fields",
    "body",
    "upstream_error",
)
CODE_KEYS = ("code", "type", "status", "status_code", "http_code", "error_type", "reason")

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_HTML = re.compile(r"\s{0,200}(?:<!--[^>]{0,500}-->\s{0,20})?<(?:!doctype|html|head|body)", re.I)
_PYTHON_BYTES = re.compile(r"\bb'(?=[{\[])|\bb\"(?=[{\[])")


@dataclass(slots=True)
class ErrorBody:
    """The error in a body.

    Attributes:
        texts: Messages, the outermost first; the last one is nearest to the model.
        codes: Codes, types and statuses in lower case, as text.
        params: Paths that the error names, such as `messages.2.content` or `seed`.
        retry_delay: The delay of Gemini's RetryInfo, such as "37s"; "" if there is none.
        generation: The model's answer, if the server refused it (Groq).
        prompt_tokens: Tokens of the prompt, as the server counted them.
        context_tokens: The context limit of the server.
        is_html: True if the body is an HTML page.
    """

    texts: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    params: list[str] = field(default_factory=list)
    retry_delay: str = ""
    generation: str = ""
    prompt_tokens: int | None = None
    context_tokens: int | None = None
    is_html: bool = False

    @property
    def message(self) -> str:
        """All messages in one line, for people."""
        return "; ".join(text.rstrip(" -:") for text in self.texts)

    @property
    def text(self) -> str:
        """All messages, for pattern matching."""
        return "\n".join(self.texts)


def read_error_body(body: bytes) -> ErrorBody:
    """Read the error in a body; every field is empty if the body is."""
    found = ErrorBody()
    value = _json(body)
    if value is None:
        text = body[: TEXT_CHARS_MAX * 4].decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
        found.is_html = _HTML.match(text) is not None
        _add_text(found, _page_words(text) if found.is_html else text)
    else:
        _walk(found, value, 0)
    return found


def _json(body: bytes) -> object:
    try:
        value: object = orjson.loads(body)
        return value
    except orjson.JSONDecodeError:
        pass
    text = body.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    while text.startswith(":"):
        text = text.partition("\n")[2].lstrip()
    if text.startswith("data:"):
        text = text[5:].lstrip()
    if not text.startswith(("{", "[", '"')):
        return None
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value


def _page_words(text: str) -> str:
    title = _TITLE.search(text)
    return title[1] if title else _TAG.sub(" ", text)


def _walk(found: ErrorBody, value: object, depth: int) -> None:
    if depth > DEPTH_MAX or len(found.texts) >= TEXTS_MAX:
        return
    if isinstance(value, str):
        _text(found, value, depth)
    elif isinstance(value, list):
        for item in value[:ITEMS_MAX]:
            _walk(found, item, depth + 1)
    elif isinstance(value, dict):
        _object(found, value, depth)


def _object(found: ErrorBody, value: dict[str, object], depth: int) -> None:
    for key in CODE_KEYS:
        code = value.get(key)
        if isinstance(code, str | int) and not isinstance(code, bool):
            found.codes.append(str(code)[:100].lower())
    param = value.get("param") or value.get("field")
    if isinstance(param, str) and param:
        found.params.append(dotted(param))
    location = value.get("loc")
    message = value.get("msg")
    if isinstance(location, list) and location:
        path = dotted(".".join(str(part) for part in location[:ITEMS_MAX]))
        found.params.append(path)
        _add_text(found, f"{path}: {message}" if isinstance(message, str) else path)
    _known_fields(found, value)
    for key in TEXT_KEYS:
        if key in value and not (key == "msg" and location):
            _walk(found, value[key], depth + 1)
    for key in INNER_KEYS:
        if key in value:
            _walk(found, value[key], depth + 1)


def _known_fields(found: ErrorBody, value: dict[str, object]) -> None:
    delay = value.get("retryDelay")
    if isinstance(delay, str):
        found.retry_delay = delay[:40]
    written = value.get("failed_generation")
    if isinstance(written, str) and written.strip():
        found.generation = written[:GENERATION_CHARS_MAX]
    for key, name in (("n_prompt_tokens", "prompt_tokens"), ("n_ctx", "context_tokens")):
        count = value.get(key)
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            setattr(found, name, count)


def _text(found: ErrorBody, text: str, depth: int) -> None:
    """Add a text, and the JSON or Python literal of another server inside it."""
    text = text[:TEXT_CHARS_MAX]
    inner, start = _embedded(text)
    outer = text if inner is None else text[:start]
    _add_text(found, outer)
    if inner is not None:
        _walk(found, inner, depth + 1)


def _embedded(text: str) -> tuple[object, int]:
    """The first object or list inside a text, and its position; None if there is none."""
    plain = _PYTHON_BYTES.sub("", text)
    starts = [m.start() for m in re.finditer(r"[{\[](?=\s{0,10}[\"'{\[])", plain)][:STARTS_MAX]
    for start in starts:
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(plain, start)
        except (ValueError, RecursionError):
            value = _literal(plain, start)
        if _says_something(value):
            return value, min(start, len(text))
    return None, 0


def _literal(text: str, start: int) -> object:
    """A Python literal; proxies that print an exception send it."""
    end = text.rfind("}" if text[start] == "{" else "]")
    if end <= start:
        return None
    try:
        value: object = ast.literal_eval(text[start : end + 1])
        return value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _says_something(value: object) -> bool:
    if isinstance(value, list):
        return any(_says_something(item) for item in value[:ITEMS_MAX])
    return isinstance(value, dict) and bool({*TEXT_KEYS, *INNER_KEYS} & value.keys())


def _add_text(found: ErrorBody, text: str) -> None:
    clean = clean_text(text, TEXT_CHARS_MAX)
    if clean and clean not in found.texts and len(found.texts) < TEXTS_MAX:
        found.texts.append(clean)


def dotted(path: str) -> str:
    """A path such as `messages[2].content` as `messages.2.content`, in snake case."""
    plain = path.replace("[", ".").replace("]", "").replace("..", ".").strip(". ")
    plain = _CAMEL.sub("_", plain[:300]).lower()
    return plain.removeprefix("body.")
