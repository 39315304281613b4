"""Reads a judging model's reply: leniently in its form, strictly in its meaning. Pure.

Expected is `{"answers": [{"question", "yes", "quote"}]}`. Models also write fences, thoughts and
sentences around it, an object by question, "yes" and "no" for true and false, or numbers for ids.
All of that is read. What cannot be read is a failure, which says why; nothing is guessed: an answer
that is neither yes nor no is none.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from arena.messages import JudgedAnswer
from arena.visible_text import one_line
from judge.evaluations.llm.quotes import QUOTE_CHARS_MAX, folded, is_quoted, is_quoted_in
from judge.evaluations.llm.request import Better
from judge.evaluations.llm.rubric import Rubric

REPLY_CHARS_MAX = 40_000
STARTS_MAX = 200
"""Opening brackets that are tried as the start of the JSON."""
DEPTH_MAX = 40
SHOWN_CHARS = 80

_THOUGHTS = re.compile(r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)", re.S | re.I)
_END_OF_THOUGHT = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.I)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_WORDS = {
    **dict.fromkeys(("yes", "true", "y", "1", "ja"), True),
    **dict.fromkeys(("no", "false", "n", "0", "nein"), False),
}


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The answers of a reply, one per question of the rubric; or why there are none."""

    answers: tuple[JudgedAnswer, ...] = ()
    failure: str = ""


def parse_reply(text: str, rubric: Rubric, shown: str) -> ParsedReply:
    """Read a reply, and look up its quotes.

    Args:
        text: The model's text.
        rubric: The questions that were asked.
        shown: The text that the model was shown about the turn.
    """
    if not text.strip():
        return ParsedReply(failure="the model answered nothing")
    if len(text) > REPLY_CHARS_MAX:
        return ParsedReply(failure=f"the reply has {len(text):,} characters")
    plain = _THOUGHTS.sub(" ", text)
    plain = _END_OF_THOUGHT.split(plain)[-1]
    found = _answers_in(plain, rubric) or _answers_in(text, rubric)
    if not found:
        return ParsedReply(failure=f"no answers in the reply: {one_line(text, SHOWN_CHARS)}")
    folded_text = folded(shown)
    answers = []
    for name in rubric.ids:
        yes, quote = found.get(name, (None, ""))
        quoted = bool(quote) and is_quoted_in(quote, folded_text)
        cut = quote[:QUOTE_CHARS_MAX]
        answers.append(JudgedAnswer(question=name, yes=yes, quote=cut, found=quoted))
    if all(answer.yes is None for answer in answers):
        return ParsedReply(failure=f"no yes or no in the reply: {one_line(text, SHOWN_CHARS)}")
    return ParsedReply(tuple(answers))


_Answer = tuple[bool | None, str]


def parse_better(text: str, shown: str) -> Better | None:
    """Read which of two answers a model called better; None if the reply cannot be read.

    A choice without a quote that is in the text is a tie.
    """
    plain = _END_OF_THOUGHT.split(_THOUGHTS.sub(" ", text[:REPLY_CHARS_MAX]))[-1]
    for value in reversed(list(_json_values(plain))):
        if not isinstance(value, Mapping):
            continue
        word = str(_get(value, "better", "winner", "answer")).strip(" .").casefold()
        if word in ("equal", "tie", "both", "neither"):
            return "tie"
        if word in ("first", "second"):
            quote = _get(value, "quote", "evidence")
            quoted = isinstance(quote, str) and is_quoted(quote, shown)
            return ("first" if word == "first" else "second") if quoted else "tie"
    return None


def better_of_pair(a_first: Better | None, b_first: Better | None) -> Literal["a", "b", "tie"]:
    """Combine the answers to both orders of a pair; a disagreement or a failure is a tie.

    Args:
        a_first: The answer to the request in which A is first.
        b_first: The answer to the request in which B is first.
    """
    if (a_first, b_first) == ("first", "second"):
        return "a"
    return "b" if (a_first, b_first) == ("second", "first") else "tie"


def _answers_in(text: str, rubric: Rubric) -> dict[str, _Answer]:
    """The answers of the JSON value that answers most questions; the last one of equals."""
    best: dict[str, _Answer] = {}
    for value in _json_values(text):
        found = _answers_of(value, rubric)
        if len(found) >= len(best):
            best = found
    return best


def _json_values(text: str) -> Iterable[object]:
    """The objects and lists that start at the brackets of a text, outermost first."""
    decoder = json.JSONDecoder()
    text = _TRAILING_COMMA.sub(r"\1", text)
    place = 0
    for _ in range(STARTS_MAX):
        starts = [at for at in (text.find("{", place), text.find("[", place)) if at >= 0]
        if not starts:
            return
        place = min(starts)
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        yield value


def _answers_of(value: object, rubric: Rubric) -> dict[str, _Answer]:
    if isinstance(value, Mapping):
        if (inner := _get(value, "answers", "results", "judgement")) is not None:
            return _answers_of(inner, rubric)
        named = {_question(key, rubric): item for key, item in value.items()}
        return {name: _answer(item) for name, item in named.items() if name}
    if isinstance(value, list):
        found: dict[str, _Answer] = {}
        for item in value[: 4 * len(rubric.questions)]:
            if not isinstance(item, Mapping):
                continue
            name = _question(_get(item, "question", "id", "question_id", "name"), rubric)
            if name:
                found.setdefault(name, _answer(item))
        return found
    return {}


def _question(value: object, rubric: Rubric) -> str:
    """The id of a question by id, number from 1, or text; "" if it is none."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return rubric.ids[value - 1] if 1 <= value <= len(rubric.ids) else ""
    if not isinstance(value, str):
        return ""
    word = re.sub(r"[\s_-]+", "_", value.strip().casefold()).strip("_.:*`\"'")
    if word in rubric.ids:
        return word
    number = re.fullmatch(r"(?:q|question_?)?(\d{1,2})", word)
    if number:
        return _question(int(number[1]), rubric)
    asked = {folded(question.ask): question.question_id for question in rubric.questions}
    return asked.get(folded(value), "")


def _answer(item: object) -> _Answer:
    if isinstance(item, Mapping):
        quote = _get(item, "quote", "evidence", "quotation", "text")
        yes = _yes(_get(item, "yes", "answer", "value", "verdict"))
        return yes, quote if isinstance(quote, str) else ""
    return _yes(item), ""


def _yes(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return {0: False, 1: True}.get(int(value)) if value in (0, 1) else None
    if isinstance(value, str):
        return _WORDS.get(value.strip(" .!*`\"'").casefold())
    return None


def _get(table: Mapping[object, object], *keys: str) -> object:
    """The value of the first of some keys, in any case; None without one."""
    lowered = {str(key).strip().casefold(): value for key, value in table.items()}
    return next((lowered[key] for key in keys if key in lowered), None)
