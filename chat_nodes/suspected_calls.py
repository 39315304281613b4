"""Words that look like a call but are not carried out: quoted, retracted, or naming no tool. Pure.

No order may come from words that the model only mentions. Such words are reported to the model,
which then sends the call through the tool interface, or says that it did not mean it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chat_nodes.argument_notations import InvalidNotation, json_at, json_text, python_call_at
from chat_nodes.text_shapes import NAME, calls_at
from chat_nodes.tool_calls import canonical_arguments

NOT_CARRIED_OUT = "is not carried out"
IN_QUOTES = f"a call in quotation marks {NOT_CARRIED_OUT}"
AMONG_WORDS = f"a call with other words after it, or about what you would do, {NOT_CARRIED_OUT}"
REPORT_IN_WORDS = "if it only reports what was done, say so in words"
NO_NAME = f"an object without the name of a tool {NOT_CARRIED_OUT}; {REPORT_IN_WORDS}"
IN_PYTHON = f"a call in Python among other words {NOT_CARRIED_OUT}; {REPORT_IN_WORDS}"
NAMED = f"a tool's name with arguments among other words {NOT_CARRIED_OUT}; {REPORT_IN_WORDS}"
READ_CHARS_MAX = 10_000
"""Longest part of a text that is read as one call: its arguments are bounded, too."""
CLOSING_CHARS_MAX = 300
"""Longest text after a call that is taken for a closing remark."""
BEFORE_CHARS_MAX = 200
MATCHES_MAX = 48
"""Matches of one pattern in a text that are looked at."""

_QUOTES = "\"'`“‘«„「"
_RESULT = re.compile(
    r"<\|?/?(?:tool|function)_(?:response|result|output)|<result>|^Observation:", re.MULTILINE
)
_TAG = re.compile(r"<[^<>\n]{1,60}>|```")
_DOUBT_BEFORE = re.compile(
    r"\bwould(?! like)|\bexample\b|\be\.g\.|\bsuch as\b|\binstead of\b|\bhypothetical"
    r"|(?:\bnot|n['’]t) (?:send|call|make|place|do|want|trade|buy|sell|carry|execute)\b",
    re.IGNORECASE,
)
_DOUBT_AFTER = re.compile(
    r"\b(?:if|would|could|might|not|never|hold|holding|instead|example|unless|but|however)\b"
    r"|n['’]t\b|\bhypothetical|\be\.g\.|\bsuch as\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?]\s|\n\s{0,8}\n")
BARE_CALL = re.compile(
    r'^[ \t]*[\[{]{1,4}\s{0,8}"(?:name|tool|tool_name|function|function_call|tool_calls|type)"\s?:',
    re.MULTILINE,
)
_PYTHON = re.compile(
    rf"(?<![\w.\-])({NAME})\(\s{{0,4}}(?:[A-Za-z_]\w{{0,63}}\s{{0,2}}="
    r"|[{(\"'\d\[]|[A-Z][A-Z0-9]{1,9}-[A-Z])"
)
_KEYS = "name|tool|tool_name|function|function_name|recipient_name|action|command|call"
_OPEN = r"\\?[\"'“‘]"
_CLOSE = r"\\?[\"'”’]"
_NAMED = re.compile(
    rf"{_OPEN}(?:{_KEYS}){_CLOSE}\s{{0,4}}:\s{{0,4}}{_OPEN}({NAME}){_CLOSE}"
    rf"|{_OPEN}({NAME}){_CLOSE}\s{{0,4}}:\s{{0,4}}[\[{{]"
)
_REPORTED = r"(?:status|order_?id|filled\w*|executed\w*|result|fill_price|fees?)"
_LINE = re.compile(
    r"^[ \t]{0,8}(?:[-*>]\s)?[`*\"']{0,3}(?:"
    rf"({NAME})[`*\"']{{0,3}}(?:[ \t]?:?\s{{0,4}}\{{|:?[ \t]{{1,4}}[A-Za-z_]\w{{0,63}}="
    rf"|:[ \t]*\r?\n[ \t]{{1,8}}(?:- )?(?!{_REPORTED})[\"']?[A-Za-z_]\w{{0,63}}[\"']?[ \t]?[:=])"
    rf"|(?i:{_KEYS})[`*\"']{{0,3}}[ \t]?[:=][`*\"']{{0,3}}[ \t]{{0,4}}[`*\"']{{0,3}}({NAME})"
    r"[`*\"']{0,3}(?:\s{0,8}\Z"
    r"|[ \t,;]{0,4}(?:\r?\n)?[ \t]{0,8}(?:\{|\W{0,4}(?i:arg|param|input))))",
    re.MULTILINE,
)
_ESCAPED = re.compile(
    r"(?:&lt;|[＜‹〈])\s?\|?(?:\w{1,16}:)?(?i:tool|function|invoke)"
    r"|<(?:\w{1,16}:)?(?i:tool_?calls?|function_?calls?|tool_use|tool|function|invoke)\s"
)
_FLAT = re.compile(r"\{[^{}]{0,600}(?:\}|\Z)")
_WHOLE = re.compile(r"\A(?:```\w{0,20})?\s{0,8}([\[{].*[\]}])\s{0,8}(?:```)?\Z", re.DOTALL)
_SIDE = re.compile(
    rf"\b(?:action|side|order_side|decision|signal|order|trade|direction|operation|type){_CLOSE}?"
    rf"\s{{0,4}}[:=]\s{{0,4}}{_OPEN}?(?:buy|sell|long|short|purchase)\b",
    re.IGNORECASE,
)
_PRODUCT = re.compile(
    rf"\b(?:product_?id|product|symbol|ticker|pair|asset|instrument|coin){_CLOSE}?\s{{0,4}}[:=]",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    rf"\b(?:quantity|qty|amount|size|units|volume){_CLOSE}?\s{{0,4}}[:=]", re.IGNORECASE
)
_STATED_SIDE = re.compile(rf"\b(?:action|side|decision|signal){_CLOSE}?\s{{0,4}}[:=]", re.I)
_REPORT = re.compile(rf"\b{_REPORTED}{_CLOSE}?\s{{0,4}}[:=]", re.IGNORECASE)

ToolLookup = Callable[[str], str]
"""Returns the offered tool that a name means; "" if there is none."""


@dataclass(frozen=True, slots=True)
class SuspectedCall:
    """Words that look like a call.

    Attributes:
        name: Name of the tool; "" if it is not known.
        arguments: Arguments as `canonical_arguments` returns them; "" if they could not be read.
        excerpt: The first of the words.
        reason: Why they are not carried out.
    """

    name: str
    arguments: str
    excerpt: str
    reason: str


def retraction(text: str, start: int, end: int, since: int, until: int) -> str:
    """Why a call may only be mentioned, judged by the words around it; "" if it is meant.

    Args:
        text: The text of an answer.
        start: Start of the call.
        end: End of the call.
        since: End of the call before it.
        until: Start of the next call.
    """
    end = start + len(text[start:end].rstrip())
    before = text[max(since, start - BEFORE_CHARS_MAX) : start]
    if before[-1:] and before[-1] in _QUOTES and not before.endswith("```"):
        return IN_QUOTES
    if _DOUBT_BEFORE.search(_SENTENCE.split(before)[-1]):
        return AMONG_WORDS
    after = text[end : min(until, end + 2 * CLOSING_CHARS_MAX)]
    result = _RESULT.search(after)
    after = after[: result.start()] if result else after
    line, _, rest = _TAG.sub("", after).partition("\n")
    if line.strip(" \t\r.;!") and not _begins_call(line):
        return AMONG_WORDS
    rest = rest.strip()
    if not rest or _begins_call(rest):
        return ""
    doubtful = rest[0].islower() or rest[0] in ",;:)-–—" or len(rest) > CLOSING_CHARS_MAX
    # The patterns know English only, so words of other scripts leave a doubt.
    foreign = any(letter.isalpha() and not letter.isascii() for letter in rest)
    return AMONG_WORDS if doubtful or foreign or _DOUBT_AFTER.search(rest) else ""


def _begins_call(words: str) -> bool:
    words = words.lstrip()
    return words.startswith(("{", "[")) or _PYTHON.match(words) is not None


def suspected_calls(
    text: str, tools: tuple[str, ...], offered_tool: ToolLookup
) -> Iterator[SuspectedCall]:
    """Words that look like a call but have none of its special tokens, the most certain first."""
    for bare in _first(BARE_CALL, text):
        rest = text[bare.start() :].lstrip()
        if name := next((tool for tool in tools if f'"{tool}"' in rest), ""):
            reason = f"JSON among other words {NOT_CARRIED_OUT}"
            yield from _read(rest, name, reason, offered_tool)
    for call in _first(_PYTHON, text):
        if name := offered_tool(call[1]):
            try:
                excerpt = text[call.start() : call.start() + READ_CHARS_MAX]
                arguments = canonical_arguments(python_call_at(excerpt, 0)[1])
            except InvalidNotation:
                arguments = ""
            yield SuspectedCall(name, arguments, text[call.start() : call.start() + 40], IN_PYTHON)
    for tool in tools:
        for tag in (f"<{tool}>", f"<{tool} "):
            position = text.find(tag)
            if position >= 0 and text[position - 1 : position] != "`":
                yield SuspectedCall(tool, "", tag, "a tag with the name of a tool is not a call")
    for escaped in _first(_ESCAPED, text):
        rest = text[escaped.start() :]
        if name := next((tool for tool in tools if tool in rest), ""):
            yield SuspectedCall(
                name, "", rest[:40], f"a tag that is escaped or odd {NOT_CARRIED_OUT}"
            )
            break
    for match in _first(_NAMED, text):
        start = max(0, text.rfind("{", 0, match.start() + 1))
        reports = _REPORT.search(text[start : start + 600].partition("}")[0])
        if (name := offered_tool(match[1] or match[2])) and not reports:
            yield from _read(text[start:], name, NAMED, offered_tool)
    for match in _first(_LINE, text):
        if name := offered_tool(match[1] or match[2]):
            yield SuspectedCall(name, "", match[0].strip(), NAMED)
    yield from _unnamed(text)


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for count, match in enumerate(pattern.finditer(text)):
        if count == MATCHES_MAX:
            return
        yield match


def _read(rest: str, name: str, reason: str, offered_tool: ToolLookup) -> Iterator[SuspectedCall]:
    """The calls at the start of a text; one call without arguments if none can be read."""
    found = calls_at(rest[:READ_CHARS_MAX], 0)
    known = [(tool, call) for call in found.calls if (tool := offered_tool(call.name))]
    for tool, call in known:
        yield SuspectedCall(tool, canonical_arguments(call.arguments), rest[:40], reason)
    if not known:
        yield SuspectedCall(name, "", rest[:40], reason)


def _unnamed(text: str) -> Iterator[SuspectedCall]:
    """Objects that have the arguments of an order but do not name a tool."""
    plain = text.strip()
    whole = _WHOLE.match(plain)
    alone = (plain, whole[1] if whole else "")
    for match in _first(_FLAT, text):
        if _is_order(match[0], alone=match[0].rstrip() in alone):
            yield SuspectedCall("", _arguments_of(match[0]), match[0][:40], NO_NAME)
    if whole and _is_order(whole[1], alone=False):
        yield SuspectedCall("", _arguments_of(whole[1]), whole[1][:40], NO_NAME)
    if "product_id" in text and "{" not in text and len(text) <= 600:
        keys = [line.strip(" \t-*`\"'").split(":")[0].rstrip("*`\"' ") for line in text.split("\n")]
        if {"product_id", "quantity"} <= set(keys) and _is_order(text, alone=False):
            yield SuspectedCall("", "", text.strip()[:40], NO_NAME)


def _is_order(words: str, *, alone: bool) -> bool:
    if _REPORT.search(words):
        return False
    product, quantity = _PRODUCT.search(words), _QUANTITY.search(words)
    if _SIDE.search(words):
        return bool(product or quantity)
    return bool(alone and product and quantity and not _STATED_SIDE.search(words))


def _arguments_of(words: str) -> str:
    try:
        return canonical_arguments(json_text(json_at(words, 0)[0]))
    except InvalidNotation:
        return ""
