"""Which field of a request a refusal is about. Pure."""

import re

from chat_nodes.dialect import Sent
from chat_nodes.error_bodies import dotted
from chat_nodes.refusals import Refusal

UNSUPPORTED = (
    r"unsupported|not (?:be )?supported|does ?n[o']t support|unknown|unrecogni[sz]ed|unexpected|"
    r"extra|not permitted|not allowed|forbidden|cannot find|deprecated|no longer|"
    r"not (?:be )?accepted|incompatible|please use|instead"
)
"""Words that say that a field is not taken, as a pattern."""
_KEYWORD = r"(?:parameter|argument|field|property|option|name|key|input|model|value)s?"
_VERB = (
    r"(?:is|are|was|not|must|should|cannot|does|may|range|value|unsupported|isn't|doesn't|"
    r"parameter|field|option|in\b|extra|has)"
)


def named_options(refusal: Refusal, sent: Sent) -> list[str]:
    """The options of a request that its refusal names: by a path, else in its words."""
    heads = {path.split(".")[0] for path in refusal.params} | set(refusal.params)
    by_path = [name for name in sent.options if dotted(name) in heads]
    return by_path or [name for name in sent.options if is_in_words(name, refusal.text)]


def is_in_words(name: str, text: str) -> bool:
    """True if a text is about a field; ordinary words must look like the name of one."""
    first, *rest = name.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    forms = "|".join(re.escape(form) for form in sorted({name, camel}))
    if rest:
        return re.search(rf"(?<!\w)(?:{forms})(?!\w)", text) is not None
    pattern = (
        rf"[`'\"\[](?:{forms})[`'\"\]:]|{_KEYWORD}\W{{1,4}}(?:{forms})\b|"
        rf"[:,]\s?(?:{forms})\s?(?:[,;.]|$)|"
        rf"(?<!\w)(?:{forms})[`'\"]?\s?(?:[:=(]|{_VERB}\b)"
    )
    return re.search(pattern, text, re.IGNORECASE) is not None
