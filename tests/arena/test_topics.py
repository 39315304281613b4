"""What the topic table promises of a single broker's disk."""

import pytest

from arena import topics


@pytest.mark.parametrize("topic", [topics.COMMANDS, topics.EVENTS, topics.CONTROL])
def test_account_and_control_topics_flush_every_append(topic: topics.TopicSpec) -> None:
    """Orders, their events and halts survive a lost power on one broker."""
    assert "1" == topic.broker_config()["flush.messages"]
