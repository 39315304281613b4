"""Tool calls at a place in a text, in the shapes that models are trained to write. Pure.

The shapes: JSON with a name and arguments (Hermes, Qwen, Llama, Mistral, LM Studio), XML with
parameters (Qwen3-Coder, MiniMax, Anthropic, DeepSeek's DSML), GLM's keys and values, Python calls
(Llama 4), Gemma's `call:`, `name[ARGS]{...}` (Mistral), Kimi's and DeepSeek's own tokens. A server
that does not know the shape of its model leaves such words in the answer's text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chat_nodes.argument_notations import (
    InvalidNotation,
    gemma_call_at,
    json_at,
    json_text,
    python_call_at,
)

CALLS_MAX = 32
PARAMETERS_MAX = 64
DEPTH_MAX = 4
NAME = r"[A-Za-z_][\w.\-]{0,127}"

NAME_KEYS = ("name", "tool_name", "tool", "function_name", "function", "recipient_name", "action")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "action_input", "kwargs", "tool_input")
PLAIN_KEYS = frozenset({"name", "type", "id", "index", "function", "tool", "tool_name"})

WRAPPER = (
    r"<(?:\w{1,16}:)?(?i:tool_calls?|toolcalls?|function_calls?|functioncall|tool_use)>"
    r"|<\|(?:tool_calls?|tool_call_start|function_call|python_tag|action_start|plugin)\|>"
    r"|<\|(?:START_ACTION|tools_prefix)\|>|<\|tool_call>|<start_function_call>"
    r"|<｜DSML｜function_calls>"
    r"|\[(?:TOOL_CALLS?|TOOL_REQUEST)\]|<｜tool▁calls?▁begin｜>|<\|tool_calls?(?:_section)?_begin\|>"
)
"""Tokens after which a model writes calls and nothing else."""
ELEMENT = (
    rf"<function(?:=|\s+name=)[\"']?{NAME}|<(?:｜DSML｜|\w{{1,16}}:)?invoke\s+name=[\"']?{NAME}"
    rf"|<(?:tool_call|function_call|tool_use)\s+name=[\"']?{NAME}"
)
"""The start of a call that names its tool in a tag."""
_CLOSER = (
    r"</(?:｜DSML｜|\w{1,16}:)?(?i:tool_calls?|toolcalls?|function_calls?|functioncall|tool_use"
    r"|function|invoke)>"
    r"|<\|(?:tool_calls?_end|tool_calls?_section_end|action_end|call|im_end|eom_id|eot_id|end)\|>"
    r"|<\|(?:/tool_calls?|END_ACTION|tools_suffix)\|>"
    r"|<｜tool▁calls?▁end｜>|<tool_call\|>|<end_function_call>"
    r"|\[(?:END_TOOL_REQUEST|/TOOL_CALLS?|/TOOL_REQUEST)\]|</s>"
)

_BLANK = re.compile(r"[\s;,]*")
_OPENERS = re.compile(rf"(?:\s|{WRAPPER})*")
_CLOSERS = re.compile(rf"(?:[\s;,]|{_CLOSER})*")
_NEXT = re.compile(rf"{WRAPPER}|{ELEMENT}")
_NEXT_UNCLOSED = re.compile(rf"[{{\[]|call:|{NAME}(?:\[CALL_ID\][\w\-]{{0,64}})?(?:\[ARGS\]|\()")
_ELEMENT = re.compile(
    rf"<(?:(?P<f>function)(?:=|\s+name=)|(?:｜DSML｜|\w{{1,16}}:)?invoke\s+name="
    r"|(?:tool_call|function_call|tool_use)\s+name=)[\"']?"
    rf"(?P<name>{NAME})[\"']?\s{{0,8}}(?P<open>>|\(|(?=\{{))"
)
_PARAMETER = re.compile(
    r"\s*<(?:｜DSML｜|\w{1,16}:)?parameter(?:=|\s+name=)[\"']?"
    r"(?P<key>[\w.\-]{1,128})[\"']?[^<>]{0,64}>"
)
_PARAMETER_END = re.compile(r"</(?:｜DSML｜|\w{1,16}:)?parameter>")
_ENDS = r"</(?:｜DSML｜|\w{1,16}:)?(?:function|invoke|tool_call|function_call|tool_use)>"
_VALUE_END = re.compile(rf"</?(?:｜DSML｜|\w{{1,16}}:)?parameter\b|{_ENDS}")
_ELEMENT_END = re.compile(rf"\s*(?:\)\s*)?{_ENDS}")
_GLM_PAIR = re.compile(r"\s*<arg_key>(?P<key>[^<]{1,128})</arg_key>\s*<arg_value>")
_NAME_AT = re.compile(NAME)
_AFTER_NAME = re.compile(
    r"(?::\d{1,6})?\s*<\|tool_call_argument_begin\|>\s*"
    r"|(?:\[CALL_ID\][\w\-]{0,64})?\[ARGS\]\s*|\s*<(?:｜tool▁sep｜|tool_sep)>\s*|\s*(?=\{|```)"
)
_FENCE = re.compile(r"\s*```(?:json)?\s*")
_FENCE_END = re.compile(r"\s*```")


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as it was found; the name may be that of no tool.

    Attributes:
        arguments: JSON text of an object.
    """

    name: str
    arguments: str


@dataclass(slots=True)
class ParsedCalls:
    """What was read at a place.

    Attributes:
        end: Where it ends, with the tokens that close it.
        problem: Why the rest could not be read; "" if all could.
        refused: Why the calls are not carried out although they could be read.
    """

    end: int
    calls: list[WrittenCall] = field(default_factory=list)
    problem: str = ""
    refused: str = ""


def calls_at(text: str, place: int) -> ParsedCalls:
    """All calls that follow each other from a place on."""
    found = ParsedCalls(place)
    while len(found.calls) < CALLS_MAX:
        start = _past(_OPENERS, text, found.end)
        if start >= len(text) or _past(_CLOSERS, text, start) > start:
            found.problem = found.problem or ("" if found.calls else "no call follows")
            break
        try:
            calls, end = _item_at(text, start)
        except InvalidNotation as error:
            found.problem = str(error)
            break
        found.calls += calls
        closed = _past(_CLOSERS, text, end)
        unclosed = closed == _past(_BLANK, text, end)
        found.end = closed
        if not (_NEXT.match(text, closed) or (unclosed and _NEXT_UNCLOSED.match(text, closed))):
            break
    return found


def _past(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def _item_at(text: str, place: int) -> tuple[list[WrittenCall], int]:
    letter = text[place]
    if letter == "<":
        return _element_at(text, place)
    if text.startswith("call:", place):
        name, arguments, end = gemma_call_at(text, place)
        return [WrittenCall(name, arguments)], end
    if letter in "{[":
        try:
            value, end = json_at(text, place)
        except InvalidNotation:
            if letter == "[" and (found := _python_list(text, place)):
                return found
            raise
        if not (calls := list(calls_in(value))):
            raise InvalidNotation("it does not name a tool and its arguments")
        return calls, end
    return _named_at(text, place)


def calls_in(value: Any, depth: int = 0) -> Iterator[WrittenCall]:
    """The calls that a JSON value is, or holds in a list; Any: any JSON value.

    Raises:
        NotReadable: A part of it is a call whose arguments are not an object.
    """
    if depth > DEPTH_MAX:
        return
    if isinstance(value, list):
        for item in value[:CALLS_MAX]:
            calls = list(calls_in(item, depth + 1))
            if not calls:
                raise InvalidNotation("the list holds more than calls")
            yield from calls
    elif isinstance(value, dict):
        if isinstance(value.get("tool_calls"), list):
            yield from calls_in(value["tool_calls"], depth + 1)
        elif isinstance(inner := value.get("function") or value.get("function_call"), dict):
            yield from calls_in(inner, depth + 1)
        else:
            name = next((v for k in NAME_KEYS if isinstance(v := value.get(k), str) and v), "")
            key = next((k for k in ARGUMENT_KEYS if k in value), "")
            if name and (key or value.keys() <= PLAIN_KEYS):
                yield WrittenCall(name, _arguments(value.get(key)))


def _arguments(value: Any) -> str:
    """An object as JSON text; Any: any JSON value, which may be an object as text."""
    if value is None:
        return "{}"
    if isinstance(value, str) and value.strip():
        value, end = json_at(value.strip(), 0)
        if not isinstance(value, Mapping) or not end:
            raise InvalidNotation("the arguments are not an object")
    if value == "":
        return "{}"
    if not isinstance(value, dict):
        raise InvalidNotation("the arguments are not an object")
    return json_text(value)


def _element_at(text: str, place: int) -> tuple[list[WrittenCall], int]:
    match = _ELEMENT.match(text, place)
    if match is None:
        raise InvalidNotation("it does not name a tool")
    place = match.end()
    blank = len(text[place:]) - len(text[place:].lstrip())
    if text.startswith("{", place + blank):
        value, place = json_at(text, place + blank)
        arguments = _arguments(value)
    else:
        values, place = _parameters_at(text, place)
        arguments = _object(values)
    if not match["open"] and text.startswith(">", place):
        place += 1
    return [WrittenCall(match["name"], arguments)], _past(_ELEMENT_END, text, place)


def _parameters_at(text: str, place: int) -> tuple[dict[str, str], int]:
    values: dict[str, str] = {}
    while (match := _PARAMETER.match(text, place)) is not None:
        end = _VALUE_END.search(text, match.end())
        if end is None or match["key"] in values or len(values) >= PARAMETERS_MAX:
            raise InvalidNotation(f"the parameter {match['key']} is cut, or given twice")
        values[match["key"]] = text[match.end() : end.start()].strip()
        closed = _PARAMETER_END.match(text, end.start())
        place = closed.end() if closed else end.start()
    if not _ELEMENT_END.match(text, place):
        raise InvalidNotation("its closing tag is missing")
    return values, place


def _named_at(text: str, place: int) -> tuple[list[WrittenCall], int]:
    """A call that begins with the bare name of its tool."""
    match = _NAME_AT.match(text, place)
    if match is None:
        raise InvalidNotation("it does not name a tool")
    name, place = match[0], match.end()
    if text.startswith("(", place):
        name, arguments, end = python_call_at(text, match.start())
        return [WrittenCall(name, arguments)], end
    if _GLM_PAIR.match(text, place):
        return _glm_at(text, name, place)
    after = _AFTER_NAME.match(text, place)
    if after is None:
        if text[place : _past(_CLOSERS, text, place)].strip("; ,\n\r\t"):
            return [WrittenCall(name, "{}")], place
        raise InvalidNotation("no arguments follow the name")
    place = after.end()
    if name == "function" and "sep" in after[0] and (match := _NAME_AT.match(text, place)):
        name, place = match[0], match.end()
    fence = _FENCE.match(text, place)
    value, end = json_at(text, fence.end() if fence else place)
    if fence and (closed := _FENCE_END.match(text, end)):
        end = closed.end()
    return [WrittenCall(name, _arguments(value))], end


def _glm_at(text: str, name: str, place: int) -> tuple[list[WrittenCall], int]:
    values: dict[str, str] = {}
    while (match := _GLM_PAIR.match(text, place)) is not None:
        end = text.find("</arg_value>", match.end())
        key = match["key"].strip()
        if end < 0 or key in values or len(values) >= PARAMETERS_MAX:
            raise InvalidNotation(f"the argument {key} is cut, or given twice")
        values[key] = text[match.end() : end].strip()
        place = end + len("</arg_value>")
    return [WrittenCall(name, _object(values))], place


def _python_list(text: str, place: int) -> tuple[list[WrittenCall], int] | None:
    """`[name(...), name(...)]`; None if it does not begin like that."""
    place += 1
    calls: list[WrittenCall] = []
    while len(calls) < CALLS_MAX:
        blank = len(text[place : place + 64]) - len(text[place : place + 64].lstrip(" \n\t,"))
        place += blank
        if text.startswith("]", place):
            return (calls, place + 1) if calls else None
        match = _NAME_AT.match(text, place)
        if match is None or not text.startswith("(", match.end()):
            return None
        name, arguments, place = python_call_at(text, place)
        calls.append(WrittenCall(name, arguments))
    return None


def _object(values: Mapping[str, str]) -> str:
    """Values of tags as an object: texts, but for what is plainly an object or a list."""
    return json_text({key: _value(text) for key, text in values.items()})


def _value(text: str) -> Any:
    """Any: a text or what `json_at` gives."""
    if text[:1] in ("{", "["):
        try:
            value, end = json_at(text, 0)
        except InvalidNotation:
            return text
        return value if end == len(text) else text
    return text
