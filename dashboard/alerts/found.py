"""What the conditions return: alerts that hold, and subjects that have ended. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that holds.

    Attributes:
        kind: One of `arena.alert_settings.ALERT_KINDS`.
        subject: What it is about; an alert of the same subject may have another cause.
        key: Subject and cause, after an "@": each is sent once.
        text: One sentence in plain text.
        is_now: False if it is over, so that it is not sent at the first start.
    """

    kind: str
    subject: str
    key: str
    text: str
    is_now: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """A reported subject that has ended.

    Attributes:
        subject: The subject.
        kind: Kind of the alert.
        text: The sentence; "" if it is not worth a message.
    """

    subject: str
    kind: str
    text: str
