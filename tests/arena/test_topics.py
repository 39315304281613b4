"""What the topic table promises of a single broker's disk."""

import pytest

from arena import topics


@pytest.mark.parametrize("topic", [topics.COMMANDS, topics.EVENTS, topics.CONTROL])
def test_what_moves_or_stops_money_is_on_disk_when_it_is_acked(topic: topics.TopicSpec) -> None:
    """Orders, their events and halts survive a lost power on one broker."""
    assert "1" == topic.broker_config()["flush.messages"]
