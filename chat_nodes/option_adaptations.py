"""Adaptations of a request's options after a refusal: names, bounds and values. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from chat_nodes.dialect import (
    EFFORT,
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    SEEDS,
    TOKEN_LIMITS,
    Adaptation,
    Dialect,
    RefusedRequest,
)
from chat_nodes.refusals import Refusal
from chat_nodes.refused_fields import UNSUPPORTED, is_named, named_fields

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Values of `reasoning_effort`, the lowest first."""
ENABLE_THINKING = "enable_thinking"

_I = re.IGNORECASE
_UNSUPPORTED = re.compile(UNSUPPORTED, _I)
_ABOUT_LIMIT = re.compile(
    r"max_?(?:completion_?|output_?|new_?)?tokens|maximum (?:number of )?(?:output|completion) tok",
    _I,
)
_TOOLS_AND_EFFORT = re.compile(r"\btools?\b[^\n]{0,80}reasoning|reasoning[^\n]{0,80}\btools?\b", _I)
_NO_THINKING = re.compile(r"enable_thinking[^\n]{0,40}(?:false|non-stream)", _I)
_THINKING = re.compile(r"\bthinking\b", _I)
_BOTH = re.compile(r"\bboth\b|together|simultaneously|mutually|at the same time", _I)
_ONLY_STREAM = re.compile(
    r"only supports? (?:the )?stream|"
    r"stream\s?(?:=|must be|should be|to be)(?: set to)?\s?[`'\"]?true|"
    r"(?:enable|set) the stream|non-?streaming [^\n]{0,40}not supported|streaming is required",
    _I,
)
_NUMBER = r"[`'\"]?(\d[\d,]{0,11}(?:\.\d{1,6})?)"
_MOST = (
    rf"[\[(]\s?\d[\d.]{{0,12}}\s?,\s?{_NUMBER}\s?[\])]",
    rf"between [`'\"]?\d[\d.,]{{0,12}}[`'\"]? and {_NUMBER}",
    rf"at most {_NUMBER}",
    rf"(?:less|smaller|lower) than(?: or equal to)? {_NUMBER}",
    rf"<=? {_NUMBER}",
    rf"> {_NUMBER}",
    rf"\b(?:max(?:imum)?|upper|limit|exceeds?)\b[^.\n\d]{{0,60}}{_NUMBER}",
)
_LEAST = (
    rf"at least {_NUMBER}",
    rf"(?:greater|more|larger) than(?: or equal to)? {_NUMBER}",
    rf">= {_NUMBER}",
    rf"\bminimum\b[^.\n\d]{{0,40}}{_NUMBER}",
)


def token_limit(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Change the cap on completion tokens: its bound, else its name, else omit it."""
    name = next((n for n in TOKEN_LIMITS if n in refused.options), None)
    if name is None:
        return None
    value = refused.options[name]
    if refusal.context is not None:
        remaining = refusal.context.answer_tokens_max
        # The prompts of later rounds are longer.
        return None if remaining is None else _cap(dialect, name, value, remaining - remaining // 4)
    named = _named(refusal, refused)
    if name not in named and (named or not _ABOUT_LIMIT.search(refusal.text)):
        return None
    if (bounded := _within_bounds(dialect, refusal, name, value)) is not None:
        return bounded
    other = MAX_COMPLETION_TOKENS if name == MAX_TOKENS else MAX_TOKENS
    if _form(other) in dialect.refused_forms or _form(name) in dialect.refused_forms:
        return _omit(dialect, [name])
    return dialect.change(
        _form(name),
        f"{other} instead of {name}",
        token_limit=other,
        renamed={**dialect.renamed, name: other},
    )


def affordable_limit(
    dialect: Dialect, refusal: Refusal, refused: RefusedRequest
) -> Adaptation | None:
    """Lower the cap on completion tokens to what the account can still pay for."""
    most = refusal.affordable_tokens
    if most is None:
        return None
    name = next((n for n in TOKEN_LIMITS if n in refused.options), None)
    if name is not None:
        return _cap(dialect, name, refused.options[name], most)
    name = dialect.token_limit
    if name in dialect.omitted:
        return None
    phrase = f"{name} = {most}"
    return dialect.change(f"cap:{name}:{most}", phrase, fixed={**dialect.fixed, name: most})


def thinking(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Change thinking or effort if it cannot be combined with tools or an unstreamed answer."""
    text = refusal.text
    if _NO_THINKING.search(text):
        fixed = {**dialect.fixed, ENABLE_THINKING: False}
        return dialect.change("thinking", "enable_thinking = false", fixed=fixed)
    effort = refused.options.get(EFFORT)
    if refused.has_tools and _TOOLS_AND_EFFORT.search(text) and EFFORT not in dialect.omitted:
        fixed = {**dialect.fixed, EFFORT: "none"}
        none = dialect.change("effort none", 'reasoning_effort = "none"', fixed=fixed)
        return none or (_omit(dialect, [EFFORT]) if effort is not None else None)
    if effort is None:
        return None
    # Ollama calls it "reasoning value" and lists the values it takes.
    is_listed = re.search(r"reasoning|think", text, _I) and len(_listed(text, effort)) > 1
    if EFFORT not in _named(refusal, refused) and not is_listed:
        return None
    return _effort(dialect, text, effort)


def streaming(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Ask for a stream if the model only streams; it is read to its end."""
    if "stream" in refused.options or not _ONLY_STREAM.search(refusal.text):
        return None
    return dialect.change("stream", "stream = true", fixed={**dialect.fixed, "stream": True})


def _listed(text: str, effort: JsonValue) -> list[str]:
    """The other efforts that a text names."""
    return [e for e in EFFORTS if e != effort and re.search(rf"[`'\"\s(\[,]{e}\b", text, _I)]


def _effort(dialect: Dialect, text: str, effort: JsonValue) -> Adaptation | None:
    """Use the nearest effort that a text lists, or omit the effort."""
    listed = [e for e in _listed(text, effort) if _effort_form(e) not in dialect.refused_forms]
    if effort not in EFFORTS or not listed or (_BOTH.search(text) and _THINKING.search(text)):
        return _omit(dialect, [EFFORT])
    rank = EFFORTS.index(str(effort))
    # Of two equally near efforts: prefer one other than "none", then the lower one.
    nearest = min(listed, key=lambda e: (abs(EFFORTS.index(e) - rank), e == "none"))
    fixed = {**dialect.fixed, EFFORT: nearest}
    changed = dialect.change(_effort_form(effort), f'reasoning_effort = "{nearest}"', fixed=fixed)
    return changed or _omit(dialect, [EFFORT])


def _effort_form(effort: JsonValue) -> str:
    return f"effort:{effort}"


def seed_name(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Rename the seed if the refusal has the provider's own name for it."""
    for name, other in (SEEDS, SEEDS[::-1]):
        if (
            name in refused.options
            and other not in refused.options
            and is_named(other, refusal.text)
        ):
            renamed = {**dialect.renamed, name: other}
            if _form(other) in dialect.refused_forms:
                return None
            return dialect.change(_form(name), f"{other} instead of {name}", renamed=renamed)
    return None


def options_by_name(
    dialect: Dialect, refusal: Refusal, refused: RefusedRequest
) -> Adaptation | None:
    """Bound the option that the refusal names, if it states a bound; else omit what it names."""
    if refusal.context is not None:
        return None
    named = _named(refusal, refused)
    if not named:
        return None
    if len(named) > 1 and _BOTH.search(refusal.text):
        named = named[-1:]
    if len(named) == 1 and not _UNSUPPORTED.search(refusal.text):
        value = refused.options[named[0]]
        if (bounded := _within_bounds(dialect, refusal, named[0], value)) is not None:
            return bounded
    return _omit(dialect, named)


def all_options(dialect: Dialect, refused: RefusedRequest) -> Adaptation | None:
    """Guess: omit every option that no refusal required; the token cap, which bounds cost, last."""
    free = [name for name in refused.options if name not in dialect.fixed]
    return _omit(dialect, [n for n in free if n not in TOKEN_LIMITS] or free)


def _named(refusal: Refusal, refused: RefusedRequest) -> list[str]:
    return named_fields(refusal.params, refusal.text, refused.options)


def _form(name: str) -> str:
    return f"option:{name}"


def _omit(dialect: Dialect, names: Sequence[str]) -> Adaptation | None:
    omitted_now = [name for name in names if name not in dialect.omitted]
    if not omitted_now:
        return None
    fixed = {name: value for name, value in dialect.fixed.items() if name not in omitted_now}
    phrases = tuple(p for p in dialect.phrases if p.split(" ", 1)[0] not in omitted_now)
    refused_forms = dialect.refused_forms | {_form(name) for name in omitted_now}
    return replace(dialect, phrases=phrases, refused_forms=refused_forms).change(
        "without:" + ",".join(omitted_now),
        f"without {', '.join(omitted_now)}",
        omitted=dialect.omitted | set(omitted_now),
        fixed=fixed,
    )


def _within_bounds(
    dialect: Dialect, refusal: Refusal, name: str, value: JsonValue
) -> Adaptation | None:
    """Bound a value by the maximum or minimum that the refusal states."""
    if not _is_number(value):
        return None
    number = float(str(value))
    if (most := _most(refusal.text, number)) is not None:
        return _cap(dialect, name, value, most)
    least = _least(refusal.text, number)
    if least is None or least > dialect.capped.get(name, least):
        return None
    floored = {**dialect.floored, name: least}
    return dialect.change(
        f"floor:{name}", f"{name} at least {_number_text(least)}", floored=floored
    )


def _cap(dialect: Dialect, name: str, value: JsonValue, most: float) -> Adaptation | None:
    """Cap a value; a cap is always lower than before, so that the adaptation ends."""
    least = dialect.floored.get(name, 0.0)
    if not _is_number(value) or not max(least, 0.0) < most < float(str(value)):
        return None
    phrases = tuple(p for p in dialect.phrases if not p.startswith(f"{name} at most"))
    phrase = f"{name} at most {_number_text(most)}"
    capped = {**dialect.capped, name: most}
    return replace(dialect, phrases=phrases).change(f"cap:{name}:{most}", phrase, capped=capped)


def _most(text: str, value: float) -> float | None:
    """The first stated maximum below a value."""
    numbers = (float(m[1].replace(",", "")) for p in _MOST for m in re.finditer(p, text, _I))
    return next((number for number in numbers if 0 < number < value), None)


def _least(text: str, value: float) -> float | None:
    """The first stated minimum above a value."""
    numbers = (float(m[1].replace(",", "")) for p in _LEAST for m in re.finditer(p, text, _I))
    return next((number for number in numbers if number > value), None)


def _number_text(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
