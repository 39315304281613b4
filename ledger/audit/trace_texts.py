"""Finds how the text of a turn came into force: its proposal, trial and approval. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from arena.bus.base import Record
from arena.messages import PromptDecided, PromptProposed, TrialEnded, TrialStarted, Turn
from arena.prompt_versions import PromptBook

INTO_FORCE = ("approve", "rollback")
"""What puts a version into force, besides a changed file."""


@dataclass(slots=True)
class TextRecords:
    """The records of a turn's text; None without one.

    Attributes:
        proposed: The proposal of its version.
        trial: The newest result of a trial of it before it came into force.
        approved: What put it into force last before the turn.
        tries: Of a shadow agent, the trial that it is part of.
    """

    proposed: tuple[Record, PromptProposed] | None = None
    trial: tuple[Record, TrialEnded] | None = None
    approved: tuple[Record, PromptDecided] | None = None
    tries: tuple[Record, TrialStarted] | None = None


def find_text(records: Iterable[Record], turn: Turn) -> TextRecords:
    """Find the records of a turn's text; only those that count are taken.

    Args:
        records: The records of `prompts`, from the first one on.
        turn: The turn.
    """
    book, found = PromptBook(), TextRecords()
    newest: tuple[Record, TrialEnded] | None = None
    for record in records:
        message = record.message_or_none()
        if isinstance(message, TrialStarted) and turn.agent in message.names:
            found.tries = found.tries or (record, message)
        if record.key_text != turn.agent or book.apply(record) or not turn.version:
            continue
        if isinstance(message, PromptProposed) and message.version == turn.version:
            found.proposed = found.proposed or (record, message)
        elif isinstance(message, TrialEnded) and message.challenger == turn.version:
            newest = record, message
        elif isinstance(message, PromptDecided) and _led_to(message, turn):
            found.approved, found.trial = (record, message), newest
    return found


def _led_to(decided: PromptDecided, turn: Turn) -> bool:
    """True if a decision put a turn's version into force before it, by the market's time."""
    if decided.version != turn.version or decided.action not in INTO_FORCE:
        return False
    if decided.as_of is None:
        return decided.at <= turn.ended_at
    return decided.as_of <= turn.as_of
