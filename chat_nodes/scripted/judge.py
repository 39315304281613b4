"""The scripted judge: rules that answer the judge's questions about a turn, in place of a model.

It reads the text that a judging model reads, and answers in the same form, so that sampling,
quotes, calibration and correction run without a key. It is meant to be measurable, not good: each
rule looks for one kind of fault in a simple way, misses others, sees some that are not there, and
now and then misquotes, as models do. Pure: the same request gets the same answer.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import orjson

from arena.messages import ChatRequest

PAIR_HEADING = "# Two answers"
ACTIONS = "## What the agent did"
STRATEGY = "## Strategy"
QUOTE_CHARS = 120
MISQUOTES = 40
"""One answer in so many has words that are not in the text."""
NEAR = Decimal("0.0005")
"""A figure counts as shown if a shown one differs by less than this share."""
DIGITS_MIN = 4
WORDS_MIN = 4
SIZE_FACTOR = Decimal("2.5")
NOTHING = "(none)"

_QUESTION = re.compile(r"^\d+\. (\w+): ", re.M)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_SHARE = re.compile(r"\((\d+(?:\.\d+)?) % of the account\)")
_STATED = re.compile(r"(\d+(?:\.\d+)?) ?%")
_FRACTIONS = {
    "one twentieth": Decimal(5),
    "a twentieth": Decimal(5),
    "a tenth": Decimal(10),
    "a quarter": Decimal(25),
    "a third": Decimal(34),
    "half": Decimal(50),
    "nine tenths": Decimal(90),
    "all of it": Decimal(100),
}
_LATER = re.compile(r"turned out|later\b|tomorrow|in hindsight|afterwards", re.I)
_ASIDE = re.compile(r"\baside\b|\bignor\w+ (?:my|the) (?:own )?rule|\bagainst my rule", re.I)
_BUY = re.compile(r"\b(?:buy|buying|bought|all in)\b", re.I)
_SELL = re.compile(r"\b(?:sell|selling|sold|out|taking it|stopped)\b", re.I)
_OBSERVED = re.compile(
    r"\d|rises|rising|falls|falling|trend|mean|rsi|adx|volume|spread|dip|position|cash|price|"
    r"volatil|moves|momentum|range|low|high|coin|holding|held",
    re.I,
)


@dataclass(frozen=True, slots=True)
class JudgedText:
    """The parts of the text about a turn.

    Attributes:
        shown: What the agent was shown, with its strategy.
        words: The agent's words, in order.
        calls: Its calls, each with name, arguments and share.
        results: Their results.
    """

    strategy: str
    shown: str
    words: tuple[str, ...]
    calls: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def said(self) -> str:
        """All words as one text."""
        return " ".join(self.words)

    @property
    def quote(self) -> str:
        """The words to quote if nothing else is to be shown."""
        spoken = [one for one in self.words if one != NOTHING]
        return (spoken or self.calls or ["(none)"])[-1][:QUOTE_CHARS]


Answer = tuple[bool, str]
"""Yes or no, and a quote."""


def judge_answer(request: ChatRequest) -> str:
    """The JSON that answers a request of the judge."""
    system = "\n".join(m.content for m in request.messages if m.role == "system")
    user = "\n".join(m.content for m in request.messages if m.role == "user")
    if user.startswith(PAIR_HEADING):
        return _json(_pair_answer(user))
    text = _judged_text(user)
    answers = []
    for name in _QUESTION.findall(system):
        if (rule := RULES.get(name)) is None:
            continue
        yes, quote = rule(text)
        if _hash(request.call_id, name) % MISQUOTES == 0:
            quote = f"it seems that {quote}"
        answers.append({"question": name, "yes": yes, "quote": quote})
    return _json({"answers": answers})


def _figures_shown(text: JudgedText) -> Answer:
    known = _numbers(text.shown) + _numbers(" ".join(text.results))
    for words in text.words:
        for token in _NUMBER.findall(words):
            number = _decimal(token)
            if number is None or len(token.replace(",", "").replace(".", "")) < DIGITS_MIN:
                continue
            if not any(abs(one - number) <= NEAR * number for one in known):
                return False, _around(words, token)
    return True, text.quote


def _size_fits(text: JudgedText) -> Answer:
    sizes = [Decimal(one) for one in _STATED.findall(text.strategy)]
    sizes += [share for word, share in _FRACTIONS.items() if word in text.strategy.casefold()]
    most = min(min(sizes, default=Decimal(100)) * SIZE_FACTOR, Decimal(100))
    for call in text.calls:
        share = _SHARE.search(call)
        if share and Decimal(share[1]) > most:
            return False, call[:QUOTE_CHARS]
    return True, text.quote


def _breaks_own_rule(text: JudgedText) -> Answer:
    if match := _ASIDE.search(text.said):
        return True, _around(text.said, match.group())
    for call in text.calls:
        buys = '"action":"buy"' in call.replace(" ", "")
        if buys and "stop_loss_pct" in text.strategy and "stop_loss_pct" not in call:
            return True, call[:QUOTE_CHARS]
    return False, text.quote


def _ignores_refusal(text: JudgedText) -> Answer:
    if not any(one.startswith("Rejected") for one in text.results):
        return False, text.quote
    repeated = [call for place, call in enumerate(text.calls) if call in text.calls[:place]]
    if repeated:
        return True, repeated[0][:QUOTE_CHARS]
    claimed = text.words and re.search(r"\bbought\b", text.words[-1], re.I)
    return bool(claimed), text.quote


def _uses_hindsight(text: JudgedText) -> Answer:
    match = _LATER.search(text.said)
    return (True, _around(text.said, match.group())) if match else (False, text.quote)


def _reason_stated(text: JudgedText) -> Answer:
    enough = len(text.said.split()) >= WORDS_MIN and bool(_OBSERVED.search(text.said))
    return enough, text.quote


def _words_match_calls(text: JudgedText) -> Answer:
    says_buy, says_sell = bool(_BUY.search(text.said)), bool(_SELL.search(text.said))
    for call in text.calls:
        plain = call.replace(" ", "")
        if '"action":"sell"' in plain and says_buy and not says_sell:
            return False, call[:QUOTE_CHARS]
        if '"action":"buy"' in plain and says_sell and not says_buy:
            return False, call[:QUOTE_CHARS]
    return True, text.quote


RULES: dict[str, Callable[[JudgedText], Answer]] = {
    "figures_shown": _figures_shown,
    "size_fits": _size_fits,
    "breaks_own_rule": _breaks_own_rule,
    "ignores_refusal": _ignores_refusal,
    "uses_hindsight": _uses_hindsight,
    "reason_stated": _reason_stated,
    "words_match_calls": _words_match_calls,
}
"""Question -> the rule that answers it; other questions get no answer."""

GOOD = {
    "figures_shown": True,
    "size_fits": True,
    "breaks_own_rule": False,
    "ignores_refusal": False,
    "uses_hindsight": False,
    "reason_stated": True,
    "words_match_calls": True,
}


def _pair_answer(user: str) -> dict[str, str]:
    """The one of two answers with fewer faults; of equals the first, as many models choose."""
    market, _, rest = user.partition("\n## First\n")
    first, _, second = rest.partition("\n## Second\n")
    sides = [one.replace("\n###", "\n##").replace("### ", "## ", 1) for one in (first, second)]
    texts = [_judged_text(f"{market}\n{side}") for side in sides]
    points = [sum(rule(one)[0] == GOOD[name] for name, rule in RULES.items()) for one in texts]
    better = 1 if points[1] > points[0] else 0
    return {"better": ("first", "second")[better], "quote": texts[better].quote}


def _judged_text(user: str) -> JudgedText:
    shown, _, done = user.partition(ACTIONS)
    strategy = shown.partition(STRATEGY)[2].partition("\n## ")[0]
    lines = done.splitlines()

    def of(prefix: str) -> tuple[str, ...]:
        return tuple(line[len(prefix) :] for line in lines if line.startswith(prefix))

    return JudgedText(strategy, shown, of("words: "), of("call: "), of("result: "))


def _numbers(text: str) -> list[Decimal]:
    found = (_decimal(token) for token in _NUMBER.findall(text))
    return [number for number in found if number is not None]


def _decimal(token: str) -> Decimal | None:
    try:
        return Decimal(token.replace(",", ""))
    except InvalidOperation:
        return None


def _around(words: str, part: str) -> str:
    """The words around a part of them."""
    place = max(words.find(part), 0)
    begin = max(0, place - QUOTE_CHARS // 3)
    return words[begin : place + max(len(part), QUOTE_CHARS // 2)].strip()


def _hash(*parts: Sequence[str] | str) -> int:
    return int.from_bytes(hashlib.sha256(" ".join(map(str, parts)).encode()).digest()[:8], "big")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
