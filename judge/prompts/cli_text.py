"""Versions of prompts as tables, texts and JSON. Pure."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import JsonValue

from arena.errors import UsageError
from arena.prompt_versions import AgentPrompts, PromptVersion
from arena.text_diff import diff_lines
from arena.unknown_names import listed
from judge.prompts.trial_text import Played, pending_remark, trial_documents

COLUMNS = (
    ("version", False),
    ("state", False),
    ("by", False),
    ("since", False),
    ("made from", False),
    ("reason", False),
)
SHOWN_MAX = 20
"""Versions that an error about an unknown one lists."""


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def version_document(
    own: AgentPrompts, version: PromptVersion, as_of: datetime | None
) -> dict[str, JsonValue]:
    """A version as JSON, without its text; keys are only ever added."""
    before, after = version.evidence, version.evidence_after
    return {
        "version": version.version,
        "state": own.state_at(version, as_of),
        "parent": version.parent or None,
        "author": version.author,
        "by": version.by,
        "reason": version.reason,
        "template": version.template or None,
        "proposed_at": version.proposed_at.isoformat(),
        "proposed_as_of": _time(version.proposed_as_of),
        "since": _time(version.since),
        "expires_at": _time(version.expires_at),
        "confirmed": version.confirmed,
        "decided_by": version.decided_by or None,
        "decided_for": version.decided_for or None,
        "evidence": None if before is None else before.model_dump(mode="json"),
        "evidence_after": None if after is None else after.model_dump(mode="json"),
    }


def agent_document(
    agent: str, own: AgentPrompts, mode: str, as_of: datetime | None, played: Played
) -> dict[str, JsonValue]:
    """The versions of an agent as JSON; keys are only ever added.

    Args:
        agent: The agent.
        own: Its versions.
        mode: "frozen" or "coached", of its entry on the roster.
        as_of: Venue time of the newest snapshot.
        played: How far running trials are.
    """
    now = own.in_force(as_of)
    return {
        "agent": agent,
        "prompts": mode,
        "in_force": None if now is None else now.version,
        "pending": None if own.pending is None else own.pending.version,
        "file": own.file_version or None,
        "frozen": own.frozen or mode == "frozen",
        "versions": [version_document(own, one, as_of) for one in own.in_order()],
        "changes": [
            {
                "version": one.version,
                "before": one.before or None,
                "author": one.author,
                "by": one.by,
                "reason": one.reason,
                "as_of": _time(one.as_of),
                "offset": one.offset,
            }
            for one in own.changes
        ],
        "trials": trial_documents(own, played),
        "refused": [
            {"offset": one.offset, "version": one.version or None, "why": one.why}
            for one in own.refused
        ],
    }


def rows(own: AgentPrompts, as_of: datetime | None) -> Iterator[tuple[str, ...]]:
    """The cells of `COLUMNS`, one row per version, oldest first."""
    for one in own.in_order():
        since = "" if one.since is None else f"{one.since:%Y-%m-%d %H:%M}"
        if one.expires_at is not None and not one.confirmed:
            since += f" until {one.expires_at:%m-%d %H:%M}"
        state, why = own.state_at(one, as_of), one.reason
        if one.decided_for and state == "rejected":
            why += f" ({one.decided_for})"
        by = one.author if one.author == "file" else f"{one.author} {one.by}"
        yield one.short, state, by, since, one.parent[: len(one.short)], why


def remarks(agent: str, own: AgentPrompts, mode: str, played: Played) -> list[str]:
    """What else to say below the table.

    Args:
        agent: The agent.
        own: Its versions.
        mode: "frozen" or "coached", of its entry on the roster.
        played: How far running trials are.
    """
    lines = []
    if mode == "frozen":
        lines.append(f"{agent}: its text is that of its file, and cannot be changed: {FROZEN}")
    elif own.frozen:
        lines.append(f"{agent}: frozen; arena prompts freeze {agent} --off")
    if own.pending is not None:
        short = own.pending.short
        lines.append(f"{short} is pending: arena prompts approve {agent}, or reject it")
        if tried := pending_remark(own, played):
            lines.append(tried)
    return lines


FROZEN = "the roster says that its prompts are frozen"


def one_version(own: AgentPrompts, agent: str, prefix: str) -> PromptVersion:
    """The only version that begins with these characters.

    Raises:
        UsageError: None does, or several do.
    """
    found = own.find(prefix) if prefix else []
    if len(found) == 1:
        return found[0]
    known = [one.short for one in own.in_order()][-SHOWN_MAX:]
    if found:
        names = listed([one.version[:16] for one in found[:SHOWN_MAX]])
        raise UsageError(f"{prefix!r} begins several versions", remedy=f"write more of {names}")
    text = f"the versions are {listed(known)}" if known else "it has none yet: start it once"
    raise UsageError(f"agent {agent} has no version {prefix!r}", remedy=text)


def version_diff(old: PromptVersion, new: PromptVersion) -> list[str]:
    """What changed from one text to another, as a unified diff; empty if nothing did."""
    lines = diff_lines(old.text, new.text, context=3)
    heads = (f"{mark} {one.short} ({one.author})" for mark, one in (("---", old), ("+++", new)))
    return [*heads, *lines] if lines else []
