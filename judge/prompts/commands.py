"""What the commands of `arena prompts` do.

Reads and writes `prompts`; reads `arena.roster`, `market.snapshots` for the venue time, and what
`judge.prompts.trial_played` reads. A command reports whether its own record counts: of two at once,
the first in the log does.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime

from arena.bus.base import Bus
from arena.command_sender import command_sender
from arena.errors import ArenaError, UsageError
from arena.halt_command import require_agent
from arena.messages import COACHED, AgentSpec, PromptAction, PromptDecided, PromptProposed
from arena.output import print_note
from arena.prompt_log import append_prompt, newest_as_of, read_prompts
from arena.prompt_trials import running_trial
from arena.prompt_versions import AgentPrompts, PromptBook, PromptVersion, version_of
from arena.roster import read_agents
from arena.run_lookup import ArenaLocation
from arena.shadow_agents import without_shadows
from arena.tables import print_table
from arena.unknown_names import check_agent_name, unknown_name
from judge.prompts.cli_text import (
    COLUMNS,
    agent_document,
    one_version,
    remarks,
    rows,
    version_diff,
    version_document,
)
from judge.prompts.frozen import require_coached
from judge.prompts.lint import lint
from judge.prompts.trial_played import read_played
from judge.prompts.trial_text import COLUMNS as TRIAL_COLUMNS
from judge.prompts.trial_text import trial_remarks, trial_rows, version_remark

CLIENT = "arena-prompts"
LINT_MAX = 5
"""Most remarks about a text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision that a command asks for; `version` is what was typed."""

    agent: str
    action: PromptAction
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What a command knows before it writes."""

    book: PromptBook
    agents: dict[str, AgentSpec]
    as_of: datetime | None
    played: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The agents, by name, without shadow agents of trials."""
        return sorted(without_shadows({*self.agents, *self.book.agents}, self.agents))

    def own(self, agent: str) -> AgentPrompts:
        """The versions of an agent."""
        return self.book.of(agent)

    def mode(self, agent: str) -> str:
        """Whether its text can be changed, as its entry on the roster says."""
        return self.agents[agent].prompts if agent in self.agents else COACHED


async def _known(bus: Bus) -> _Known:
    return _Known(await read_prompts(bus), await read_agents(bus), await newest_as_of(bus))


async def _read(location: ArenaLocation, agent: str | None) -> _Known:
    bus = location.bus(CLIENT)
    await bus.start()
    try:
        known = await _known(bus)
        agents = known.book.agents if agent is None else [agent]
        for name in agents:
            running = running_trial(known.own(name).trials)
            if running is not None and running.started is not None:
                known.played[running.trial_id] = await read_played(bus, running.started)
    finally:
        await bus.close()
    names = {*known.agents, *known.book.agents}
    if agent is not None and agent not in names:
        raise unknown_name("agent", agent, names)
    return known


async def list_versions(location: ArenaLocation, agent: str | None, *, as_json: bool) -> None:
    """Print the versions of an agent, or of all."""
    known = await _read(location, agent)
    names = [agent] if agent is not None else known.names
    played = known.played
    if as_json:
        documents = [
            agent_document(n, known.own(n), known.mode(n), known.as_of, played) for n in names
        ]
        print(json.dumps(documents[0] if agent is not None else documents, indent=2))
        return
    print_note(f"reading {location.name}")
    for name in names:
        own = known.own(name)
        if agent is None:
            print(f"{name}:")
        below = remarks(name, own, known.mode(name), played)
        print_table(COLUMNS, rows(own, known.as_of), remarks=below)
        if own.trials:
            print_table(TRIAL_COLUMNS, trial_rows(own, played), remarks=trial_remarks(own))


async def show_version(location: ArenaLocation, agent: str, prefix: str, *, as_json: bool) -> None:
    """Print the text of a version, or of that in force."""
    known = await _read(location, agent)
    own = known.own(agent)
    found = one_version(own, agent, prefix) if prefix else own.in_force(known.as_of)
    if found is None:
        raise _no_text(agent)
    tried = version_remark(own, found.version, known.played)
    if as_json:
        document = version_document(own, found, known.as_of)
        text = {"agent": agent, "text": found.text, "trial": tried or None}
        print(json.dumps({**document, **text}, indent=2))
    else:
        print_note(f"version {found.version} of {agent}, by {found.author} {found.by}")
        if tried:
            print_note(tried)
        print(found.text, end="" if found.text.endswith("\n") else "\n")


async def diff_versions(location: ArenaLocation, agent: str, old: str, new: str) -> None:
    """Print what changed between two versions."""
    known = await _read(location, agent)
    own = known.own(agent)
    after = one_version(own, agent, new) if new else own.pending or own.in_force(known.as_of)
    if after is None:
        raise _no_text(agent)
    if not old and not after.parent:
        raise UsageError(f"{after.short} has no parent", remedy="name two versions")
    before = one_version(own, agent, old or after.parent)
    if tried := version_remark(own, after.version, known.played):
        print_note(tried)
    for line in version_diff(before, after):
        print(line)


@dataclass(frozen=True, slots=True)
class Text:
    """A text for an agent, and the reason for it."""

    agent: str
    text: str
    reason: str


async def set_text(location: ArenaLocation, given: Text, *, propose: bool, as_json: bool) -> None:
    """Propose a text, and approve it unless it is only proposed."""
    bus = location.bus(CLIENT)
    await bus.start()
    try:
        known = await _start(bus, given.agent)
        own, version = known.own(given.agent), version_of(given.text)
        now = own.in_force(known.as_of)
        if now is None:
            raise _no_text(given.agent)
        if now.version != version:
            own = await _put(bus, known, given, now, propose=propose)
            for fault in lint(given.text, now.text)[:LINT_MAX]:
                print_note(f"a proposal of the judge would be refused for this: {fault}")
    finally:
        await bus.close()
    _print(given.agent, own, version, known.as_of, as_json=as_json)


async def propose_text(bus: Bus, agent: str, text: str, reason: str) -> AgentPrompts:
    """Propose a text, unless it is pending already; returns the versions of the agent.

    Args:
        bus: Connected.
        agent: The agent.
        text: The text.
        reason: Reason for the record.

    Raises:
        UsageError: The agent is unknown, or the text is in force already.
        ArenaError: The agent's prompts are frozen, or another proposal is pending.
    """
    given = Text(agent, text, reason)
    known = await _start(bus, agent)
    now = known.own(agent).in_force(known.as_of)
    if now is None:
        raise _no_text(agent)
    if now.version == version_of(text):
        raise UsageError(f"{agent} plays by this text already", remedy="try another one")
    return await _put(bus, known, given, now, propose=True)


async def _put(
    bus: Bus, known: _Known, given: Text, now: PromptVersion, *, propose: bool
) -> AgentPrompts:
    """Propose a text, unless a killed command proposed it already, and approve it."""
    own, version = known.own(given.agent), version_of(given.text)
    fields = {
        "agent": given.agent,
        "version": version,
        "reason": given.reason,
        "by": command_sender(),
    }
    if own.pending is None or own.pending.version != version:
        proposed = PromptProposed(
            **fields,
            text=given.text,
            parent=now.version,
            author="person",
            as_of=known.as_of,
            at=bus.clock.now(),
        )
        why, book = await append_prompt(bus, proposed)
        own = book.of(given.agent)
        if why:
            raise _refused(given.agent, why)
    if not propose:
        approved = PromptDecided(
            **fields, action="approve", author="person", as_of=known.as_of, at=bus.clock.now()
        )
        why, book = await append_prompt(bus, approved)
        own = book.of(given.agent)
        after = own.in_force(known.as_of)
        if why and (after is None or after.version != version):
            raise _refused(given.agent, why)
    return own


async def decide(location: ArenaLocation, asked: Asked, *, as_json: bool) -> None:
    """Write a decision, and print whether it counts."""
    bus = location.bus(CLIENT)
    await bus.start()
    try:
        known = await _start(bus, asked.agent)
        version = _version_meant(asked, known.own(asked.agent), known.as_of)
        decided = PromptDecided(
            agent=asked.agent,
            version=version,
            action=asked.action,
            author="person",
            by=command_sender(),
            reason=asked.reason,
            as_of=known.as_of,
            at=bus.clock.now(),
        )
        why, book = await append_prompt(bus, decided)
    finally:
        await bus.close()
    if why:
        raise _refused(asked.agent, why)
    _print(asked.agent, book.of(asked.agent), version, known.as_of, as_json=as_json)


def _version_meant(asked: Asked, own: AgentPrompts, as_of: datetime | None) -> str:
    """The version that a decision is about."""
    if asked.action in ("freeze", "unfreeze"):
        return ""
    if asked.version:
        return one_version(own, asked.agent, asked.version).version
    now = own.in_force(as_of)
    if asked.action in ("approve", "reject"):
        if own.pending is None:
            raise UsageError(
                f"{asked.agent} has no pending proposal", remedy="see `arena prompts list`"
            )
        return own.pending.version
    if now is None:
        raise _no_text(asked.agent)
    if asked.action == "confirm":
        return now.version
    before = now.parent
    if not before and own.changes and own.changes[-1].author == "file":
        before = own.changes[-1].before
    if before not in own.versions:
        raise UsageError(
            f"{now.short} is the first version of {asked.agent}", remedy="name a version"
        )
    return before


async def _start(bus: Bus, agent: str) -> _Known:
    """What is known, after the checks that every change must pass."""
    check_agent_name(agent)
    await require_agent(bus, agent)
    known = await _known(bus)
    require_coached(agent, known.agents, "its text cannot be changed")
    return known


def _no_text(agent: str) -> UsageError:
    return UsageError(f"agent {agent} has no text yet", remedy="start its router once")


def _refused(agent: str, why: str) -> ArenaError:
    return ArenaError(
        f"nothing was changed: {why}", remedy=f"`arena prompts list {agent}` shows its versions"
    )


def _print(
    agent: str, own: AgentPrompts, version: str, as_of: datetime | None, *, as_json: bool
) -> None:
    now = own.in_force(as_of)
    pending = own.pending
    if as_json:
        document = {
            "agent": agent,
            "version": version or None,
            "in_force": None if now is None else now.version,
            "pending": None if pending is None else pending.version,
            "frozen": own.frozen,
        }
        print(json.dumps(document))
        return
    if now is not None:
        text = f"in force: {now.short}, from the next snapshot of {agent} on"
        print(f"{text}; frozen" if own.frozen else text)
    if pending is not None:
        print(f"pending: {pending.short}; arena prompts approve {agent}")
