"""How the text of a turn came into force: its proposal, its trial and its approval."""

from datetime import UTC, datetime, timedelta
from typing import Any

from arena import topics
from arena.bus.base import Record
from arena.messages import (
    Message,
    PromptDecided,
    PromptProposed,
    TrialEnded,
    TrialStarted,
    Turn,
)
from arena.prompt_versions import version_of
from arena.wire import encode
from ledger.audit.trace_texts import find_text

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE, CAREFUL = "Trade.", "Trade carefully."
SHADOWS: dict[str, tuple[str, ...]] = {
    arm: (f"shadow-{'0' * 12}-{arm}-1",) for arm in ("champion", "challenger", "copy")
}


def at(minute: int) -> datetime:
    """Venue time after some minutes; wall time is the same here."""
    return AT + timedelta(minutes=minute)


def turn(minute: int, text: str = CAREFUL, agent: str = "mo") -> Turn:
    """A turn by a version of a text."""
    return Turn(
        turn_id="turn-1",
        agent=agent,
        strategy="mo",
        node="rules",
        snapshot_id="s",
        snapshot_offset=0,
        as_of=at(minute),
        outcome="completed",
        started_at=at(minute),
        ended_at=at(minute),
        version=version_of(text) if text else "",
    )


def decided(minute: int, text: str, **changes: Any) -> PromptDecided:
    """A decision."""
    # Any: fields of the message.
    fields: dict[str, Any] = {
        "agent": "mo",
        "version": version_of(text),
        "action": "approve",
        "author": "person",
        "by": "cli/host",
        "as_of": at(minute),
        "at": at(minute),
    }
    return PromptDecided(**fields | changes)


def proposed(minute: int, text: str, parent: str = "") -> PromptProposed:
    """A text."""
    return PromptProposed(
        agent="mo",
        version=version_of(text),
        text=text,
        parent=version_of(parent) if parent else "",
        author="judge" if parent else "file",
        by="judge/host",
        as_of=at(minute),
        at=at(minute),
    )


def log() -> list[Record]:
    """A text that a trial promoted, that was replaced, and to which a rollback returned."""
    about = {
        "trial_id": "0" * 12,
        "agent": "mo",
        "champion": version_of(FILE),
        "challenger": version_of(CAREFUL),
        "by": "cli/host",
        "at": AT,
    }
    started = TrialStarted.model_validate({**about, "arms": SHADOWS, "snapshots": 60})
    ended = TrialEnded.model_validate(
        {**about, "market": "live", "verdict": "promote", "reasons": ("better",), "periods": 60,
         "repeats": 1}
    )  # fmt: skip
    messages: list[Message] = [
        proposed(0, FILE),
        proposed(1, CAREFUL, FILE),
        started,
        decided(2, "another text"),  # It does not count.
        ended,
        decided(3, CAREFUL, reason="trial promotes it"),
        decided(5, FILE, action="rollback"),
        decided(7, CAREFUL, action="rollback"),
    ]
    found = []
    for offset, message in enumerate(messages):
        encoded = encode(message)
        headers = dict(encoded.headers)
        found.append(Record(topics.PROMPTS.name, 0, offset, 0, b"mo", encoded.value, headers))
    return found


def test_a_promoted_text_names_its_trial_and_its_approval() -> None:
    """Those that led to its being in force at the turn, not later ones."""
    found = find_text(log(), turn(4))

    assert found.proposed is not None
    assert found.trial is not None
    assert found.approved is not None
    assert found.proposed[0].offset == 1
    assert found.trial[1].verdict == "promote"
    assert (found.approved[0].offset, found.approved[1].action) == (5, "approve")
    assert found.tries is None

    later = find_text(log(), turn(8))
    assert later.approved is not None
    assert (later.approved[0].offset, later.approved[1].action) == (7, "rollback")


def test_the_text_of_a_file_has_neither_before_a_rollback_to_it() -> None:
    """It is in force by itself."""
    first, back = find_text(log(), turn(0, FILE)), find_text(log(), turn(6, FILE))

    assert first.proposed is not None
    assert first.trial is None
    assert first.approved is None
    assert back.approved is not None
    assert back.approved[1].action == "rollback"


def test_an_order_of_a_shadow_agent_names_its_trial() -> None:
    """Its turns name no version: its text is that of a file of the trial."""
    found = find_text(log(), turn(3, "", SHADOWS["copy"][0]))

    assert found.tries is not None
    assert found.tries[1].agent == "mo"
    assert found.proposed is None
