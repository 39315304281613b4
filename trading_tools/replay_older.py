"""Events that another version wrote, held against what this version decides by the rules of both.

Pure. Fields that an older event does not have are left out, and 0.1.0 posted what slippage cost
to `house/market`, since 0.2.0 it has an account of its own.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

Event = Mapping[str, Any]  # Any: a decoded event of the account log

REPLAYED, DIFFERENT, NOT_REPLAYED = "played", "otherwise", "not decided again"
"""Counts of events of one version."""
POSTINGS = "postings"
POSTED_TO = {"house/slippage": "house/market"}
"""Account of the other side -> where versions without it posted the same."""


def is_equivalent(value: bytes, written: bytes | None) -> bool:
    """True if an event of another version says what this version decides.

    Args:
        value: The event as it is in the log.
        written: What came out, or None if nothing did.
    """
    if written is None:
        return False
    said, found = orjson.loads(value), orjson.loads(written)
    names = said.keys() - {POSTINGS}
    return all(found.get(name) == said[name] for name in names) and _legs(said) == _legs(found)


def _legs(event: Event) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for leg in event.get(POSTINGS) or ():
        account = str(leg["account"])
        sums[POSTED_TO.get(account, account), str(leg["unit"])] += int(leg["amount"])
    return sums
