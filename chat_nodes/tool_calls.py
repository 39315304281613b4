"""Reads the tool calls of a message, from the protocol's field or what servers use instead. Pure.

A call that may not be what the model meant is kept with a `problem`, which is reported to the
model, and is not carried out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson

from arena.chat_body import FUNCTION
from arena.messages import JsonObject, RequestedCall
from chat_nodes.json_values import Json, parse_object
from chat_nodes.texts import NAME_CHARS_MAX, clean_text, cut_bytes

REMEDY = "call the tool through the tool interface; this one was not carried out"
TOOL_CALLS_MAX = 16
ARGUMENTS_BYTES_MAX = 8 * 1024
"""Largest arguments of one call."""
PROVIDER_BYTES_MAX = 32 * 1024
"""Largest size of the provider's own fields of one call, as JSON."""
PROVIDER_TOTAL_BYTES_MAX = 64 * 1024
"""Largest size of the provider's own fields of all calls of a message, as JSON."""
PROVIDER_DEPTH_MAX = 32

CUT_PROBLEM = (
    "the answer was cut at the token limit, so this call may be incomplete; send it again, shorter"
)
TWO_OBJECTS_PROBLEM = (
    "two JSON objects run together in the arguments; send one call with one object for each"
)
UNWRITABLE_PROBLEM = "the arguments cannot be written as JSON; send one flat JSON object"
QUALIFIER = "functions."
"""Prefix of tool names that OpenAI's models add."""

_ARGUMENTS = ("arguments", "parameters", "input", "args")
_CALL_FIELDS = frozenset({"id", "type", "function", "custom", "index", "name", *_ARGUMENTS})
_FUNCTION_FIELDS = frozenset({"name", "arguments"})
_SURROGATES = re.compile("[\ud800-\udfff]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL = re.compile("[\x00-\x1f]")
_LENIENT = json.JSONDecoder(strict=False)


@dataclass(slots=True)
class ReadCalls:
    """The calls of a message.

    Attributes:
        notes: What was left out; recorded with the call.
    """

    calls: list[RequestedCall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def structured_calls(
    message: Mapping[str, Json], parts: Sequence[Json], tools: Sequence[str]
) -> ReadCalls:
    """The calls of a message outside its text.

    Args:
        message: The message of a choice.
        parts: The parts of its content that are calls.
        tools: Names of the offered tools.
    """
    found = ReadCalls()
    value = message.get("tool_calls")
    if value is not None:
        _read(found, _items(value, found.notes), tools)
    if not found.calls and message.get("function_call"):
        _read(found, [{"function": message["function_call"]}], tools)
    if not found.calls and parts:
        _read(found, parts, tools)
    return found


def text_call(index: int, name: str, arguments: str) -> RequestedCall:
    """The call for a name and arguments that were recovered from text."""
    bounded, problem = _bounded(arguments)
    return RequestedCall(
        model_call_id=f"call_{index}",
        name=name,
        arguments=bounded,
        recovered=True,
        problem=problem,
    )


def mark_cut_calls(calls: Sequence[RequestedCall]) -> list[RequestedCall]:
    """Mark calls of an answer that met the token limit: the last one, and any malformed one."""
    last = len(calls) - 1
    return [
        call
        if call.problem or (i < last and parse_object(call.arguments) is not None)
        else call.model_copy(update={"problem": CUT_PROBLEM})
        for i, call in enumerate(calls)
    ]


def canonical_arguments(arguments: str) -> str:
    """A canonical form of arguments: spaces, order and quotes around numbers do not count.

    Args:
        arguments: JSON text; any other text is returned unchanged.
    """
    try:
        value = _DIGITS.decode(arguments)
        return repr(value) if isinstance(value, tuple) else arguments
    except (ValueError, RecursionError):
        return arguments


def json_bytes(value: Json) -> int | None:
    """The size of a value as JSON; None if it is too deep, or cannot be written."""
    if not _is_shallow(value, 0):
        return None
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        return None


def _sorted_pairs(pairs: list[tuple[str, Json]]) -> tuple[tuple[str, Json], ...]:
    """An object as sorted pairs; a key may occur twice, and numbers are texts already."""
    names = {True: "true", False: "false"}
    pairs.sort(key=lambda pair: pair[0])
    return tuple((k, names[v] if isinstance(v, bool) else v) for k, v in pairs)


_DIGITS = json.JSONDecoder(
    strict=False, parse_float=str, parse_int=str, object_pairs_hook=_sorted_pairs
)


def _items(value: Json, notes: list[str]) -> Sequence[Json]:
    """The entries of `tool_calls`: a list, one call, calls by id, or any of these as JSON text."""
    if not value:
        return ()
    if isinstance(value, str) and value.strip():
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            value = 0
    if value in (None, ""):
        return ()
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if "function" in value or "name" in value:
            return [value]
        if value and all(isinstance(call, dict) for call in value.values()):
            return [{"id": key, **cast(dict[str, Json], call)} for key, call in value.items()]
        if not value:
            return ()
    notes.append("the tool calls are not a list")
    return ()


def _read(found: ReadCalls, items: Sequence[Json], tools: Sequence[str]) -> None:
    used: set[str] = set()
    seen: set[tuple[str, str, str]] = set()
    requested = cut = unreadable = provider_bytes = 0
    for item in items:
        if item is None:
            continue
        requested += 1
        if len(found.calls) == TOOL_CALLS_MAX:
            continue
        parts = _parts(item)
        if parts is None:
            unreadable += 1
            continue
        outer, function, received = parts
        name = _name(function.get("name"), tools)
        text, problem = _arguments(received)
        received_id = _id(outer.get("id"))
        if received_id:
            same = (received_id, name, canonical_arguments(text))
            if same in seen:
                # One call that the server delivered twice.
                requested -= 1
                continue
            seen.add(same)
        bounded, too_long = _bounded(text)
        cut += bool(too_long)
        provider, size = _provider(outer, function)
        if size > PROVIDER_BYTES_MAX or provider_bytes + size > PROVIDER_TOTAL_BYTES_MAX:
            found.notes.append(f"{size:,} bytes of the provider's fields of a call were left out")
            provider, size = {}, 0
        provider_bytes += size
        found.calls.append(
            RequestedCall(
                model_call_id=_unique_id(received_id, len(found.calls), used),
                name=name,
                arguments=bounded,
                problem=problem or too_long,
                provider=provider,
            )
        )
    if requested > TOOL_CALLS_MAX:
        text = f"{requested:,} tool calls were asked for, {TOOL_CALLS_MAX} are carried out"
        found.notes.append(text)
    if unreadable:
        found.notes.append(f"{unreadable} tool calls have no function")
    if cut:
        text = f"the arguments of {cut} calls were cut to {ARGUMENTS_BYTES_MAX:,} bytes"
        found.notes.append(text)


def _parts(item: Json) -> tuple[dict[str, Json], dict[str, Json], Json] | None:
    """The call, its function, and its arguments; None if it is not a call."""
    if isinstance(item, str):
        item = parse_object(item)
    if not isinstance(item, dict):
        return None
    function = item.get("function", item.get("custom"))
    if isinstance(function, str):
        # Flat, with the name under "function".
        function = parse_object(function) or {"name": function, "arguments": _first_arguments(item)}
    elif function is None and "name" in item:
        function = {"name": item["name"], "arguments": _first_arguments(item)}
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    return item, function, _first_arguments(function) if arguments is None else arguments


def _first_arguments(holder: Mapping[str, Json]) -> Json:
    return next((holder[key] for key in _ARGUMENTS if holder.get(key) is not None), None)


def _name(value: Json, tools: Sequence[str]) -> str:
    """The name as received, without the prefix "functions." if that leaves an offered tool."""
    name = clean_text(value, NAME_CHARS_MAX) if isinstance(value, str) else ""
    if name not in tools and name.startswith(QUALIFIER) and name[len(QUALIFIER) :] in tools:
        return name[len(QUALIFIER) :]
    return name


def _id(value: Json) -> str:
    if isinstance(value, str):
        return clean_text(value, NAME_CHARS_MAX)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return ""


def _unique_id(received_id: str, index: int, used: set[str]) -> str:
    wanted = received_id or f"call_{index}"
    name, copy = wanted, 1
    while name in used:
        copy += 1
        name = f"{wanted}-{copy}"
    used.add(name)
    return name


def _arguments(value: Json) -> tuple[str, str]:
    """The arguments as text, unchanged if they are not an object, and what is wrong with them."""
    if value is None:
        return "{}", ""
    if not isinstance(value, str):
        try:
            return orjson.dumps(value).decode(), ""
        except orjson.JSONEncodeError:
            return "{}", UNWRITABLE_PROBLEM
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return _unusual(value)
    if isinstance(found, str):
        # Encoded twice, if an object comes out.
        return (found, "") if parse_object(found) is not None else (value, "")
    return ("{}", "") if found is None else (value, "")


def _unusual(text: str) -> tuple[str, str]:
    """Arguments that are not valid JSON: empty, with control characters, two objects, malformed."""
    plain = _SURROGATES.sub("\ufffd", text).strip(" \t\r\n\ufeff")
    if not plain:
        return "{}", ""
    if not plain.startswith("{"):
        return plain, ""
    try:
        _, end = _LENIENT.raw_decode(plain)
        rest = plain[end:].strip(" \t\r\n,;")
        if rest.startswith("{") and isinstance(_LENIENT.raw_decode(rest)[0], dict):
            return plain, TWO_OBJECTS_PROBLEM
        if not rest:
            # Only raw control characters were wrong; NaN and the like are not accepted.
            repaired = _QUOTED.sub(_escaped, plain)
            return (repaired, "") if parse_object(repaired) is not None else (plain, "")
    except (ValueError, RecursionError):
        pass
    return plain, ""


def _escaped(match: re.Match[str]) -> str:
    return _CONTROL.sub(lambda control: f"\\u{ord(control[0]):04x}", match[0])


def _bounded(text: str) -> tuple[str, str]:
    bounded = cut_bytes(text, ARGUMENTS_BYTES_MAX)
    if bounded == text:
        return text, ""
    bound = f"{ARGUMENTS_BYTES_MAX:,}"
    return bounded, f"the arguments are longer than {bound} bytes; send the call again, shorter"


def _provider(outer: Mapping[str, Json], function: Mapping[str, Json]) -> tuple[JsonObject, int]:
    """Fields that are not in the protocol, and their size; above the bound if not writable."""
    if not (outer.keys() - _CALL_FIELDS or function.keys() - _FUNCTION_FIELDS):
        return {}, 0
    inside = function.items() if function is not outer else ()
    inner = {k: v for k, v in inside if k not in _CALL_FIELDS and v is not None}
    found: dict[str, Json] = {FUNCTION: inner} if inner else {}
    found |= {k: v for k, v in outer.items() if k not in _CALL_FIELDS and v is not None}
    if not found:
        return {}, 0
    size = json_bytes(found)
    return cast(JsonObject, found), PROVIDER_BYTES_MAX + 1 if size is None else size


def _is_shallow(value: Json, depth: int) -> bool:
    if depth > PROVIDER_DEPTH_MAX:
        return False
    inner: Iterator[Json] = iter(())
    if isinstance(value, dict):
        inner = iter(value.values())
    elif isinstance(value, list):
        inner = iter(value)
    return all(_is_shallow(item, depth + 1) for item in inner)
