"""The versions of agents' prompts: a fold of the topic `prompts`. Pure.

Every process that needs an agent's text folds the topic the same way, so a change is in force once,
whatever is killed or sent twice. A record that breaks a rule changes nothing, and the fold keeps
why. The rules:

* At most one proposal is pending per agent; its parent is the version in force.
* A proposal does not count within its `cooldown_s` after the last change by anyone but a person.
* A frozen agent takes no change but "unfreeze", and the text of a changed file.
* A version that was not confirmed gives way to its parent when its time is over (`in_force`).
* The text of the agent's file is in force when it is first seen, and whenever the file changes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from arena.bus.base import Record
from arena.durations import later
from arena.messages import (
    Author,
    Evidence,
    PromptDecided,
    PromptProposed,
    Template,
    TrialEnded,
    TrialStarted,
)
from arena.prompt_trials import PromptTrial, apply_trial, result_since

VERSIONS_MAX = 1_000
"""Most versions that are kept per agent; the oldest ones that are not in force are forgotten."""
REFUSED_MAX = 50
SHORT_CHARS = 8
"""Characters of a version that people read and type."""

VersionState = Literal["pending", "in force", "rejected", "expired", "replaced"]


def version_of(text: str) -> str:
    """The version of a strategy's text: its SHA-256, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def short_version(version: str) -> str:
    """The first characters of a version, for people."""
    return version[:SHORT_CHARS]


@dataclass(slots=True)
class PromptVersion:
    """One version of an agent's text.

    Attributes:
        state: Its state; `AgentPrompts.state_at` knows of its expiry, too.
        offset: Offset of its proposal in `prompts`.
        since: Venue time when it was put into force last; None if it never was, or if unknown.
        expires_at: Venue time at which the parent returns; None for never.
        confirmed: True if it stays beyond its expiry.
        decided_by, decided_for: Who decided about it last, and why.
        evidence: Figures before the change.
        evidence_after: Figures of the last decision about it that had some, else of its proposal.
    """

    version: str
    text: str
    parent: str
    author: Author
    by: str
    reason: str
    template: Template
    evidence: Evidence | None
    cooldown_s: float
    expires_s: float | None
    proposed_as_of: datetime | None
    proposed_at: datetime
    offset: int
    state: VersionState = "pending"
    since: datetime | None = None
    expires_at: datetime | None = None
    confirmed: bool = False
    decided_by: str = ""
    decided_for: str = ""
    evidence_after: Evidence | None = None

    @property
    def short(self) -> str:
        """The first characters of the version, for people."""
        return short_version(self.version)


@dataclass(frozen=True, slots=True)
class PromptChange:
    """A version came into force.

    Attributes:
        offset: Offset in `prompts` of the record that did it.
        as_of: Venue time; None if unknown.
    """

    version: str
    before: str
    author: Author
    by: str
    reason: str
    as_of: datetime | None
    offset: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that changed nothing, and why."""

    offset: int
    version: str
    why: str


@dataclass(slots=True)
class AgentPrompts:
    """The versions of one agent.

    Attributes:
        versions: Version -> its state, in the order in which they were decided about.
        current: The version in force, before any expiry; "" before the first text.
        pending: The proposal without a decision; None without one.
        file_version: The version of the agent's file.
        frozen: True if no change is taken.
        changes: What came into force, oldest first; an expiry follows from `in_force`.
        refused: The newest records that changed nothing.
        trials: Trials of its texts, oldest first.
    """

    versions: dict[str, PromptVersion] = field(default_factory=dict)
    current: str = ""
    pending: PromptVersion | None = None
    file_version: str = ""
    frozen: bool = False
    changes: list[PromptChange] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    trials: list[PromptTrial] = field(default_factory=list)

    def in_force(self, as_of: datetime | None) -> PromptVersion | None:
        """The version in force at a venue time: the parent of one whose time is over.

        Args:
            as_of: Venue time of the snapshot; None if unknown, so that nothing expires.
        """
        found, seen = self.versions.get(self.current), set[str]()
        while found is not None and _is_over(found, as_of) and found.version not in seen:
            seen.add(found.version)
            found = self.versions.get(found.parent)
        return found or self.versions.get(self.file_version)

    def state_at(self, version: PromptVersion, as_of: datetime | None) -> VersionState:
        """The state of a version at a venue time: one whose time is over has expired."""
        if self.in_force(as_of) is version:
            return "in force"
        return "expired" if version.state == "in force" else version.state

    def result_of_pending(self, as_of: datetime | None) -> TrialEnded | None:
        """The newest result about the pending proposal, against the text in force; None without.

        Args:
            as_of: Venue time, for an expiry of the text in force.
        """
        pending, now = self.pending, self.in_force(as_of)
        if pending is None or now is None:
            return None
        return result_since(self.trials, now.version, pending.version, pending.offset)

    def find(self, prefix: str) -> list[PromptVersion]:
        """The versions that begin with these characters."""
        return [one for one in self.in_order() if one.version.startswith(prefix.lower())]

    def in_order(self) -> Iterator[PromptVersion]:
        """The versions, oldest first; a pending proposal is the last."""
        yield from self.versions.values()
        if self.pending is not None:
            yield self.pending


def _is_over(version: PromptVersion, as_of: datetime | None) -> bool:
    ends = version.expires_at
    return not version.confirmed and ends is not None and as_of is not None and as_of >= ends


@dataclass(slots=True)
class PromptBook:
    """The versions of all agents.

    Attributes:
        agents: Agent -> its versions.
        read_to: Partition of `prompts` -> offset after the newest folded record.
    """

    agents: dict[str, AgentPrompts] = field(default_factory=dict)
    read_to: dict[int, int] = field(default_factory=dict)

    def apply(self, record: Record) -> str:
        """Fold a record of `prompts`.

        Returns:
            Why it changed nothing; "" if it counts, or if it is not a message about prompts.
        """
        self.read_to[record.partition] = record.offset + 1
        message = record.message_or_none()
        if not isinstance(message, PromptProposed | PromptDecided | TrialStarted | TrialEnded):
            return ""
        if record.key_text != message.agent:
            return "its key is not the agent"
        own = self.agents.setdefault(message.agent, AgentPrompts())
        if isinstance(message, PromptProposed):
            why, version = _propose(own, message, record.offset), message.version
        elif isinstance(message, PromptDecided):
            why, version = _decide(own, message, record.offset), message.version
        else:
            why, version = apply_trial(own.trials, message, record.offset), message.challenger
        if why:
            own.refused.append(Refused(record.offset, version, why))
            del own.refused[:-REFUSED_MAX]
        return why

    def of(self, agent: str) -> AgentPrompts:
        """The versions of an agent; none if it has none yet."""
        return self.agents.get(agent, AgentPrompts())


def why_not_proposed(own: AgentPrompts, proposed: PromptProposed) -> str:
    """Why a proposal would not count now; "" if it would."""
    if version_of(proposed.text) != proposed.version:
        return "the version is not the SHA-256 of the text"
    if proposed.author == "file":
        return "" if proposed.version != own.file_version else "the file's text is known"
    if own.frozen:
        return "the agent's prompts are frozen"
    if own.pending is not None:
        return f"version {own.pending.short} is pending: approve or reject it first"
    now = own.in_force(proposed.as_of)
    if now is None:
        return "the agent has no text yet: start it once"
    if proposed.version == now.version:
        return "this text is in force"
    if proposed.parent != now.version:
        return f"it was made from another version than {now.short}, which is in force"
    return _why_too_soon(own, proposed)


def _why_too_soon(own: AgentPrompts, proposed: PromptProposed) -> str:
    if proposed.author == "person" or not own.changes or proposed.as_of is None:
        return ""
    last = own.changes[-1].as_of
    if last is None or own.changes[-1].author == "file":
        return ""
    ready = later(last, proposed.cooldown_s)
    return "" if proposed.as_of >= ready else f"the last change cools down until {ready:%H:%M}"


def _propose(own: AgentPrompts, proposed: PromptProposed, offset: int) -> str:
    if why := why_not_proposed(own, proposed):
        return why
    _let_expire(own, proposed.as_of, offset)
    version = PromptVersion(
        version=proposed.version,
        text=proposed.text,
        parent=proposed.parent,
        author=proposed.author,
        by=proposed.by,
        reason=proposed.reason,
        template=proposed.template,
        evidence=proposed.evidence,
        evidence_after=proposed.evidence_after,
        cooldown_s=proposed.cooldown_s,
        expires_s=proposed.expires_s,
        proposed_as_of=proposed.as_of,
        proposed_at=proposed.at,
        offset=offset,
    )
    if proposed.author != "file":
        own.pending = version
        return ""
    own.file_version = version.version
    if own.pending is not None:
        own.pending.decided_for = "the agent's file was changed"
        _reject(own, own.pending)
    _put_into_force(own, version, proposed, offset)
    return ""


def _reject(own: AgentPrompts, version: PromptVersion) -> None:
    version.state, own.pending = "rejected", None
    own.versions.setdefault(version.version, version)  # A text that was in force before stays so.
    _forget_old(own)


def _decide(own: AgentPrompts, decided: PromptDecided, offset: int) -> str:
    if why := why_not_decided(own, decided):
        return why
    if decided.action in ("freeze", "unfreeze"):
        own.frozen = decided.action == "freeze"
        return ""
    _let_expire(own, decided.as_of, offset)
    version = own.versions.get(decided.version)
    if decided.action in ("approve", "reject"):
        version = own.pending
    assert version is not None, "the rules above say so"
    version.decided_by, version.decided_for = decided.by, decided.reason
    version.evidence_after = decided.evidence or version.evidence_after
    if decided.action == "confirm":
        version.confirmed = True
    elif decided.action == "reject":
        _reject(own, version)
    else:
        if decided.action == "approve":
            own.pending = None
        else:  # A version that a rollback returned to does not expire.
            version.confirmed = True
        _put_into_force(own, version, decided, offset)
    return ""


def why_not_decided(own: AgentPrompts, decided: PromptDecided) -> str:
    """Why a decision would not count now; "" if it would."""
    if decided.action == "unfreeze":
        return "" if own.frozen else "the agent's prompts are not frozen"
    if own.frozen:
        return "the agent's prompts are frozen"
    if decided.action == "freeze":
        return ""
    if decided.action in ("approve", "reject"):
        pending = own.pending is not None and own.pending.version == decided.version
        return "" if pending else "it is not pending"
    version, now = own.versions.get(decided.version), own.in_force(decided.as_of)
    if version is None:
        return "no version has this hash"
    if decided.action == "confirm":
        if now is not version:
            return "it is not in force"
        return "" if version.expires_at and not version.confirmed else "it does not expire"
    if now is version:
        return "it is in force"
    return "it was never in force" if version.state == "rejected" else ""


def _put_into_force(
    own: AgentPrompts, version: PromptVersion, cause: PromptProposed | PromptDecided, offset: int
) -> None:
    before = own.versions.get(own.current)
    if before is not None and before is not version and before.state == "in force":
        before.state, before.expires_at = "replaced", None
    change = PromptChange(
        version.version,
        own.current,
        version.author if isinstance(cause, PromptProposed) else cause.author,
        cause.by,
        cause.reason,
        cause.as_of,
        offset,
    )
    own.changes.append(change)
    del own.changes[:-VERSIONS_MAX]
    own.versions.pop(version.version, None)  # It may have been in force before.
    own.versions[version.version] = version
    own.current, version.state, version.since = version.version, "in force", cause.as_of
    version.expires_at = None
    if version.expires_s is not None and cause.as_of is not None and not version.confirmed:
        version.expires_at = later(cause.as_of, version.expires_s)
    _forget_old(own)


def _let_expire(own: AgentPrompts, as_of: datetime | None, offset: int) -> None:
    """Note an expiry that has come, before a later record changes what is in force."""
    current, now = own.versions.get(own.current), own.in_force(as_of)
    if current is None or now is None or now is current:
        return
    current.state = "expired"
    reason = f"version {current.short} was not confirmed in time"
    own.changes.append(
        PromptChange(now.version, own.current, "judge", "", reason, current.expires_at, offset)
    )
    own.current, now.state, now.since = now.version, "in force", current.expires_at


def _forget_old(own: AgentPrompts) -> None:
    kept = {own.current, own.file_version}
    for name in list(own.versions):
        if len(own.versions) <= VERSIONS_MAX:
            return
        if name not in kept and name != own.versions[own.current].parent:
            del own.versions[name]
