"""Separates a model's thoughts from its answer: tags in the text, Harmony's channels. Pure.

Thoughts in tags: `<think>` of DeepSeek and Qwen, `[THINK]` of Mistral, `◁think▷` of Kimi,
`<seed:think>` and others. The opening tag may be missing, because a chat template wrote it; so may
the closing tag, if the model met its token limit. Harmony is the format of gpt-oss:
https://cookbook.openai.com/articles/openai-harmony.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAMES = "think|thinking|thoughts?|reasoning|reflection|scratchpad|inner_monologue"
_TAG = re.compile(
    rf"(?<!`)(?:<\s?(?:\w{{1,16}}:)?(?:{_NAMES})\s?>|\[THINK\]|◁think▷"
    r"|<\|begin_of_thought\|>|<\|START_THINKING\|>|<\|channel>\s?thought"
    rf"|(?P<close></\s?(?:\w{{1,16}}:)?(?:{_NAMES})\s?>|\[/THINK\]|◁/think▷"
    r"|<\|end_of_thought\|>|<\|END_THINKING\|>|<channel\|>))",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"</?(?:answer|final_answer|final|output|response)>"
    r"|<\|(?:begin|end)_of_solution\|>|<\|(?:START|END)_RESPONSE\|>"
)
_TOKEN = re.compile(r"<\|(start|channel|message|constrain|end|call|return)\|>")
_RECIPIENT = re.compile(r"\bto=([\w.\-]{1,160})")
_CHANNEL = re.compile(r"\A\s*(analysis|commentary|final)")
# Blanks belong to one part only; otherwise a long run of them would be tried in every split.
_HEADER = re.compile(r"\s*(?:assistant\s*)?(?:to=[\w.\-]{1,160}\s*)?(?:(?:code|json)\s*)?\Z")
_NOT_TOOLS = frozenset({"assistant", "user", "all"})
# Servers that do not print special tokens join the words of a header with the text.
_BARE_START = re.compile(r"\A\s*(?:assistant)?(?:analysis|commentary to=functions\.)")
_BARE_WORD = re.compile(r"assistant(analysis|final)|(?:assistant)?commentary(?= to=functions\.)")
_BARE_CALL = re.compile(
    r"(<\|channel\|>commentary to=[\w.\-]{1,160})\s{0,4}(?:code|json)?\s{0,4}(?=\{)"
)


@dataclass(frozen=True, slots=True)
class SplitText:
    """A text without its thoughts.

    Attributes:
        text: The text of the answer.
        thought: The thoughts; "" if there are none.
        calls: Recipient and arguments of the calls in Harmony's channels.
        hidden_calls: Recipients of the calls in the model's thoughts.
    """

    text: str
    thought: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    hidden_calls: tuple[str, ...] = ()


def may_hold_calls(split: SplitText, tools: Sequence[str]) -> bool:
    """True if the text may hold calls of the offered tools; `text_calls` looks for them."""
    text = split.text
    if not tools or split.calls or split.hidden_calls:
        return bool(tools)
    if "<" in text or "[" in text or "{" in text or "`" in text or "product_id" in text:
        return True
    return any(tool in text for tool in tools)


def split_thoughts(text: str) -> SplitText:
    """Split a text into thoughts and answer."""
    split = _channels(text)
    answer, thought = _without_tags(split.text)
    both = "\n\n".join(part for part in (split.thought, thought) if part)
    return SplitText(answer, both, split.calls, split.hidden_calls)


def _without_tags(text: str) -> tuple[str, str]:
    answer: list[str] = []
    thought: list[str] = []
    position = 0
    inside = found = False
    for tag in _TAG.finditer(text):
        piece = text[position : tag.start()]
        position = tag.end()
        if inside:
            thought.append(piece)
        elif tag["close"] is not None:
            # Its opening tag is missing: all of the text so far was thought.
            thought += [*answer, piece]
            answer = []
        else:
            answer.append(piece)
        inside = tag["close"] is None
        found = True
    if not found:
        return text, ""
    (thought if inside else answer).append(text[position:])
    thoughts = "\n".join(part for piece in thought if (part := piece.strip()))
    return _ANSWER.sub("", "".join(answer)).strip(), thoughts


def _channels(text: str) -> SplitText:
    if _BARE_START.match(text):
        text = _BARE_CALL.sub(r"\1<|message|>", _with_tokens(text))
    if "<|channel|>" not in text and "<|message|>" not in text:
        return SplitText(text)
    reader = _ChannelReader()
    pieces = _TOKEN.split(text)
    reader.first(pieces[0], pieces[1] if len(pieces) > 1 else "")
    for position in range(1, len(pieces), 2):
        after = pieces[position + 2] if position + 2 < len(pieces) else ""
        reader.add(pieces[position], pieces[position + 1], after)
    return reader.result()


def _with_tokens(text: str) -> str:
    started = text.lstrip().removeprefix("assistant")
    if started.startswith("analysis"):
        started = f"<|channel|>analysis<|message|>{started.removeprefix('analysis')}"
    return _BARE_WORD.sub(
        lambda m: f"<|channel|>{m[1]}<|message|>" if m[1] else "<|channel|>commentary", started
    )


class _ChannelReader:
    """Reads Harmony's tokens one by one; a message ends with any token that cannot be in it."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[tuple[str, str]] = []
        self._hidden: list[str] = []
        self._header = self._channel = self._body = ""

    def first(self, piece: str, token: str) -> None:
        """Read the text before the first token: a header without its start, or an answer."""
        if token == "message" or (token and _HEADER.match(piece)):
            self._header = piece
        else:
            self._texts.append(piece)

    def add(self, token: str, piece: str, after: str) -> None:
        """Read one token, the text after it, and the name of the next token."""
        if token == "message":
            self._body = piece
        elif token == "constrain":
            self._header += f" {piece}"
        elif token == "channel":
            if self._body or self._channel:
                self._end()
            match = _CHANNEL.match(piece)
            self._channel = match[1] if match else "final"
            rest = piece[match.end() :] if match else piece
            if after in ("message", "constrain"):
                self._header += f" {rest}"
            else:
                self._body = rest
        else:
            self._end()
            if token == "start" or (after and _HEADER.match(piece)):
                self._header = piece
            else:
                self._texts.append(piece)

    def result(self) -> SplitText:
        """Everything that was read."""
        self._end()
        return SplitText(
            "\n".join(part for piece in self._texts if (part := piece.strip())),
            "\n".join(part for piece in self._thoughts if (part := piece.strip())),
            tuple(self._calls),
            tuple(self._hidden),
        )

    def _end(self) -> None:
        recipient = _RECIPIENT.search(self._header)
        role = self._header.split()[0] if self._header.strip() else ""
        if self._body or recipient:
            if role.startswith(("functions", "tool", "system", "user")):
                # The model wrote the message of another role: it made that up.
                self._thoughts.append(self._body)
            elif recipient and recipient[1] not in _NOT_TOOLS:
                if self._channel == "analysis":
                    self._hidden.append(recipient[1])
                    self._thoughts.append(self._body)
                else:
                    self._calls.append((recipient[1], self._body))
            elif self._channel == "analysis":
                self._thoughts.append(self._body)
            else:
                self._texts.append(self._body)
        self._header = self._channel = self._body = ""
