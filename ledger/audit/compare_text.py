"""What `arena audit compare` says of two runs, as text and as JSON. Pure."""

from collections.abc import Mapping

from pydantic import JsonValue

from arena.plural import counted
from ledger.audit.same_records import IGNORED, NOT_COMPARED_KINDS, TopicComparison

COLUMNS = (("topic", False), ("first", True), ("second", True), ("", False))
SHOWN_MAX = 2
"""Differences of a topic that are printed."""

Comparison = Mapping[str, TopicComparison]


def is_same(found: Comparison) -> bool:
    """True if no compared record differs."""
    return not any(one.different for one in found.values())


def table_rows(found: Comparison) -> list[tuple[str, str, str, str]]:
    """A row per topic that has records: counts, and the result."""
    return [
        (topic, f"{one.counts[0]:,}", f"{one.counts[1]:,}", _result(one))
        for topic, one in found.items()
        if any(one.counts)
    ]


def remarks(found: Comparison) -> list[str]:
    """The first differences, and the result of all topics."""
    texts = []
    for topic, one in found.items():
        for each in one.differences[:SHOWN_MAX]:
            offsets = " and ".join("none" if at is None else f"@{at}" for at in each.offsets)
            place = f"{topic}[{each.stream.partition}] {offsets}, {each.stream.name or 'no key'}"
            texts.append(f"{place}: {each.text}")
    count = sum(max(one.counts) for one in found.values() if not one.why_not)
    reasons = "; ".join(dict.fromkeys(ignored.why for ignored in IGNORED if not ignored.kind))
    if is_same(found):
        texts.append(f"The same {counted(count, 'record')}, but for: {reasons}.")
    else:
        different = sum(one.different for one in found.values())
        texts.append(f"Different: {counted(different, 'record')} of {count:,}.")
    return texts


def document(before: str, after: str, found: Comparison) -> dict[str, JsonValue]:
    """The comparison for programs."""
    return {
        "first": before,
        "second": after,
        "same": is_same(found),
        "topics": {
            topic: {
                "records": list(one.counts),
                "different": one.different,
                "not_compared": one.why_not,
                "differences": [
                    {
                        "partition": each.stream.partition,
                        "stream": each.stream.name,
                        "offsets": list(each.offsets),
                        "text": each.text,
                    }
                    for each in one.differences
                ],
            }
            for topic, one in found.items()
        },
        "ignored": [
            {"topic": one.topic, "type": one.kind, "field": one.path, "why": one.why}
            for one in IGNORED
        ],
        "types_not_compared": dict(NOT_COMPARED_KINDS),
    }


def _result(one: TopicComparison) -> str:
    if one.why_not:
        return f"not compared: {one.why_not}"
    return f"{one.different:,} different" if one.different else "same"
