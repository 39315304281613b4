"""Tool calls that a model wrote as text: recovered, or reported to the model. Pure, bounded.

A call is recovered only if it names an offered tool exactly, and all of it could be read. The same
call written twice, in any shapes, is one call. A call that begins with special tokens may follow
other words; JSON without such tokens must be the whole text or the whole content of a fence. A call
that is quoted, or that the words around it may retract, is reported to the model and not carried
out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from arena.messages import RequestedCall
from chat_nodes.suspected_calls import (
    BARE_CALL,
    IN_QUOTES,
    NOT_CARRIED_OUT,
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
from chat_nodes.texts import clean_text, without_end_tokens
from chat_nodes.thoughts import SplitText, may_hold_calls
from chat_nodes.tool_calls import REMEDY, canonical_arguments

MARKERS_MAX = 48
"""Positions in one text at which a call is looked for."""
EXCERPT_CHARS_MAX = 40
PREFIXES = ("functions.", "default_api.")
"""Prefixes of tool names that models of OpenAI and Google add."""

_NOT_SENT = f"a call as text beside calls of the tool interface {NOT_CARRIED_OUT}"
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
    """The calls in a text.

    Attributes:
        text: The text without the recovered calls.
        calls: Calls of offered tools, in order.
        unreadable: A sentence for the model, if a part of a call could not be read; else "".
    """

    text: str
    calls: tuple[WrittenCall, ...] = ()
    unreadable: str = ""


def recover(split: SplitText, tools: Sequence[str]) -> RecoveredCalls:
    """Recover the calls in a text.

    Args:
        split: The text without its thoughts.
        tools: Names of the offered tools; if there are none, no call is recovered.
    """
    search = _search_text(split, tools)
    if search is None:
        return RecoveredCalls(split.text)
    for name in split.hidden_calls:
        search.add_problem(name, "a call inside a thought is not carried out")
    return search.result()


def _search_text(split: SplitText, tools: Sequence[str]) -> "_Search | None":
    text = split.text
    if not may_hold_calls(split, tools):
        return None
    text = without_end_tokens(text.replace(_RESIDUE, "")) if "<" in text else text
    search = _Search(text, tuple(tools))
    for name, arguments in split.calls:
        search.add_channel_call(name, arguments)
    if not search.take_whole_text():
        search.scan()
    return search


def unsent_text_call(
    split: SplitText, tools: Sequence[str], tool_calls: Sequence[RequestedCall]
) -> str:
    """The sentence for a model that wrote a call as text beside tool calls; "" if it did not.

    Args:
        split: The text without its thoughts.
        tools: Names of the offered tools.
        tool_calls: The tool calls of the answer: they are carried out, calls in the text are not.
    """
    search = _search_text(split, tools)
    return search.unsent(tool_calls) if search else ""


def call_in_thoughts(thought: str, tools: Sequence[str]) -> str:
    """The sentence for a model whose only call is in its thoughts; "" if there is none."""
    marker = _STRONG.search(thought)
    if marker is None or not any(tool in thought for tool in tools):
        return ""
    return unreadable_text(thought[marker.start() :], "a call inside a thought is not carried out")


def offered_tool(name: str, tools: Sequence[str]) -> str:
    """The offered tool that a name means; "" if there is none."""
    if name in tools:
        return name
    for prefix in PREFIXES:
        if name.startswith(prefix) and name.removeprefix(prefix) in tools:
            return name.removeprefix(prefix)
    return ""


def unreadable_text(excerpt: str, reason: str) -> str:
    """The sentence for a model whose call could not be read."""
    shown = clean_text(excerpt, EXCERPT_CHARS_MAX)
    reason = f" ({clean_text(reason, 200)})" if reason else ""
    return f"your answer holds {shown!r} but not a tool call that can be read{reason}; {REMEDY}"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The calls at a marker, and why they are not carried out although they were read."""

    start: int
    end: int
    found: ParsedCalls
    refused: str


class _Search:
    """A search for calls in one text."""

    def __init__(self, text: str, tools: tuple[str, ...]) -> None:
        self._text = text
        self._tools = tools
        self._remaining: list[str] = []
        self._calls: list[WrittenCall] = []
        self._accepted: set[tuple[str, str]] = set()
        self._problems: list[SuspectedCall] = []

    def add_channel_call(self, name: str, arguments: str) -> None:
        """Take a call from one of Harmony's channels."""
        self._take(calls_at(f"{name}[ARGS]{arguments}", 0), f"to={name} {arguments}")

    def take_whole_text(self) -> bool:
        """Take the calls if the text is nothing but calls in JSON or Python; True if it is."""
        text = self._text.strip()
        if not text.startswith(("{", "[", "print(", *self._tools, *PREFIXES)):
            return False
        found = self._bare(text)
        if found is None:
            return False
        self._take(found, text[:EXCERPT_CHARS_MAX])
        return True

    def scan(self) -> None:
        """Take the calls that begin with special tokens, and those in fences."""
        text, last = self._text, 0
        for candidate in self._check_context(list(self._candidates())):
            excerpt = text[candidate.start : candidate.start + EXCERPT_CHARS_MAX]
            if candidate.refused and candidate.found.calls:
                self._refuse(candidate, excerpt)
            elif self._take(candidate.found, excerpt):
                self._remaining.append(text[last : candidate.start])
                last = candidate.end
        self._remaining.append(text[last:])
        rest = "".join(self._remaining)
        if all(self._is_accepted(suspected) for suspected in self._problems):
            self._problems += suspected_calls(
                rest, self._tools, lambda name: offered_tool(name, self._tools)
            )

    def result(self) -> RecoveredCalls:
        """The calls that were taken, and the first problem."""
        text = self._text
        if self._calls:
            text = _EMPTY_FENCE.sub("", "".join(self._remaining)).strip()
        problem = next(
            (suspected for suspected in self._problems if not self._is_accepted(suspected)), None
        )
        unreadable = unreadable_text(problem.excerpt, problem.reason) if problem else ""
        return RecoveredCalls(text, tuple(self._calls), unreadable)

    def unsent(self, tool_calls: Sequence[RequestedCall]) -> str:
        """The sentence for a model that made tool calls, and wrote other calls as text.

        Words that name no tool, or a tool that was called, are not reported: a model that reads
        that an order was not carried out sends it again.
        """
        written = [
            SuspectedCall(
                c.name, canonical_arguments(c.arguments), f"{c.name} {c.arguments}", _NOT_SENT
            )
            for c in self._calls
        ]
        self._accepted = {(call.name, canonical_arguments(call.arguments)) for call in tool_calls}
        names = {call.name for call in tool_calls}
        for suspected in (*written, *self._problems):
            name = suspected.name or next(
                (tool for tool in self._tools if tool in suspected.excerpt), ""
            )
            unclear = not suspected.arguments and (name in names or not name)
            if not unclear and not self._is_accepted(suspected):
                return unreadable_text(suspected.excerpt, suspected.reason)
        return ""

    def _is_accepted(self, suspected: SuspectedCall) -> bool:
        """True if the words only repeat a call that is carried out."""
        if suspected.arguments and not suspected.name:
            return any(suspected.arguments == arguments for _, arguments in self._accepted)
        return bool(suspected.name) and (
            (suspected.name, suspected.arguments) in self._accepted
            or (
                not suspected.arguments
                and any(suspected.name == name for name, _ in self._accepted)
            )
        )

    def _candidates(self) -> Iterator[_Candidate]:
        text = self._text
        position = markers_tried = fence_end = fence_start = 0
        fence_refused = ""
        while (marker := _MARKER.search(text, position)) is not None:
            position = marker.end()
            markers_tried += 1
            if markers_tried > MARKERS_MAX:
                self.add_problem(marker[0], "it holds too many of them")
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
                position = max(found.end, marker.end())
            yield _Candidate(start, position, found, IN_QUOTES if quoted else refused)

    def _check_context(self, candidates: list[_Candidate]) -> list[_Candidate]:
        """Refuse candidates that the words around them may retract, from the last to the first."""
        text, checked = self._text, list(candidates)
        for i in range(len(candidates) - 1, -1, -1):
            one = checked[i]
            if one.refused or not one.found.calls:
                continue
            since = candidates[i - 1].end if i else 0
            until = candidates[i + 1].start if i + 1 < len(candidates) else len(text)
            refused = retraction(text, one.start, one.end, since, until)
            if not refused and i + 1 < len(candidates) and not text[one.end : until].strip():
                refused = checked[i + 1].refused
            checked[i] = replace(one, refused=refused)
        return checked

    def _at(self, marker: re.Match[str]) -> tuple[int, ParsedCalls | None]:
        """The start of the call at a marker, and the call; None if it is not a call."""
        text = self._text
        if marker["wrapper"]:
            return marker.start(), calls_at(text, marker.end())
        if marker["element"]:
            return marker.start(), calls_at(text, marker.start())
        if marker["head"]:
            before = max(0, marker.start() - 140)
            name = _HEAD_NAME.search(text[before : marker.start()])
            start = before + name.start() if name else marker.start()
            return start, calls_at(text, start)
        if marker["action"]:
            arguments = calls_at(f"{marker['action']}[ARGS]{text[marker.end() :]}", 0)
            arguments.end += marker.end() - len(marker["action"]) - len("[ARGS]")
            return marker.start(), arguments
        return marker.start(), self._fenced(marker)

    def _fenced(self, marker: re.Match[str]) -> ParsedCalls | None:
        """The calls in a fence that holds nothing else; None if it holds anything else."""
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
        """The calls of a text that is nothing else and names a tool; None otherwise."""
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

    def _take(self, found: ParsedCalls, excerpt: str) -> bool:
        """Add the calls, each once; True if any of them is of an offered tool."""
        taken = False
        for call in found.calls:
            if name := offered_tool(call.name, self._tools):
                taken = True
                same = (name, canonical_arguments(call.arguments))
                if same not in self._accepted:
                    self._accepted.add(same)
                    self._calls.append(WrittenCall(name, call.arguments))
            else:
                tools = ", ".join(self._tools[:8])
                self.add_problem(
                    excerpt, f"there is no tool {call.name[:64]!r}; the tools are {tools}"
                )
        if found.problem or not found.calls:
            self.add_problem(excerpt, found.problem or "no call follows")
        return taken

    def _refuse(self, candidate: _Candidate, excerpt: str) -> None:
        for call in candidate.found.calls:
            name = offered_tool(call.name, self._tools)
            self._problems.append(
                SuspectedCall(name, canonical_arguments(call.arguments), excerpt, candidate.refused)
            )

    def add_problem(self, excerpt: str, reason: str) -> None:
        """Add words that could not be read as a call; the first one is reported."""
        self._problems.append(SuspectedCall("", "", excerpt, reason))
