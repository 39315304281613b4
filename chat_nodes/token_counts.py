"""Reads the token counts of an answer, under the names that providers use. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from chat_nodes.json_values import Json

TOKENS_MAX = 1_000_000_000
"""A larger count for one call is a provider's mistake and is ignored."""
DIGITS_MAX = 24

_PROMPT = ("prompt_tokens", "input_tokens", "prompt_eval_count")
_COMPLETION = ("completion_tokens", "output_tokens", "eval_count")
_PROMPT_DETAILS = ("prompt_tokens_details", "prompt_token_details", "input_tokens_details")
_COMPLETION_DETAILS = ("completion_tokens_details", "output_tokens_details")
_CACHED = (
    "prompt_cache_hit_tokens",
    "cached_tokens",
    "num_cached_tokens",
    "cache_read_input_tokens",
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of a call.

    Attributes:
        reported: False if the provider did not report them: the cost is then unknown.
    """

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0
    reported: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt + self.completion


def tokens_of(body: Mapping[str, Json]) -> Tokens:
    """The token counts of a response: in its usage, in that of its choice, or in Groq's field."""
    usage = body.get("usage")
    if not isinstance(usage, dict) or not usage:
        usage = _elsewhere(body)
    return _tokens(usage) if usage else Tokens()


def _elsewhere(body: Mapping[str, Json]) -> Mapping[str, Json]:
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    for holder in (first, body.get("x_groq"), first and _get(first, "message"), body):
        usage = _get(holder, "usage")
        if isinstance(usage, dict) and usage:
            return usage
    return {}


def _tokens(usage: Mapping[str, Json]) -> Tokens:
    prompt = _first(usage, _PROMPT)
    completion = _first(usage, _COMPLETION)
    total = _count(usage.get("total_tokens"))
    if completion is None and prompt is not None and total is not None and total >= prompt:
        completion = total - prompt
    cached = _detail(usage, _PROMPT_DETAILS, "cached_tokens")
    if cached is None:
        cached = _first(usage, _CACHED)
    reasoning = _detail(usage, _COMPLETION_DETAILS, "reasoning_tokens")
    if reasoning is None:
        reasoning = _count(usage.get("reasoning_tokens")) or 0
    if completion is not None and reasoning:
        # xAI counts reasoning in addition to the completion, the protocol counts it as a part.
        apart = total is not None and total == (prompt or 0) + completion + reasoning
        if apart or reasoning > completion:
            completion = min(completion + reasoning, TOKENS_MAX)
    # A server that reports 0 for a prompt has not counted.
    reported = bool(prompt) and completion is not None
    return Tokens(
        prompt=prompt or 0,
        completion=completion or 0,
        reasoning=reasoning,
        cached=min(cached or 0, prompt or 0),
        reported=reported,
    )


def _first(usage: Mapping[str, Json], names: tuple[str, ...]) -> int | None:
    for name in names:
        if (count := _count(usage.get(name))) is not None:
            return count
    return None


def _detail(usage: Mapping[str, Json], outer: tuple[str, ...], inner: str) -> int | None:
    for name in outer:
        if (count := _count(_get(usage.get(name), inner))) is not None:
            return count
    return None


def _get(holder: Json, name: str) -> Json:
    return holder.get(name) if isinstance(holder, dict) else None


def _count(value: Json) -> int | None:
    """A count written as a whole number, as 30.0 or as text; None if it is not a count."""
    if isinstance(value, str):
        digits = value.strip()
        whole, point, rest = digits.partition(".")
        if len(digits) > DIGITS_MAX or not (whole.isascii() and whole.isdigit()):
            return None
        if point and rest.strip("0"):
            return None
        value = int(whole)
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= TOKENS_MAX else None
