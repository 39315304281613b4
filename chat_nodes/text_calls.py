"""Tool calls that a model wrote as text: found, or reported to the model. Pure, bounded.

A call is recovered only if it is addressed to an offered tool by its own name, and all of it could
be read. The same call written twice, in whatever shapes, is one. Tokens that only a call begins
with may follow other words; JSON without them must be the whole of the text or of a fence. A call
that is quoted, or that words after it may take back, is told and not carried out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from arena.messages import RequestedCall
from chat_nodes.suspected_calls import (
    BARE_CALL,
    NOT_CARRIED_OUT,
    QUOTED,
    SuspectedCall,
    retraction,
    suspected_calls,
)
from chat_nodes.text_shapes import (
    ARGUMENT_KEYS,
    ELEMENT,
    NAME,
    WRAPPER,
    ParsedCalls,
    WrittenCall,
    calls_at,
)
from chat_nodes.texts import clean_text
from chat_nodes.thoughts import SplitText
from chat_nodes.tool_calls import canonical_arguments

MARKERS_MAX = 48
"""Places of one text that are tried."""
SEEN_CHARS_MAX = 40
PREFIXES = ("functions.", "default_api.")
"""Names of tools are qualified with these by the models of OpenAI and Google."""
REMEDY = "call the tool through the tool interface; this one was not carried out"

_BESIDE = f"a call as text beside calls of the tool interface {NOT_CARRIED_OUT}"
_IN_FENCE = f"a fence among other words {NOT_CARRIED_OUT}; send it alone"
_FENCE_LANGUAGES = frozenset({"tool_call", "tool_calls", "tool_code", "tool_use", "function_call"})
_CODE_LANGUAGES = frozenset({"", "json", "jsonc", "json5", "python", "py", "tool", "text", "xml"})
_LOST_HEAD = r"<\|tool_call_argument_begin\|>"
_MARKER = re.compile(
    rf"(?P<wrapper>{WRAPPER})|(?P<element>{ELEMENT})|(?P<head>{_LOST_HEAD})"
    r"|```(?P<language>[\w+\-]{0,20})[ \t]*\n?"
    rf"|^Action:[ \t]*`?(?P<action>{NAME})`?[ \t]*\r?\n+Action Input:[ \t]*",
    re.MULTILINE,
)
_STRONG = re.compile(rf"{WRAPPER}|{ELEMENT}|{_LOST_HEAD}")
_HEAD_NAME = re.compile(rf"{NAME}(?::\d{{1,6}})?\s{{0,4}}\Z")
_END_TOKENS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "</s>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_EMPTY_FENCE = re.compile(r"```\w{0,20}\s{0,8}```")
_RESIDUE = "]<]minimax[>["
_PYTHON_CALL = re.compile(
    rf"(?:^[ \t]*\[?|\[)\s{{0,4}}({NAME})\(\s{{0,4}}(?:[A-Za-z_]\w{{0,63}}\s{{0,2}}=|[{{)\"'\d\[])",
    re.MULTILINE,
)
_PRINTED = re.compile(r"\A\s*print\((?P<call>.*)\)\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RecoveredCalls:
    """What was found in a text.

    Attributes:
        text: Without the calls that were recovered.
        calls: Of offered tools, in order.
        unreadable: One sentence for the model, if words of a call could not be read.
    """

    text: str
    calls: tuple[WrittenCall, ...] = ()
    unreadable: str = ""


def recover(spoken: SplitText, tools: Sequence[str]) -> RecoveredCalls:
    """The calls in a text.

    Args:
        spoken: The text without its thoughts.
        tools: Names of the offered tools; without any nothing is looked for.
    """
    search = _searched(spoken, tools)
    if search is None:
        return RecoveredCalls(spoken.text)
    for name in spoken.hidden_calls:
        search.note(name, "a call inside a thought is not carried out")
    return search.result()


def _searched(spoken: SplitText, tools: Sequence[str]) -> "_Search | None":
    text = spoken.text
    addressed = spoken.calls or spoken.hidden_calls
    if not tools or not (addressed or _may_hold_calls(text, tools)):
        return None
    text = _without_end(text.replace(_RESIDUE, "")) if "<" in text else text
    search = _Search(text, tuple(tools))
    for name, arguments in spoken.calls:
        search.addressed(name, arguments)
    if not search.whole():
        search.scan()
    return search


def unsent_text_call(spoken: SplitText, tools: Sequence[str], made: Sequence[RequestedCall]) -> str:
    """The sentence for a model that wrote a call as text beside others; "" if it did not.

    Args:
        spoken: The text without its thoughts.
        tools: Names of the offered tools.
        made: The calls of the tool interface: they are carried out, and those of the text are not.
    """
    search = _searched(spoken, tools)
    return search.beside(made) if search else ""


def call_in_thoughts(thought: str, tools: Sequence[str]) -> str:
    """The sentence for a model whose only call is inside its thoughts; "" if there is none."""
    marker = _STRONG.search(thought)
    if marker is None or not any(tool in thought for tool in tools):
        return ""
    return unreadable(thought[marker.start() :], "a call inside a thought is not carried out")


def offered_tool(name: str, tools: Sequence[str]) -> str:
    """The tool that a name means; "" if none is."""
    if name in tools:
        return name
    for prefix in PREFIXES:
        if name.startswith(prefix) and name.removeprefix(prefix) in tools:
            return name.removeprefix(prefix)
    return ""


def unreadable(seen: str, why: str) -> str:
    """The sentence for a model whose call could not be read."""
    shown = clean_text(seen, SEEN_CHARS_MAX)
    reason = f" ({clean_text(why, 200)})" if why else ""
    return f"your answer holds {shown!r} but not a tool call that can be read{reason}; {REMEDY}"


def _without_end(text: str) -> str:
    """The text without the tokens that end it, however many; in one pass from its end."""
    end = len(text)
    while True:
        while end and text[end - 1].isspace():
            end -= 1
        token = next((one for one in _END_TOKENS if text.endswith(one, 0, end)), "")
        if not token:
            return text[:end]
        end -= len(token)


def _may_hold_calls(text: str, tools: Sequence[str]) -> bool:
    if "<" in text or "[" in text or "{" in text or "`" in text or "product_id" in text:
        return True
    return any(tool in text for tool in tools)


@dataclass(frozen=True, slots=True)
class _Place:
    """What was found at a marker, and why its calls are not carried out although they are read."""

    start: int
    end: int
    found: ParsedCalls
    refused: str


class _Search:
    """One pass over a text."""

    def __init__(self, text: str, tools: tuple[str, ...]) -> None:
        self._text = text
        self._tools = tools
        self._kept: list[str] = []
        self._calls: list[WrittenCall] = []
        self._made: set[tuple[str, str]] = set()
        self._told: list[SuspectedCall] = []

    def addressed(self, name: str, arguments: str) -> None:
        """A call that a channel held."""
        self._take(calls_at(f"{name}[ARGS]{arguments}", 0), f"to={name} {arguments}")

    def whole(self) -> bool:
        """True if the text is calls in JSON or Python and nothing else."""
        text = self._text.strip()
        if not text.startswith(("{", "[", "print(", *self._tools, *PREFIXES)):
            return False
        found = self._bare(text)
        if found is None:
            return False
        self._take(found, text[:SEEN_CHARS_MAX])
        return True

    def scan(self) -> None:
        """Look for tokens that begin a call, and for fences."""
        text, last = self._text, 0
        for place in self._judged(list(self._places())):
            seen = text[place.start : place.start + SEEN_CHARS_MAX]
            if place.refused and place.found.calls:
                self._tell(place, seen)
            elif self._take(place.found, seen):
                self._kept.append(text[last : place.start])
                last = place.end
        self._kept.append(text[last:])
        rest = "".join(self._kept)
        if all(self._is_made(near) for near in self._told):
            self._told += suspected_calls(
                rest, self._tools, lambda name: offered_tool(name, self._tools)
            )

    def result(self) -> RecoveredCalls:
        """What was found."""
        text = self._text
        if self._calls:
            text = _EMPTY_FENCE.sub("", "".join(self._kept)).strip()
        told = next((near for near in self._told if not self._is_made(near)), None)
        return RecoveredCalls(
            text, tuple(self._calls), unreadable(told.seen, told.why) if told else ""
        )

    def beside(self, made: Sequence[RequestedCall]) -> str:
        """The sentence for a model that made calls through the tool interface, and these as text.

        Words without the name of a tool, or that speak of a tool that was called, are not one:
        who is told that an order was not carried out sends it again.
        """
        written = [
            SuspectedCall(
                c.name, canonical_arguments(c.arguments), f"{c.name} {c.arguments}", _BESIDE
            )
            for c in self._calls
        ]
        self._made = {(call.name, canonical_arguments(call.arguments)) for call in made}
        names = {call.name for call in made}
        for near in (*written, *self._told):
            name = near.name or next((tool for tool in self._tools if tool in near.seen), "")
            unclear = not near.form and (name in names or not name)
            if not unclear and not self._is_made(near):
                return unreadable(near.seen, near.why)
        return ""

    def _is_made(self, near: SuspectedCall) -> bool:
        """True if words only repeat a call that is carried out."""
        if near.form and not near.name:
            return any(near.form == form for _, form in self._made)
        return bool(near.name) and (
            (near.name, near.form) in self._made
            or (not near.form and any(near.name == name for name, _ in self._made))
        )

    def _places(self) -> Iterator[_Place]:
        text = self._text
        place = tried = fence_end = fence_start = 0
        fence_refused = ""
        while (marker := _MARKER.search(text, place)) is not None:
            place = marker.end()
            tried += 1
            if tried > MARKERS_MAX:
                self.note(marker[0], "it holds too many of them")
                return
            fenced = marker["language"] is not None
            if fenced and not marker["language"] and marker.start() + 3 == fence_end:
                continue
            quoted = text[marker.start() - 1 : marker.start()] == "`"
            quoted = quoted and marker.start() != fence_start
            if quoted and fenced:
                continue
            start, found = self._at(marker)
            if found is None:
                if fenced:
                    close = text.find("```", marker.end())
                    fence_start, fence_end = marker.end(), close + 3 if close >= 0 else len(text)
                    own = (marker["language"] or "").lower() in _FENCE_LANGUAGES
                    fence_refused = "" if own or not self._in_prose() else _IN_FENCE
                continue
            if quoted and not any(offered_tool(call.name, self._tools) for call in found.calls):
                continue
            refused = found.refused or (fence_refused if start < fence_end else "")
            if found.calls:
                place = max(found.end, marker.end())
            yield _Place(start, place, found, QUOTED if quoted else refused)

    def _judged(self, places: list[_Place]) -> list[_Place]:
        """The places with what the words around them mean, from the last to the first."""
        text, judged = self._text, list(places)
        for i in range(len(places) - 1, -1, -1):
            one = judged[i]
            if one.refused or not one.found.calls:
                continue
            since = places[i - 1].end if i else 0
            until = places[i + 1].start if i + 1 < len(places) else len(text)
            refused = retraction(text, one.start, one.end, since, until)
            if not refused and i + 1 < len(places) and not text[one.end : until].strip():
                refused = judged[i + 1].refused
            judged[i] = replace(one, refused=refused)
        return judged

    def _at(self, marker: re.Match[str]) -> tuple[int, ParsedCalls | None]:
        """What begins at a marker, and where; None if it is not a call after all."""
        text = self._text
        if marker["wrapper"]:
            return marker.start(), calls_at(text, marker.end())
        if marker["element"]:
            return marker.start(), calls_at(text, marker.start())
        if marker["head"]:
            near = max(0, marker.start() - 140)
            name = _HEAD_NAME.search(text[near : marker.start()])
            start = near + name.start() if name else marker.start()
            return start, calls_at(text, start)
        if marker["action"]:
            arguments = calls_at(f"{marker['action']}[ARGS]{text[marker.end() :]}", 0)
            arguments.end += marker.end() - len(marker["action"]) - len("[ARGS]")
            return marker.start(), arguments
        return marker.start(), self._fenced(marker)

    def _fenced(self, marker: re.Match[str]) -> ParsedCalls | None:
        """A fence whose whole content is calls."""
        language = (marker["language"] or "").lower()
        if language not in _CODE_LANGUAGES and language not in _FENCE_LANGUAGES:
            return None
        end = self._text.find("```", marker.end())
        content = self._text[marker.end() : end if end >= 0 else len(self._text)].strip()
        found = self._bare(content)
        if found is None and language in _FENCE_LANGUAGES and not _MARKER.search(content):
            found = ParsedCalls(0, problem="its content is not a call")
        if found is not None and found.calls and language in _CODE_LANGUAGES and self._in_prose():
            # "I hold; a buy would be ..." must not buy.
            found.refused = _IN_FENCE
        if found is not None:
            found.end = end + 3 if end >= 0 else len(self._text)
        return found

    def _in_prose(self) -> bool:
        """True if there are words outside the fences."""
        return bool(_FENCE.sub("", self._text).strip())

    def _bare(self, text: str) -> ParsedCalls | None:
        """Calls without tokens around them, if a text is nothing else and names a tool."""
        if printed := _PRINTED.match(text):
            text = printed["call"].strip()
        python = text.startswith((*self._tools, *PREFIXES))
        if not python and not text.startswith(("{", "[")):
            return None
        found = calls_at(text, 0)
        if found.calls and not found.problem and not text[found.end :].strip():
            known = any(offered_tool(call.name, self._tools) for call in found.calls)
            return found if known or any(f'"{key}"' in text for key in ARGUMENT_KEYS) else None
        call = _PYTHON_CALL.match(text)
        if call and offered_tool(call[1], self._tools):
            return ParsedCalls(len(text), problem=found.problem or "more follows the call")
        if BARE_CALL.match(text) and any(tool in text for tool in self._tools):
            return ParsedCalls(len(text), problem=found.problem or "more follows the call")
        return None

    def _take(self, found: ParsedCalls, seen: str) -> bool:
        """Keep the calls, each once; True if there are any of offered tools."""
        taken = False
        for call in found.calls:
            if name := offered_tool(call.name, self._tools):
                taken = True
                same = (name, canonical_arguments(call.arguments))
                if same not in self._made:
                    self._made.add(same)
                    self._calls.append(WrittenCall(name, call.arguments))
            else:
                tools = ", ".join(self._tools[:8])
                self.note(seen, f"there is no tool {call.name[:64]!r}; the tools are {tools}")
        if found.problem or not found.calls:
            self.note(seen, found.problem or "no call follows")
        return taken

    def _tell(self, place: _Place, seen: str) -> None:
        for call in place.found.calls:
            name = offered_tool(call.name, self._tools)
            self._told.append(
                SuspectedCall(name, canonical_arguments(call.arguments), seen, place.refused)
            )

    def note(self, seen: str, why: str) -> None:
        """Remember what could not be read; the first counts."""
        self._told.append(SuspectedCall("", "", seen, why))
