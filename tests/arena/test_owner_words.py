"""The fold of owners' words: the newest preferences, feedback once, what waits, foreign keys."""

from datetime import UTC, datetime
from typing import Any

import pytest

from arena.bus.base import Record
from arena.kill_switch import KillSwitch
from arena.messages import EvaluationRequest, Feedback, Message, Preferences
from arena.owner_words import KEPT_MAX, OwnerBook, is_coaching_key, preferences_key
from arena.wire import encode

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(key: str, message: Message, offset: int = 0) -> Record:
    """A record of a topic that the fold does not look at."""
    encoded = encode(message)
    return Record("any", 0, offset, 0, key.encode(), encoded.value, dict(encoded.headers))


def feedback(number: int, agent: str = "mo", **changes: Any) -> Feedback:
    """Feedback with a number in its id."""
    # Any: fields of the message.
    fields = {"feedback_id": f"feedback-{number}", "agent": agent, "text": f"say {number}"}
    return Feedback(**{**fields, "by": "cli/host", "at": AT, **changes})


def prefers(agent: str = "mo", **wishes: Any) -> Preferences:
    """Preferences of the owner of an agent."""
    # Any: fields of the message.
    return Preferences(agent=agent, by="cli/host", at=AT, **wishes)


def test_newest_preferences_count() -> None:
    """A later record replaces the earlier one whole; another key changes nothing."""
    book = OwnerBook()
    book.apply(record(preferences_key("mo"), prefers(risk="high", style="balanced")))
    book.apply(record(preferences_key("mo"), prefers(risk="low")))
    book.apply(record(preferences_key("bo"), prefers(risk="high")))
    book.apply(record("mo", prefers(risk="high")))

    assert {"mo": ("low", None)} == {k: (p.risk, p.style) for k, p in book.preferences.items()}


def test_feedback_waits_until_it_was_used() -> None:
    """In the order of the log, once per id; that to the judge is apart."""
    book = OwnerBook()
    sent = [feedback(1), feedback(2), feedback(1, text="again"), feedback(3, to="judge")]
    for offset, message in enumerate([*sent, feedback(4)]):
        book.apply(record("mo", message, offset))
    book.apply(record("bo", feedback(5), 5))

    def waiting(*used: Any) -> list[str]:
        # Any: arguments of the method.
        return [one.feedback.text for one in book.waiting("mo", *used)]

    assert ["say 1", "say 2", "say 4"] == waiting()
    assert ["say 2", "say 4"] == waiting(1)
    assert ["say 4"] == waiting(1, ("feedback-2",))
    assert ["feedback-3"] == [*book.to_judge["mo"]]
    assert () == book.waiting("bo")


def test_kept_feedback_is_bounded() -> None:
    """The oldest is forgotten."""
    book = OwnerBook()
    for number in range(KEPT_MAX + 2):
        book.apply(record("mo", feedback(number), number))

    assert KEPT_MAX == len(book.waiting("mo"))
    assert "say 2" == book.waiting("mo")[0].feedback.text


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("prefer/mo", prefers(risk="low")),
        ("evaluate/mo", EvaluationRequest(request_id="request-1", agent="mo", by="me", at=AT)),
    ],
)
def test_kill_switch_leaves_these_keys_alone(key: str, message: Message) -> None:
    """Neither a halt nor an error, whatever the record holds."""
    switch = KillSwitch()
    known = record(key, message)

    for one in (known, known._replace(value=b"{"), known._replace(value=None)):
        effect = switch.take(one)
        assert (None, "", "") == (effect.message, effect.error, effect.scope)
    assert [] == switch.scopes()
    assert is_coaching_key(known.key)
    assert not is_coaching_key(b"agent/prefer")
