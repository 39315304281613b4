"""What a proposed text must not say: it would teach an agent the past, or to stop trading. Pure.

Only lines that the proposal adds are looked at; what an author wrote into the strategy's file is
theirs. A figure in percent, a multiple or a share is a rule; a price or a date is a memory. Words
are found across line breaks, in other spellings of the same characters, and with emphasis.
"""

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from arena.messages.coaching import TEXT_BYTES_MAX
from arena.text_diff import COMPARED_LINES_MAX, is_comparable
from arena.visible_text import one_line, visible
from judge.prompts.templates import without_section

CHANGED_CHARS_MAX: Final = 2_000
"""Most characters that a version may add and remove."""
CHANGED_SHARE_MAX: Final = 0.6
"""Most of the strategy's own text, without the coach's section, that a version may remove."""
QUOTED_CHARS_MAX: Final = 80

MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
DATES: Final = re.compile(
    rf"\b(?:19|20)\d\d\b|\b\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}\b|\b\d{{1,2}}(?:st|nd|rd|th)?"
    rf" (?:of )?{MONTH}\b|\b{MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b|\bQ[1-4]\b"
    r"|\b(?:yesterday|last (?:night|week|month|year)|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.IGNORECASE,
)
PRICES: Final = re.compile(
    r"(?:[$€£¥₿]|\b(?:USD|USDT|USDC|EUR|GBP)) ?\d[\d,.]*(?: ?[km]\b)?"
    r"|\b\d[\d,.]*(?: ?[km])? ?(?:[$€£¥₿]|(?:USD|USDT|USDC|EUR|GBP|dollars?|euros?)\b)"
    r"|\b\d{1,3}(?:[,.' ]\d{3})+(?:\.\d+)?\b|\b\d{4,}(?:\.\d+)?\b|\b\d+(?:\.\d+)?k\b",
    re.IGNORECASE,
)
OUTCOME = (
    r"(?:rose|risen|rises|rising|fell|fallen|falls|falling|rall(?:y|ied|ies)|crash(?:ed|es)?"
    r"|pump(?:ed|s)?|dump(?:ed|s)?|soar(?:ed|s)?|plunge[ds]?|(?:out|under)perform(?:ed|s)?"
    r"|bottom(?:ed)?|peak(?:ed)?|doubled|halved|gained|lost|recovered"
    r"|went (?:up|down)|will (?:rise|fall|go|recover|double|crash)|is going (?:up|down)"
    r"|(?:was|is|were) (?:strong|weak|up|down|bullish|bearish|the (?:best|worst)))"
)
PRODUCT = r"\b[A-Z][A-Z0-9]{1,9}(?:-[A-Z]{3,5})?\b"
NAMES = (
    r"\b(?i:bitcoin|ether(?:eum)?|solana|dogecoin|ripple|cardano|litecoin"
    r"|btc|eth|sol|doge|xrp|ada|ltc)\b"
)
HINDSIGHT: Final = re.compile(
    rf"(?:{PRODUCT}|{NAMES})[^.;\n]{{0,60}}?\b(?i:{OUTCOME})\b"
    rf"|\b(?i:{OUTCOME})\b[^.;\n]{{0,30}}?(?:{PRODUCT}|{NAMES})"
)
NOT_PRODUCTS: Final = frozenset(
    {
        "RSI",
        "EMA",
        "SMA",
        "MACD",
        "ATR",
        "ADX",
        "VWAP",
        "UTC",
        "ALL",
        "NOT",
        "NO",
        "AND",
        "OR",
        "IF",
    }
)
IDLE: Final = re.compile(
    r"\b(?:(?:do not|don't|never) (?:ever )?(?:trade|buy|open|enter)\b(?! (?:back|more|again|if"
    r"|into|unless|when|where|before|until|while|below|above|at|a |an |the |what|without))"
    r"|stop (?:all )?(?:trading|buying)\b|no (?:more |new )?(?:trades|buys|entries|orders)\b"
    r"|(?:always|only) (?:hold|stay in|remain in|keep) (?:everything in )?cash\b"
    r"|stay out of the market\b|hold (?:only )?cash (?:only|always|forever)\b)",
    re.IGNORECASE,
)
SECTIONS: Final = re.compile(
    r"\s*#{1,6} *(?:market as of|tickers|candles|closes|indicators|your account"
    r"|since your last turn|your last decisions|news and facts|from your owner|your strategy)\b",
    re.IGNORECASE,
)
"""Headings of the parts of a prompt that the arena writes."""
LIST_ITEM: Final = re.compile(r"\s*(?:[-*+]|\d+[.)]) ")
EMPHASIS: Final = re.compile(r"[*_~`]+(?=\w)|(?<=\w)[*_~`]+(?!\w)")
APOSTROPHES: Final = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u00b4`", "'"))


def lint(text: str, parent: str) -> list[str]:
    """Why a text may not be proposed, one sentence each; empty if it may.

    Args:
        text: The proposed text of a strategy.
        parent: The text in force.
    """
    found = [*_size_faults(text, parent)]
    added = _added_lines(text, parent)
    for line in added:
        found += _line_form_faults(line)
    for words in _paragraphs(added):
        found += _word_faults(words)
    return found


def _added_lines(text: str, parent: str) -> list[str]:
    known = {line.strip() for line in parent.splitlines()}
    return [line for line in text.splitlines() if line.strip() and line.strip() not in known]


def _line_form_faults(line: str) -> Iterable[str]:
    """Faults of the characters of a line: it could look like another part of the prompt."""
    quoted = one_line(line.strip(), QUOTED_CHARS_MAX)
    if visible(line) != line:
        yield f"it has an invisible character: {quoted}"
    if match := SECTIONS.match(line):
        yield f"it has a heading of the arena's prompt, {match.group().strip()!r}: {quoted}"


def _paragraphs(lines: Iterable[str]) -> list[str]:
    """The words of lines, in plain characters; a line that continues one is joined to it."""
    found = list[str]()
    for line in lines:
        words = _plain(line)
        if found and not LIST_ITEM.match(line):
            found[-1] += f" {words}"
        else:
            found.append(words)
    return found


def _plain(line: str) -> str:
    """A line without emphasis, and with one spelling of apostrophes, digits and blanks."""
    text = EMPHASIS.sub("", unicodedata.normalize("NFKC", line.translate(APOSTROPHES)))
    return " ".join(text.split())


def _word_faults(line: str) -> Iterable[str]:
    quoted = one_line(line.strip(), QUOTED_CHARS_MAX)
    if match := DATES.search(line):
        yield f"it names a date, {match.group()!r}: {quoted}"
    elif match := PRICES.search(line):
        yield f"it names a price, {match.group()!r}: {quoted}"
    if words := _hindsight(line):
        yield f"it says how a product did or will do, {words!r}: {quoted}"
    if match := IDLE.search(line):
        yield f"it tells the agent not to trade, {match.group()!r}: {quoted}"


def _hindsight(line: str) -> str:
    for match in HINDSIGHT.finditer(line):
        products = set(re.findall(PRODUCT, match.group())) - NOT_PRODUCTS
        if products or re.search(NAMES, match.group()):
            return match.group()
    return ""


def _size_faults(text: str, parent: str) -> Iterable[str]:
    if not text.strip():
        yield "it is empty"
    size = len(text.encode())
    if size > TEXT_BYTES_MAX:
        yield f"it has {size:,} bytes; at most {TEXT_BYTES_MAX:,} are allowed"
        return
    if not is_comparable(text, parent):
        yield f"it or its parent has more than {COMPARED_LINES_MAX:,} lines"
        return
    added, removed = changed_chars(text, parent)
    own = without_section(parent)
    _, removed_of_own = changed_chars(without_section(text), own)
    if added + removed > CHANGED_CHARS_MAX:
        yield (
            f"it changes {added + removed:,} characters; at most {CHANGED_CHARS_MAX:,} are allowed"
        )
    elif own and removed_of_own > CHANGED_SHARE_MAX * len(own):
        yield (
            f"it removes {removed_of_own / len(own):.0%} of the strategy's own text; at most"
            f" {CHANGED_SHARE_MAX:.0%} may go"
        )


def changed_chars(text: str, parent: str) -> tuple[int, int]:
    """How many characters of lines a text adds to its parent, and how many it removes."""
    before, after = parent.splitlines(keepends=True), text.splitlines(keepends=True)
    added = removed = 0
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            removed += sum(map(len, before[a:b]))
            added += sum(map(len, after[c:d]))
    return added, removed
