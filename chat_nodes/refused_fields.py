"""The field of a request that a refusal is about. Pure."""

import re
from collections.abc import Collection, Sequence

from chat_nodes.error_bodies import dotted

UNSUPPORTED = (
    r"unsupported|not (?:be )?supported|does ?n[o']t support|unknown|unrecogni[sz]ed|unexpected|"
    r"extra|not permitted|not allowed|forbidden|cannot find|deprecated|no longer|"
    r"not (?:be )?accepted|incompatible|please use|instead"
)
"""Pattern for words that say that a field is not accepted."""
_KEYWORD = r"(?:parameter|argument|field|property|option|name|key|input|model|value)s?"
_FIELD = r"(?:parameter|param|argument|field|property|option|setting|keyword)"
_VALUE = r"(?:[`'\"]?[\d.]{1,20}[`'\"]?\s)?"
_FAULT = (
    r"(?:is|are|was|must|should|cannot|can't|can only|does|may only|has to|not|unsupported|isn't|"
    r"doesn't|extra inputs|out of)"
)
_VERB = (
    r"(?:is|are|was|not|must|should|cannot|does|may|range|value|unsupported|isn't|doesn't|"
    r"parameter|field|option|in\b|extra|has)"
)


def named_fields(params: Sequence[str], text: str, names: Collection[str]) -> list[str]:
    """The fields of a request that its refusal names: by a path, else in its text.

    Args:
        params: Paths that the refusal names.
        text: Text of the refusal.
        names: Names of the fields that were sent.
    """
    return fields_by_path(params, names) or [
        name for name in names if is_named(name, text) or is_blamed(name, text)
    ]


def fields_by_path(params: Sequence[str], names: Collection[str]) -> list[str]:
    """The fields that are the start of a path that the refusal names, or the whole path."""
    heads = {path.split(".")[0] for path in params} | set(params)
    return [name for name in names if dotted(name) in heads]


def is_blamed(name: str, text: str) -> bool:
    """True if a text says that a field is wrong, in the usual words for refused fields.

    Stricter than `is_named`: an error about a key or a model may print the request.
    """
    first, *rest = name.split("_")
    camel = first + "".join(word.capitalize() for word in rest)
    forms = "|".join(re.escape(form) for form in sorted({name, camel}))
    pattern = (
        rf"\b(?:{_FIELD}s?|unknown name)\W{{1,4}}(?:{forms})\b|"
        rf"(?<![\w'\"])(?:{forms})[`'\"]?\s{_FIELD}\b|"
        rf"[`'](?:{forms})[`'](?!\s?:)|\"(?:{forms})\"(?!\s?:)|"
        rf"(?:^|[^\w'\"])(?:{forms})[`'\"]?:?\s(?:of\s|=\s?)?{_VALUE}{_FAULT}\b"
    )
    return re.search(pattern, text, re.IGNORECASE | re.MULTILINE) is not None


def is_named(name: str, text: str) -> bool:
    """True if a text names a field; an ordinary word must be written like the name of a field."""
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
