"""Compares events that another version wrote with those of this version. Pure.

Fields that an older event does not have are left out. 0.1.0 posted slippage to `house/market`;
since 0.2.0 it has an account of its own.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

Event = Mapping[str, Any]  # Any: a decoded event of the account log

REPLAYED, DIFFERENT, NOT_REPLAYED = "played", "otherwise", "not decided again"
"""Keys of the counts of one version's events."""
POSTINGS = "postings"
POSTED_TO = {"house/slippage": "house/market"}
"""Account -> where versions without this account posted the same amount."""


def is_equivalent(value: bytes, written: bytes | None) -> bool:
    """True if an event of another version is equivalent to that of this version.

    Args:
        value: The event in the log.
        written: The event of this version, or None if there is none.
    """
    if written is None:
        return False
    recorded, found = orjson.loads(value), orjson.loads(written)
    names = recorded.keys() - {POSTINGS}
    return all(found.get(name) == recorded[name] for name in names) and _legs(recorded) == _legs(
        found
    )


def _legs(event: Event) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for leg in event.get(POSTINGS) or ():
        account = str(leg["account"])
        sums[POSTED_TO.get(account, account), str(leg["unit"])] += int(leg["amount"])
    return sums
