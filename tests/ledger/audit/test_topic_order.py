"""The audit reads every topic."""

from arena import topics
from ledger.audit.decoding import ORDER


def test_every_topic_is_read() -> None:
    """All but the ledger's own findings have a place in the order of reading."""
    names = {spec.name for spec in topics.TOPICS if spec is not topics.DRIFTS}

    assert names == set(ORDER)
