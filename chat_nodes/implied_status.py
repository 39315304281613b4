"""The HTTP status that a server should have sent for an error that it sent under 200. Pure.

Gateways answer 200 before the model has answered (OpenRouter, LiteLLM). The body then has the
status (MiniMax's `base_resp`, vLLM's flat form) or only a text about it (xAI, LM Studio).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chat_nodes.json_values import Json
from chat_nodes.texts import ERROR_CHARS_MAX, clean_text

OK = 200
UNUSABLE = 502
"""The status of a body that is not an answer: like a gateway's "bad upstream"."""
DEPTH_MAX = 6
ITEMS_MAX = 8

_CODE_KEYS = ("code", "status_code", "http_code", "status", "statusCode", "type", "error_type")
_TEXT_KEYS = ("message", "msg", "status_msg", "detail", "reason", "description", "error")
_INNER_KEYS = ("error", "errors", "metadata", "base_resp", "detail")
_NUMBER = re.compile(r"\s*([1-9]\d{2,3})(?:\.0+)?\s*\Z")

# Vendors' own numeric codes: MiniMax (base_resp) and Zhipu GLM.
_VENDOR_CODES = {
    1000: 500,
    1001: 504,
    1002: 429,
    1004: 401,
    1008: 402,
    1013: 500,
    1024: 500,
    1033: 500,
    1039: 400,
    1113: 402,
    1211: 404,
    1261: 400,
    1302: 429,
    1303: 429,
    1304: 429,
    1305: 429,
    2013: 400,
    2049: 401,
    2056: 429,
}

# The first match counts. Before, `_` and `-` are replaced by blanks and CamelCase is split.
_TEXT_PATTERNS = tuple(
    (re.compile(pattern), status)
    for pattern, status in (
        (
            r"insufficient (?:quota|balance|credit|funds)|payment required|billing|out of credit",
            402,
        ),
        (
            r"exceeded your current quota|credit balance|requires more credits|not enough credit",
            402,
        ),
        (
            r"rate limit|too many requests|resource exhausted|throttl|tokens per m|requests per m",
            429,
        ),
        (r"over ?loaded|over capacity|unavailable|no capacity|(?:is|still) loading|busy", 503),
        (r"context (?:length|window|size)|prompt is too long|too many tokens", 400),
        (r"invalid api key|incorrect api key|api key not valid|authenticat|unauthori[sz]ed", 401),
        (r"(?:missing|no|wrong|invalid) (?:api key|token|credentials)", 401),
        (r"permission|forbidden|access denied|not allowed", 403),
        (r"(?:model|deployment) .{0,80}(?:not found|does not exist)|not found|no such model", 404),
        (r"time ?out|timed out|deadline exceeded", 504),
        (r"bad gateway|upstream|network|connection", 502),
        (r"invalid (?:request|argument|param)|bad request|unsupported|not supported", 400),
        (r"unprocessable|extra forbidden|validation error", 422),
        (r"internal|server error", 500),
    )
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class ReportedError:
    """The error in a body.

    Attributes:
        status: The HTTP status that it implies, 400 to 599.
        message: Its text; "" if it has none.
    """

    status: int
    message: str


def reported_error(value: Json) -> ReportedError | None:
    """The error in a parsed body, in any of the forms that servers use; None if there is none."""
    if isinstance(value, list):
        found = (reported_error(item) for item in value[:ITEMS_MAX])
        return next((error for error in found if error is not None), None)
    if not isinstance(value, dict):
        return None
    if error := value.get("error"):
        if isinstance(error, str) or (isinstance(error, dict) and not _has_code(error)):
            # xAI and LM Studio: the code, if there is one, is beside the text.
            beside = {k: value[k] for k in (*_CODE_KEYS, "detail") if value.get(k)}
            return _read_error({"error": error, **beside})
        return _read_error(error)
    if errors := value.get("errors"):
        return _read_error(errors)
    base = value.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in (None, 0, "0"):
        return _read_error(base)
    if "choices" not in value and _is_flat(value):
        return _read_error(value)
    return None


def _is_flat(value: dict[str, Json]) -> bool:
    if value.get("object") == "error" or value.get("type") == "error" or value.get("detail"):
        return True
    has_text = any(isinstance(value.get(key), str) for key in ("message", "msg"))
    return (has_text and any(key in value for key in (*_CODE_KEYS, "success"))) or (
        set(value)
        <= {
            "message",
            "msg",
            "request_id",
        }
        and has_text
    )


def _read_error(error: Json) -> ReportedError:
    codes = list(_codes(error, 0))
    message = next((m for m in _messages(error, 0)), "")
    status = next((s for code in codes if (s := _status_of_number(code))), 0)
    status = status or next((s for code in codes if (s := _status_of_text(str(code)))), 0)
    return ReportedError(status or _status_of_text(message) or UNUSABLE, message)


def _has_code(error: dict[str, Json]) -> bool:
    return any(error.get(key) for key in _CODE_KEYS)


def _codes(value: Json, depth: int) -> Iterator[Json]:
    if depth > DEPTH_MAX:
        return
    if isinstance(value, list):
        for item in value[:ITEMS_MAX]:
            yield from _codes(item, depth + 1)
    elif isinstance(value, dict):
        for key in _CODE_KEYS:
            code = value.get(key)
            if isinstance(code, str | int | float) and not isinstance(code, bool):
                yield code if not isinstance(code, str) else code[:ERROR_CHARS_MAX]
        for key in _INNER_KEYS:
            yield from _codes(value.get(key), depth + 1)


def _messages(value: Json, depth: int) -> Iterator[str]:
    if depth > DEPTH_MAX:
        return
    if isinstance(value, str):
        if text := clean_text(value, ERROR_CHARS_MAX):
            yield text
    elif isinstance(value, list):
        for item in value[:ITEMS_MAX]:
            yield from _messages(item, depth + 1)
    elif isinstance(value, dict):
        for key in _TEXT_KEYS:
            yield from _messages(value.get(key), depth + 1)
        for key in _CODE_KEYS:
            yield from _messages(value.get(key), depth + 1)


def _status_of_number(code: Json) -> int:
    match = _NUMBER.match(str(code))
    if match is None:
        return 0
    number = int(match[1])
    return number if 400 <= number <= 599 else _VENDOR_CODES.get(number, 0)


def _status_of_text(text: str) -> int:
    plain = _CAMEL.sub(" ", text[:ERROR_CHARS_MAX]).replace("_", " ").replace("-", " ").lower()
    return next((status for pattern, status in _TEXT_PATTERNS if pattern.search(plain)), 0)
