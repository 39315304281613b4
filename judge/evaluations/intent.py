"""What an agent's words say that it does in this turn: buy or sell a product, or hold. Pure.

Only plain statements count: a sentence with a negation, a condition, a contrast or a question is
left out, because its meaning is not decidable by rules.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

STATEMENTS_MAX = 20
_SENTENCE = re.compile(r"[.!?;\n]+(?:\s|$)|;")
_UNCLEAR = re.compile(
    r"\b(?:not|no|never|nothing|none|neither|nor|without|cannot|can't|won't|don't|didn't|isn't|if|"
    r"unless|until|would|could|should|might|may|maybe|but|however|although|though|instead|rather|"
    r"avoid\w*|consider\w*|plan\w*|want\w*|wait\w*|tempt\w*|once|earlier|already|previous\w*|last|"
    r"when|after|before|signal\w*|next|later|tomorrow|pressure|volume|side|wall|off|climax|"
    r"opportunit\w*|back)\b|\?|n't\b",
    re.IGNORECASE,
)
_ACT = re.compile(
    r"\b(?P<buy>buying|bought|buy|adding to|going long)\b|"
    r"\b(?P<sell>selling|sold|sell|closing|exiting|liquidating)\b",
    re.IGNORECASE,
)
_PAST = ("bought", "sold")
_HOLD = re.compile(
    r"\b(?:no trades?|doing nothing|do nothing|stay(?:ing)? (?:flat|out|in cash)|standing by|"
    r"sit(?:ting)? (?:this (?:one )?)?out|hold(?:ing)? cash|not trading|: waiting|^waiting)\b",
    re.IGNORECASE,
)
_CLOSING = "reasoning:"


class Statement(NamedTuple):
    """A statement of intent.

    Attributes:
        side: "buy", "sell" or "hold".
        product_id: "" if it names none.
        past: True for "bought" and "sold".
        words: The sentence.
    """

    side: str
    product_id: str
    past: bool
    words: str


def statements(texts: Sequence[str], products: Collection[str]) -> list[Statement]:
    """The plain statements of some texts.

    Args:
        texts: The agent's texts.
        products: The products that the agent can trade.
    """
    found: list[Statement] = []
    for text in texts:
        for sentence in _SENTENCE.split(_closing(text)):
            found += _of_sentence(sentence, products)
    return found[:STATEMENTS_MAX]


def says_hold(final: str) -> bool:
    """True if a final text says that nothing is done, and no order."""
    closing = _closing(final)
    return bool(_HOLD.search(closing)) and _ACT.search(closing) is None


def _closing(text: str) -> str:
    """The text after the last "Reasoning:", without the result of a tool that it repeats."""
    at = text.lower().rfind(_CLOSING)
    closing = text[at + len(_CLOSING) :] if at >= 0 else text
    return closing.partition("Last result:")[0]


def _of_sentence(sentence: str, products: Collection[str]) -> list[Statement]:
    if _UNCLEAR.search(sentence):
        return []
    acts = list(_ACT.finditer(sentence))
    named = _named(sentence, products)
    found = []
    for n, act in enumerate(acts):
        end = acts[n + 1].start() if n + 1 < len(acts) else len(sentence)
        own = _named(sentence[act.end() : end], products)
        product = own[0] if len(own) == 1 else named[0] if len(named) == 1 else ""
        if not product and (own or named):
            continue  # Several products: which one is meant is not certain.
        side = "buy" if act.group("buy") else "sell"
        past = act.group(0).lower() in _PAST
        found.append(Statement(side, product, past, sentence.strip()))
    return found


def _named(text: str, products: Collection[str]) -> list[str]:
    """The products that a text names, by id or by base currency."""
    found = []
    for product in products:
        base = product.rpartition(":")[2].partition("-")[0]
        names = "|".join(re.escape(name) for name in dict.fromkeys((product, base)) if name)
        if names and re.search(rf"(?<![\w-])(?:{names})(?![\w-])", text):
            found.append(product)
    return found
