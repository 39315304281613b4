"""Joins the chunks of a streamed answer. Pure.

The protocol: https://platform.openai.com/docs/api-reference/chat-streaming. Servers differ: the
index of a tool call may be missing or repeated, its id may come with the first piece only, usage
may come with the last chunk, inside the choice or under `x_groq`, and an error may be an event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chat_nodes.json_values import Json, parse_object

CALLS_MAX = 256
"""Tool calls that are joined; the pieces of further calls are skipped."""
CHECKS_MAX = 64
"""Times the arguments of one call are parsed to check whether they are complete."""
CUT = "the provider's stream ended before the answer did"


@dataclass(slots=True)
class _Call:
    index: Json
    item: dict[str, Json] = field(default_factory=dict)
    function: dict[str, Json] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    checks: int = 0

    def is_complete(self) -> bool:
        """True if the pieces make an object; False after `CHECKS_MAX` checks."""
        self.checks += 1
        if self.checks > CHECKS_MAX or not self.pieces or self.pieces[-1].rstrip()[-1:] != "}":
            return False
        text = "".join(self.pieces)
        return text.lstrip().startswith("{") and parse_object(text) is not None

    def add(self, item: dict[str, Json], function: dict[str, Json]) -> None:
        self.item |= {k: v for k, v in item.items() if k != "function" and v not in (None, "")}
        for name, value in function.items():
            if name == "arguments" and isinstance(value, str):
                self.pieces.append(value)
            elif value not in (None, ""):
                self.function[name] = value

    def to_json(self) -> dict[str, Json]:
        function = dict(self.function)
        if self.pieces:
            function["arguments"] = "".join(self.pieces)
        return self.item | {"function": function}


@dataclass(slots=True)
class _Choice:
    texts: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, Json] = field(default_factory=dict)
    parts: list[Json] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    function_call: _Call = field(default_factory=lambda: _Call(0))
    finish: Json = None
    error: Json = None

    def add(self, delta: dict[str, Json]) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                self._add_calls(value)
            elif name == "function_call":
                if isinstance(value, dict):
                    self.function_call.add({}, value)
            elif name == "content" and isinstance(value, list):
                self.parts += value
            elif isinstance(value, str) and name != "role":
                self.texts.setdefault(name, []).append(value)
            elif isinstance(value, list) and isinstance(known := self.fields.get(name), list):
                _merge(known, value)
            elif value is not None:
                self.fields[name] = value

    def _add_calls(self, value: Json) -> None:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                function = item.get("function")
                function = function if isinstance(function, dict) else {}
                if (call := self._call_of(item, function)) is not None:
                    call.add(item, function)

    def _call_of(self, item: dict[str, Json], function: dict[str, Json]) -> _Call | None:
        """The call that a piece belongs to; a new id or name begins a new call."""
        index, call_id, name = item.get("index"), item.get("id"), function.get("name")
        known = None
        for call in reversed(self.calls):
            if index is not None and call.index != index:
                continue
            if index is not None or call_id in (None, "", call.item.get("id")):
                known = call
                break
        if known is not None and not _begins_new(known, call_id, name):
            return known
        if len(self.calls) >= CALLS_MAX:
            return None
        self.calls.append(_Call(index))
        return self.calls[-1]

    def to_json(self, index: int) -> dict[str, Json]:
        message: dict[str, Json] = {"role": "assistant", **self.fields}
        for name, pieces in self.texts.items():
            message[name] = "".join(pieces)
        if self.parts:
            text = message.get("content")
            message["content"] = [*([text] if text else []), *self.parts]
        if self.calls:
            message["tool_calls"] = [call.to_json() for call in self.calls]
        if self.function_call.function:
            message["function_call"] = self.function_call.to_json()["function"]
        found: dict[str, Json] = {"index": index, "message": message, "finish_reason": self.finish}
        return found | ({"error": self.error} if self.error else {})


def is_chunk(value: Json) -> bool:
    """True if a value is one piece of a streamed answer."""
    if not isinstance(value, dict):
        return False
    if value.get("object") == "chat.completion.chunk":
        return True
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and "delta" in first and not first.get("message")


def assemble(values: Sequence[Json], *, done: bool) -> Json:
    """Join the values of a stream to one answer; an error object if the stream was cut.

    Args:
        values: Chunks in order, errors, or a complete answer that came as an event.
        done: True if the stream had an end marker.
    """
    choices: dict[int, _Choice] = {}
    usage: Json = None
    error: Json = None
    for value in values:
        if not isinstance(value, dict):
            continue
        found = value.get("choices")
        pieces = [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []
        if any(isinstance(piece.get("message"), dict) for piece in pieces):
            return value
        usage = _usage(value, pieces) or usage
        if not pieces:
            error = error or _error(value)
        for piece in pieces:
            _add(choices, piece)
    answer: dict[str, Json] = {"usage": usage}
    first = choices.get(min(choices)) if choices else None
    if first is not None and (first.finish or first.error or (done and error is None)):
        answer["choices"] = [choices[i].to_json(i) for i in sorted(choices)]
    elif error is None:
        error = {"message": CUT, "code": 502}
    if error is not None:
        answer["error"] = error
    return answer


def _add(choices: dict[int, _Choice], piece: dict[str, Json]) -> None:
    index = piece.get("index")
    choice = choices.setdefault(index if isinstance(index, int) else 0, _Choice())
    if isinstance(delta := piece.get("delta"), dict):
        choice.add(delta)
    choice.finish = piece.get("finish_reason") or choice.finish
    choice.error = piece.get("error") or choice.error


def _usage(value: dict[str, Json], pieces: Sequence[dict[str, Json]]) -> Json:
    groq = value.get("x_groq")
    inner = groq.get("usage") if isinstance(groq, dict) else None
    return value.get("usage") or inner or (pieces[0].get("usage") if pieces else None)


def _error(value: dict[str, Json]) -> Json:
    if error := value.get("error"):
        return error
    kind = value.get("type", value.get("object"))
    return value if kind == "error" or "message" in value else None


def _begins_new(call: _Call, call_id: Json, name: Json) -> bool:
    known_id, known_name = call.item.get("id"), call.function.get("name")
    if call_id and known_id and call_id != known_id:
        return True
    if not name or not known_name:
        return False
    return name != known_name or call.is_complete()


def _merge(known: list[Json], more: Sequence[Json]) -> None:
    """Merge pieces of lists such as `reasoning_details`: one entry per index and type."""
    for piece in more:
        last = known[-1] if known else None
        if not (isinstance(piece, dict) and isinstance(last, dict)) or any(
            piece.get(key) != last.get(key) for key in ("index", "type")
        ):
            known.append(piece)
            continue
        for name, value in piece.items():
            before = last.get(name)
            joins = name in ("text", "summary", "data") and isinstance(before, str)
            if joins and isinstance(value, str):
                last[name] = f"{before}{value}"
            elif value is not None:
                last[name] = value
