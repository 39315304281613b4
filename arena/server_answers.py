"""Turns a model server's answers to `GET /models` and similar requests into findings. Pure.

The protocol: https://platform.openai.com/docs/api-reference/models/list. Servers report the context
length under many names, or do not list models at all. Every problem is a warning, except an address
that cannot be reached and a key that is refused.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from pydantic import JsonValue

from arena.findings import Finding, broken, ok, warning
from arena.messages import Cause, PromptSize
from arena.model_cutoffs import load_cutoffs
from arena.model_prices import PriceList
from arena.visible_text import one_line

NAMES_SHOWN_MAX = 3
MODELS_MAX = 10_000
TEXT_CHARS_MAX = 160
CONTEXT_MAX = 100_000_000
TOKENS_PER_PRODUCT = 3_500
"""Tokens per product in a full prompt, with a tokenizer that joins digits."""
OTHER_TOKENS = 2_000
"""Tokens for tools, two rounds of calls and the answer."""
CALL_TOKENS = 4_000
"""Approximate tokens of one call with a full prompt of one product."""
CONTEXT_OF = {"compact": 4_096, "tiny": 2_048}
"""Context that a smaller prompt needs, in tokens."""
LIVE_KEYS = ("max_model_len", "loaded_context_length", "n_ctx")
CONTEXT_KEYS = (
    *LIVE_KEYS,
    "context_length",
    "context_window",
    "max_context_length",
    "max_input_tokens",
    "n_ctx_train",
)
QUIET_STATUS = frozenset({200, 400, 401, 403, 404, 405, 501})
"""Statuses of a correct address: it lists models, requires a key, or does not list models."""
_REFUSED_KEY = re.compile(
    r"api[ _-]?key.{0,40}(not valid|invalid|incorrect)|invalid.{0,12}api[ _-]?key", re.I
)


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """The result of one GET.

    Attributes:
        url: The full URL.
        status: HTTP status; 0 without an answer.
        body: Body of the answer, without secrets.
        error: Why there was no answer.
        connected: True if the server accepted the connection.
        latency_ms: Time until the whole answer had arrived.
    """

    url: str
    status: int = 0
    body: bytes = b""
    error: str = ""
    connected: bool = True
    latency_ms: float = 0.0


def address_finding(answer: ServerAnswer) -> Finding:
    """Whether the server can be reached; the finding has the full URL."""
    if not answer.connected:
        return broken(
            "address",
            f"{answer.url} cannot be reached ({answer.error})",
            "is the server started, and are host, port and scheme right?",
            cause=Cause.UNREACHABLE,
        )
    if not answer.status:
        return warning(
            "address",
            f"{answer.url}: connected, but GET is not answered ({answer.error})",
            "many servers list no models; `arena doctor` without --quick asks the model itself",
        )
    if answer.status >= 500 and answer.status != 501:
        return warning(
            "address",
            f"{answer.url} answers {answer.status} {_error_text(answer.body)}".strip(),
            "it may still be loading; calls are retried",
        )
    bare = urlsplit(answer.url).path.count("/") == 1
    if (answer.status == 200 and _is_html(answer.body)) or (answer.status == 404 and bare):
        how = "404" if answer.status == 404 else "with a web page"
        return warning(
            "address",
            f"{answer.url} answers {how}",
            "is the base URL the API's address? it often ends with /v1",
        )
    if answer.status not in QUIET_STATUS:
        return warning(
            "address",
            f"{answer.url} answers {answer.status} {_error_text(answer.body)}".strip(),
            "are scheme, host and path of the base URL right?",
        )
    if answer.status in (404, 405, 501):
        how = f"answers, and lists no models ({answer.status})"
        return ok("address", f"{answer.url} {how}")
    return ok("address", f"{answer.url} answers in {answer.latency_ms:.0f} ms")


def key_finding(answer: ServerAnswer, *, variable: str, given: bool) -> Finding | None:
    """Whether the key is accepted; None if the answer does not show it.

    Args:
        answer: The answer to `GET /models`.
        variable: The environment variable with the key.
        given: True if a key was sent.
    """
    message = _error_text(answer.body)
    refused = answer.status == 400 and given and _REFUSED_KEY.search(message)
    if answer.status == 401 or refused:
        what = f"{answer.url} answers {answer.status} {message}".strip()
        if not given:
            what += "; no key was sent"
        remedy = f"put the provider's key into the environment variable {variable}"
        return broken("key", what, remedy, cause=Cause.AUTH)
    if answer.status == 403:
        return warning(
            "key",
            f"{answer.url} answers 403 {message}".strip(),
            "the key may be limited to some requests; may it use this model?",
        )
    if answer.status == 200 and not _is_html(answer.body):
        return ok("key", f"accepted ({variable})" if given else "none was sent, none is required")
    return None


def model_finding(answer: ServerAnswer, model_id: str) -> Finding:
    """Whether the server lists the model."""
    names = [name for name, _ in _models(answer.body)] if answer.status == 200 else []
    if not names:
        how = f"answers {answer.status}" if answer.status else "does not answer"
        return ok("model", f"{model_id}: not checked, the server lists no models ({how})")
    if any(_is_same(name, model_id) for name in names):
        return ok("model", f"{model_id} is one of {len(names):,} that the server lists")
    near = difflib.get_close_matches(model_id, names, n=NAMES_SHOWN_MAX, cutoff=0.4)
    shown = near or names[:NAMES_SHOWN_MAX]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return warning(
        "model",
        f"{model_id!r} is not one of the {len(names):,} models that the server lists",
        f"it lists {', '.join(shown)}{more}",
    )


def context_of(answer: ServerAnswer, model_id: str) -> int | None:
    """The model's context length in tokens; None if the answer does not have it."""
    if answer.status != 200:
        return None
    value = _loaded(answer.body)
    if isinstance(value, Mapping):
        settings = value.get("default_generation_settings")
        if found := _context_in(value) or _context_in(settings):
            return found
    models = list(_models(answer.body))
    same = [entry for name, entry in models if _is_same(name, model_id)]
    if not same and len(models) == 1:
        same = [models[0][1]]
    return next((found for entry in same if (found := _context_in(entry))), None)


def has_live_context(answer: ServerAnswer) -> bool:
    """True if an answer has the context length that the server runs with, not the model's limit."""
    return any(f'"{key}"'.encode() in answer.body for key in LIVE_KEYS)


def context_finding(tokens: int, prompt: PromptSize, products: int) -> Finding:
    """Whether prompts of a size fit into a context.

    Args:
        tokens: Context length.
        prompt: Prompt size.
        products: Number of products that agents trade.
    """
    needed = CONTEXT_OF.get(prompt, TOKENS_PER_PRODUCT * products + OTHER_TOKENS)
    if tokens >= needed:
        return ok("context", f"{tokens:,} tokens")
    smaller = next((size for size in CONTEXT_OF if tokens >= CONTEXT_OF[size]), "tiny")
    remedy = f'set prompt = "{smaller}", or start the server with a larger context'
    if prompt in (smaller, "tiny"):
        remedy = "start the server with a larger context, or trade fewer products"
    what = f"{tokens:,} tokens; a {prompt} prompt takes about {needed:,} with its answer"
    return warning("context", what, remedy, cause=Cause.CONTEXT_LENGTH)


def cost_findings(model_id: str, prices: PriceList, daily_tokens: int) -> list[Finding]:
    """Whether the price of a model is known, and whether a daily budget allows calls.

    Args:
        model_id: Model id, as the provider spells it.
        prices: Prices of the known models.
        daily_tokens: The budget; 0 for no limit.
    """
    price = prices.of(model_id)
    if price is not None:
        figures = f"${price.prompt:f} in, ${price.completion:f} out per million tokens"
        found = [ok("price", f"{figures} ({price.source})")]
    else:
        text = f"the price of {model_id} is unknown; a budget in dollars is refused"
        remedy = "price_per_million = { input = 0.1, output = 0.4 }, or --price for a single node"
        found = [warning("price", text, remedy)]
    if daily_tokens >= CALL_TOKENS:
        found.append(ok("budget", f"{daily_tokens:,} tokens per UTC day"))
    elif daily_tokens:
        text = f"{daily_tokens:,} tokens per UTC day: one call takes about {CALL_TOKENS:,}"
        remedy = "the first call of a day is made, the next is refused; raise daily_token_budget"
        found.append(warning("budget", text, remedy))
    return found


def cutoff_findings(model_id: str, own: str = "") -> list[Finding]:
    """The training cut-off of a model: what it may know about the prices.

    Args:
        model_id: Model id, as the provider spells it.
        own: The operator's value; "" for none.
    """
    if own:
        return [ok("training data", f"up to {own} (as given)")]
    known = load_cutoffs().of(model_id)
    if known is not None:
        return [ok("training data", f"up to {known.month} ({known.source})")]
    text = 'its end is unknown; set cutoff = "2025-08", or --cutoff for a single node'
    return [ok("training data", text)]


def _error_text(body: bytes) -> str:
    """The message in an error body, or the start of the body."""
    value = _loaded(body)
    if isinstance(value, list) and value:
        value = value[0]
    for key in ("error", "message", "detail"):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
    text = value if isinstance(value, str) else ""
    if not text and not _is_html(body):
        text = body[:TEXT_CHARS_MAX].decode("utf-8", "replace")
    return one_line(text, TEXT_CHARS_MAX)


def _is_html(body: bytes) -> bool:
    return body.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))


def _loaded(body: bytes) -> JsonValue:
    try:
        value: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value


def _models(body: bytes) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    """Name and entry of each listed model, for all known forms of the list."""
    value = _loaded(body)
    if isinstance(value, Mapping):
        value = value.get("data") or value.get("models")
    if not isinstance(value, Sequence) or isinstance(value, str):
        return
    for entry in value[:MODELS_MAX]:
        if not isinstance(entry, Mapping):
            continue
        name = next((entry[k] for k in ("id", "model_name", "name", "key") if entry.get(k)), None)
        if isinstance(name, str):
            yield name, entry


def _is_same(listed: str, wanted: str) -> bool:
    """True for the same id, ignoring the folder and `:latest` that some servers add."""
    forms = {listed, listed.removeprefix("models/"), listed.removesuffix(":latest")}
    if listed.endswith("*"):
        return wanted.startswith(listed.rstrip("*"))
    return wanted in forms or wanted.removeprefix("models/") in forms


def _context_in(entry: object) -> int | None:
    """The first context length in an entry or in its known sub-tables."""
    if not isinstance(entry, Mapping):
        return None
    inner = (entry.get(key) for key in ("meta", "model_info", "top_provider", "limits"))
    tables = [entry, *(table for table in inner if isinstance(table, Mapping))]
    for key in CONTEXT_KEYS:
        for table in tables:
            value = table.get(key)
            if type(value) is int and 0 < value <= CONTEXT_MAX:
                return value
    return None
