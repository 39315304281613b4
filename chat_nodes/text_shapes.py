"""Tool calls at a position in a text, in the shapes that models are trained to write. Pure.

The shapes: JSON with a name and arguments (Hermes, Qwen, Llama, Mistral, LM Studio), XML with
parameters (Qwen3-Coder, MiniMax, Anthropic, DeepSeek's DSML), GLM's keys and values, Python calls
(Llama 4), Gemma's `call:`, `name[ARGS]{...}` (Mistral), Kimi's and DeepSeek's own tokens. A server
that does not know the shape of its model leaves the call in the answer's text.
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
    """A call in a text; the name may not be that of a tool.

    Attributes:
        arguments: JSON text of an object.
    """

    name: str
    arguments: str


@dataclass(slots=True)
class ParsedCalls:
    """The calls at a position in a text.

    Attributes:
        end: Position after the calls and their closing tokens.
        problem: Why the rest could not be read; "" if all of it could.
        refused: Why the calls are not carried out although they could be read; else "".
    """

    end: int
    calls: list[WrittenCall] = field(default_factory=list)
    problem: str = ""
    refused: str = ""


def calls_at(text: str, position: int) -> ParsedCalls:
    """All calls that follow each other from a position on."""
    found = ParsedCalls(position)
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


def _past(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _item_at(text: str, position: int) -> tuple[list[WrittenCall], int]:
    letter = text[position]
    if letter == "<":
        return _element_at(text, position)
    if text.startswith("call:", position):
        name, arguments, end = gemma_call_at(text, position)
        return [WrittenCall(name, arguments)], end
    if letter in "{[":
        try:
            value, end = json_at(text, position)
        except InvalidNotation:
            if letter == "[" and (found := _python_list(text, position)):
                return found
            raise
        if not (calls := list(calls_in(value))):
            raise InvalidNotation("it does not name a tool and its arguments")
        return calls, end
    return _named_at(text, position)


def calls_in(value: Any, depth: int = 0) -> Iterator[WrittenCall]:
    """The calls in a JSON value: one, or several in a list. Any: any JSON value.

    Raises:
        InvalidNotation: The arguments of a call are not an object.
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
    """Arguments as JSON text. Any: any JSON value; an object may be written as text."""
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


def _element_at(text: str, position: int) -> tuple[list[WrittenCall], int]:
    match = _ELEMENT.match(text, position)
    if match is None:
        raise InvalidNotation("it does not name a tool")
    position = match.end()
    blank = len(text[position:]) - len(text[position:].lstrip())
    if text.startswith("{", position + blank):
        value, position = json_at(text, position + blank)
        arguments = _arguments(value)
    else:
        values, position = _parameters_at(text, position)
        arguments = _object(values)
    if not match["open"] and text.startswith(">", position):
        position += 1
    return [WrittenCall(match["name"], arguments)], _past(_ELEMENT_END, text, position)


def _parameters_at(text: str, position: int) -> tuple[dict[str, str], int]:
    values: dict[str, str] = {}
    while (match := _PARAMETER.match(text, position)) is not None:
        end = _VALUE_END.search(text, match.end())
        if end is None or match["key"] in values or len(values) >= PARAMETERS_MAX:
            raise InvalidNotation(f"the parameter {match['key']} is cut, or given twice")
        values[match["key"]] = text[match.end() : end.start()].strip()
        closed = _PARAMETER_END.match(text, end.start())
        position = closed.end() if closed else end.start()
    if not _ELEMENT_END.match(text, position):
        raise InvalidNotation("its closing tag is missing")
    return values, position


def _named_at(text: str, position: int) -> tuple[list[WrittenCall], int]:
    """A call that begins with the bare name of its tool."""
    match = _NAME_AT.match(text, position)
    if match is None:
        raise InvalidNotation("it does not name a tool")
    name, position = match[0], match.end()
    if text.startswith("(", position):
        name, arguments, end = python_call_at(text, match.start())
        return [WrittenCall(name, arguments)], end
    if _GLM_PAIR.match(text, position):
        return _glm_at(text, name, position)
    after = _AFTER_NAME.match(text, position)
    if after is None:
        if text[position : _past(_CLOSERS, text, position)].strip("; ,\n\r\t"):
            return [WrittenCall(name, "{}")], position
        raise InvalidNotation("no arguments follow the name")
    position = after.end()
    if name == "function" and "sep" in after[0] and (match := _NAME_AT.match(text, position)):
        name, position = match[0], match.end()
    fence = _FENCE.match(text, position)
    value, end = json_at(text, fence.end() if fence else position)
    if fence and (closed := _FENCE_END.match(text, end)):
        end = closed.end()
    return [WrittenCall(name, _arguments(value))], end


def _glm_at(text: str, name: str, position: int) -> tuple[list[WrittenCall], int]:
    values: dict[str, str] = {}
    while (match := _GLM_PAIR.match(text, position)) is not None:
        end = text.find("</arg_value>", match.end())
        key = match["key"].strip()
        if end < 0 or key in values or len(values) >= PARAMETERS_MAX:
            raise InvalidNotation(f"the argument {key} is cut, or given twice")
        values[key] = text[match.end() : end].strip()
        position = end + len("</arg_value>")
    return [WrittenCall(name, _object(values))], position


def _python_list(text: str, position: int) -> tuple[list[WrittenCall], int] | None:
    """`[name(...), name(...)]`; None if it does not begin like that."""
    position += 1
    calls: list[WrittenCall] = []
    while len(calls) < CALLS_MAX:
        blank = len(text[position : position + 64]) - len(
            text[position : position + 64].lstrip(" \n\t,")
        )
        position += blank
        if text.startswith("]", position):
            return (calls, position + 1) if calls else None
        match = _NAME_AT.match(text, position)
        if match is None or not text.startswith("(", match.end()):
            return None
        name, arguments, position = python_call_at(text, position)
        calls.append(WrittenCall(name, arguments))
    return None


def _object(values: Mapping[str, str]) -> str:
    """Values of tags as a JSON object: texts, except for values that are objects or lists."""
    return json_text({key: _value(text) for key, text in values.items()})


def _value(text: str) -> Any:
    """The value of a tag. Any: a text or a value of `json_at`."""
    if text[:1] in ("{", "["):
        try:
            value, end = json_at(text, 0)
        except InvalidNotation:
            return text
        return value if end == len(text) else text
    return text
