"""The fold of `prompts`: what is in force, what counts, what is refused and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.bus.base import Record
from arena.messages import Message, PromptDecided, PromptProposed
from arena.prompt_versions import AgentPrompts, PromptBook, version_of
from arena.wire import encode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = "Buy what rises."


class Log:
    """A topic `prompts` of one agent, folded as it grows."""

    def __init__(self) -> None:
        """Begin without records."""
        self.book, self.records = PromptBook(), list[Record]()

    @property
    def own(self) -> AgentPrompts:
        """The agent's versions."""
        return self.book.of("momentum")

    def append(self, message: Message, key: str = "momentum") -> str:
        """Append a message; returns why it changed nothing."""
        encoded = encode(message)
        record = Record(
            "prompts", 0, len(self.records), 0, key.encode(), encoded.value, dict(encoded.headers)
        )
        self.records.append(record)
        return self.book.apply(record)

    def propose(self, text: str, minute: float = 0, **changes: Any) -> str:
        """Append a proposal by a person, made from the version in force."""
        # Any: fields of the message.
        as_of = NOON + timedelta(minutes=minute)
        now = self.own.in_force(as_of)
        fields: dict[str, Any] = {
            "agent": "momentum",
            "version": version_of(text),
            "text": text,
            "parent": now.version if now else "",
            "author": "person",
            "by": "cli/host",
            "as_of": as_of,
            "at": as_of,
        }
        return self.append(PromptProposed(**fields | changes))

    def decide(self, action: str, text: str = "", minute: float = 0, **changes: Any) -> str:
        """Append a decision of a person about the version with this text."""
        # Any: fields of the message.
        as_of = NOON + timedelta(minutes=minute)
        fields: dict[str, Any] = {
            "agent": "momentum",
            "version": version_of(text) if text else "",
            "action": action,
            "author": "person",
            "by": "cli/host",
            "as_of": as_of,
            "at": as_of,
        }
        return self.append(PromptDecided(**fields | changes))

    def text(self, minute: float = 0) -> str:
        """The text in force at a minute."""
        found = self.own.in_force(NOON + timedelta(minutes=minute))
        return found.text if found else ""


@pytest.fixture
def log() -> Log:
    """A log with the text of the agent's file."""
    found = Log()
    assert "" == found.propose(FILE, author="file")
    return found


def test_text_of_the_file_is_in_force_at_once(log: Log) -> None:
    """Started again, the agent adds nothing."""
    assert FILE == log.text()
    assert "known" in log.propose(FILE, author="file")
    assert 1 == len(log.own.changes)


def test_proposal_is_in_force_once_it_is_approved(log: Log) -> None:
    """Not before, and not twice."""
    assert "" == log.propose("Buy less.")
    assert FILE == log.text()
    assert "" == log.decide("approve", "Buy less.")
    assert "Buy less." == log.text()
    assert "not pending" in log.decide("approve", "Buy less.")
    assert ["replaced", "in force"] == [one.state for one in log.own.in_order()]


def test_one_proposal_is_pending_at_most(log: Log) -> None:
    """Another waits for its decision."""
    log.propose("Buy less.")
    assert "is pending" in log.propose("Buy more.")
    assert "" == log.decide("reject", "Buy less.")
    assert "" == log.propose("Buy more.")


def test_proposal_made_from_another_version_is_refused(log: Log) -> None:
    """Its author had not seen the text in force."""
    assert "another version" in log.propose("Buy less.", parent=version_of("what was before"))


def test_version_that_does_not_match_its_text_is_refused(log: Log) -> None:
    """Its name would lie."""
    assert "SHA-256" in log.propose("Buy less.", version=version_of("Buy more."))


def test_text_in_force_is_not_proposed_again(log: Log) -> None:
    """Nothing would change."""
    assert "in force" in log.propose(FILE)


def test_proposal_before_the_first_text_is_refused() -> None:
    """The agent was never started."""
    assert "no text yet" in Log().propose("Buy less.")


def test_cooldown_holds_proposals_back_but_not_a_person(log: Log) -> None:
    """In venue time, since the last change."""
    log.propose("Buy less.")
    log.decide("approve", "Buy less.", 10)
    again = {"author": "judge", "cooldown_s": 3600}
    assert "cools down until 13:10" in log.propose("Buy nothing.", 69, **again)
    assert "" == log.propose("Buy nothing.", 70, **again)
    log.decide("reject", "Buy nothing.", 71)
    assert "" == log.propose("Buy more.", 72)


def test_version_that_is_not_confirmed_gives_way_to_its_parent(log: Log) -> None:
    """At its time, without a record."""
    log.propose("Buy less.", expires_s=600)
    log.decide("approve", "Buy less.", 1)
    assert ("Buy less.", FILE) == (log.text(10.9), log.text(11))
    assert "not in force" in log.decide("confirm", "Buy less.", 12)
    assert "" == log.propose("Buy more.", 12)
    assert "expired" == log.own.versions[version_of("Buy less.")].state
    assert [FILE, "Buy less.", FILE] == [
        log.own.versions[change.version].text for change in log.own.changes
    ]
    assert NOON + timedelta(minutes=11) == log.own.versions[version_of(FILE)].since


def test_times_of_any_length_are_folded(log: Log) -> None:
    """`prompts` is kept forever, so a record that ended a reader would end every later one."""
    assert "" == log.propose("Buy less.", expires_s=1e300)
    assert "" == log.decide("approve", "Buy less.", 1)
    assert "Buy less." == log.text(1e6)
    assert "cools down" in log.propose("Buy more.", 2, author="judge", cooldown_s=1e300)


def test_confirmed_version_stays(log: Log) -> None:
    """It is confirmed once."""
    log.propose("Buy less.", expires_s=600)
    log.decide("approve", "Buy less.", 1)
    assert "" == log.decide("confirm", "Buy less.", 5)
    assert "Buy less." == log.text(60)
    assert "does not expire" in log.decide("confirm", "Buy less.", 6)


def test_rollback_returns_to_an_earlier_version(log: Log) -> None:
    """Only to one that was in force."""
    log.propose("Buy less.")
    assert "no version" in log.decide("rollback", "Buy less.")
    log.decide("reject", "Buy less.")
    assert "never in force" in log.decide("rollback", "Buy less.")
    log.propose("Buy less.")
    log.decide("approve", "Buy less.")
    assert "" == log.decide("rollback", FILE, 5)
    assert FILE == log.text(5)
    assert "in force" in log.decide("rollback", FILE, 6)
    assert "no version" in log.decide("rollback", "never written", 6)


def test_text_that_was_in_force_before_may_be_proposed_again(log: Log) -> None:
    """It replaces the version that was made from it."""
    log.propose("Buy less.", expires_s=600)
    log.decide("approve", "Buy less.", 1)
    assert "" == log.propose(FILE, 2, expires_s=600)
    assert "" == log.decide("approve", FILE, 3)
    assert (FILE, "Buy less.") == (log.text(12.9), log.text(13))


def test_frozen_agent_takes_no_change(log: Log) -> None:
    """Until it is unfrozen; its file may still change."""
    log.propose("Buy less.")
    assert "" == log.decide("freeze")
    assert "frozen" in log.decide("approve", "Buy less.")
    assert "frozen" in log.decide("freeze")
    assert "" == log.propose("Another file.", author="file")
    assert "Another file." == log.text()
    assert "frozen" in log.propose("Buy more.")
    assert "" == log.decide("unfreeze")
    assert "" == log.propose("Buy more.")


def test_changed_file_wins_over_a_pending_proposal(log: Log) -> None:
    """A person wrote it after the proposal."""
    log.propose("Buy less.")
    assert "" == log.propose("Another file.", author="file")
    assert (None, "Another file.") == (log.own.pending, log.text())


def test_record_of_another_key_changes_nothing(log: Log) -> None:
    """The key decides the partition, and so the order."""
    message = PromptDecided(agent="momentum", action="freeze", author="person", by="x", at=NOON)
    assert "key" in log.append(message, key="scalper")
    assert not log.own.frozen


ACTIONS = ("approve", "reject", "confirm", "rollback", "freeze", "unfreeze")
TEXTS = ("Buy.", "Sell.", "Hold.", FILE)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("file", "person", "judge", *ACTIONS)),
        st.sampled_from(TEXTS),
        st.integers(0, 40),
        st.sampled_from((None, 300.0, 3600.0)),
    ),
    max_size=30,
)


@given(STEPS)
def test_any_log_keeps_the_rules(steps: list[tuple[str, str, int, float | None]]) -> None:
    """A log folded twice, or with every record doubled, has the same versions in force."""
    log, minute = Log(), 0
    for what, text, passed, expires_s in steps:
        minute += passed
        if what in ACTIONS:
            version = "" if what in ("freeze", "unfreeze") else text
            log.decide(what, version, minute)
        else:
            log.propose(text, minute, author=what, expires_s=expires_s, cooldown_s=600)
        own = log.own
        assert sum(one.state == "pending" for one in own.in_order()) == (own.pending is not None)
        assert sum(one.state == "in force" for one in own.in_order()) == bool(own.current)
        shown = own.in_force(NOON + timedelta(minutes=minute))
        assert (shown is None) == (not own.current)
    doubled = PromptBook()
    for record in log.records:
        doubled.apply(record)
        doubled.apply(record)
    before, after = log.own, doubled.of("momentum")
    assert before.current == after.current
    assert (before.pending is None) == (after.pending is None)
    assert before.changes == after.changes
