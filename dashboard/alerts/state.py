"""The state of a process of alerts: what was sent, and what is still to be sent. Pure.

It is saved as one JSON file, so that a restart sends nothing twice and loses nothing.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from dashboard.alerts.drawdowns import Peak
from dashboard.alerts.texts import State

FORMAT = 1
KEYS_MAX = 5_000
"""Most keys of sent alerts that are remembered."""
OPEN_MAX = 2_000
"""Most subjects whose end is still awaited."""
QUEUE_MAX = 1_000
"""Most alerts that wait for a message."""
MESSAGES_MAX = 100
"""Most messages that wait for one receiver; then the oldest is given up."""


class OpenAlert(BaseModel):
    """A reported subject that has not ended.

    Attributes:
        at: Wall time of the report.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    at: datetime


class Notice(BaseModel):
    """An alert, or the end of one, that was reported.

    Attributes:
        at: Wall time of the report.
        text: One sentence in plain text.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: str
    state: State
    subject: str
    key: str
    text: str


class WaitingMessage(BaseModel):
    """A message that some receivers have not confirmed.

    Attributes:
        number: Its number; higher is newer.
        kind: Kind of its alert; "" for several alerts.
        receivers: Names of the receivers that have not confirmed it.
    """

    number: int
    kind: str
    state: State
    title: str
    body: str
    receivers: list[str]


class AlertState(BaseModel):
    """What a restart of `arena alerts` needs.

    Attributes:
        is_first: True until the first pass, which sends nothing that was over before.
        sent: Keys of reported alerts, the one that held last at the end.
        open: Subject -> its report.
        reported_at: Subject -> wall time of its newest report, if it is repeated rarely.
        queue: Reported alerts that are in no message yet.
        skipped: Further such alerts, beyond `QUEUE_MAX`.
        messages: Messages that some receiver has not confirmed, oldest first.
        message_times: Wall times of the messages of the last minute.
        lost: Receiver -> messages that were given up since it last confirmed one.
        peaks: Agent -> highest peak of its equity before the kept snapshots.
        next_number: Number of the next message.
    """

    format: int = FORMAT
    is_first: bool = True
    sent: dict[str, None] = Field(default_factory=dict)
    open: dict[str, OpenAlert] = Field(default_factory=dict)
    reported_at: dict[str, datetime] = Field(default_factory=dict)
    queue: list[Notice] = Field(default_factory=list)
    skipped: int = 0
    messages: list[WaitingMessage] = Field(default_factory=list)
    message_times: list[datetime] = Field(default_factory=list)
    lost: dict[str, int] = Field(default_factory=dict)
    peaks: dict[str, Peak] = Field(default_factory=dict)
    next_number: int = 1
