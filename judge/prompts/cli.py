"""The command `arena prompts`: the versions of agents' texts, and what people decide about them.

Reads and writes `prompts`; reads `arena.roster`, and `market.snapshots` for the venue time. A
command says what became of its own record: of two people at once, the log decides.
"""

import json
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from arena.bus.base import Bus
from arena.errors import ArenaError, UsageError
from arena.halt_command import require_agent
from arena.messages import COACHED, AgentSpec, PromptAction, PromptDecided, PromptProposed
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.prompt_log import append_prompt, newest_as_of, read_prompts
from arena.prompt_versions import AgentPrompts, PromptBook, PromptVersion, version_of
from arena.roster import read_agents
from arena.run_lookup import ArenaLocation, find_arena
from arena.tables import print_table
from arena.unknown_names import check_agent_name, unknown_name
from judge.prompts.cli_text import (
    COLUMNS,
    agent_document,
    diff_lines,
    one_version,
    remarks,
    rows,
    version_document,
)
from judge.prompts.frozen import require_coached
from judge.prompts.text_file import read_strategy_text

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Example: arena prompts diff momentum",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CLIENT = "arena-prompts"
Agent = Annotated[str, typer.Argument(help="Agent.")]
SomeAgent = Annotated[str | None, typer.Argument(help="Agent. [all]", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Reason for the record.")]
Pending = Annotated[
    str, typer.Argument(metavar="[VERSION]", help="Its first characters. [the pending one]")
]


@app.command("list")
def list_(
    agent: SomeAgent = None,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """List the versions of an agent's text: state, author, since when, and why.

    Example: arena prompts list momentum --json
    """
    with find_arena(servers, prefix, run, offline=True) as location:
        run_async(lambda: _list(location, agent, as_json=as_json))


@app.command("show")
def show(
    agent: Agent,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Its first characters. [that in force]")
    ] = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Print the text of a version.

    Example: arena prompts show momentum 1f0c
    """
    with find_arena(servers, prefix, run, offline=True) as location:
        run_async(lambda: _show(location, agent, version, as_json=as_json))


@app.command("diff")
def diff(
    agent: Agent,
    old: Annotated[
        str, typer.Argument(metavar="[OLD]", help="A version. [the parent of NEW]")
    ] = "",
    new: Annotated[
        str, typer.Argument(metavar="[NEW]", help="A version. [pending, or in force]")
    ] = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Show what changed between two versions.

    Example: arena prompts diff momentum
    """
    with find_arena(servers, prefix, run, offline=True) as location:
        run_async(lambda: _diff(location, agent, old, new))


@app.command("set")
def set_(
    agent: Agent,
    file: Annotated[Path, typer.Argument(help="File with the text: .md, .txt or .toml.")],
    reason: Reason = "",
    propose: Annotated[
        bool, typer.Option("--propose", help="Only propose it, for somebody to approve.")
    ] = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Give an agent another text, from its next snapshot on. Rules, tools and costs stay.

    Exit 1 if somebody else changed it meanwhile, or if the agent's prompts are frozen.

    Example: arena prompts set momentum careful.md --reason "too many trades"
    """
    text = read_strategy_text(file)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _set(location, agent, text, reason, propose=propose, as_json=as_json))


@app.command("rollback")
def rollback(
    agent: Agent,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Its first characters. [the one before]")
    ] = "",
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Return to an earlier version, from the agent's next snapshot on.

    Example: arena prompts rollback momentum --reason "worse than before"
    """
    asked = _Asked(agent, "rollback", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _decide(location, asked, as_json=as_json))


@app.command("approve")
def approve(
    agent: Agent,
    version: Pending = "",
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Put the proposal that waits into force.

    Example: arena prompts approve momentum
    """
    asked = _Asked(agent, "approve", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _decide(location, asked, as_json=as_json))


@app.command("reject")
def reject(
    agent: Agent,
    version: Pending = "",
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Decline the proposal that waits.

    Example: arena prompts reject momentum --reason "it would stop trading"
    """
    asked = _Asked(agent, "reject", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _decide(location, asked, as_json=as_json))


@app.command("confirm")
def confirm(
    agent: Agent,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Its first characters. [that in force]")
    ] = "",
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Keep a version that would expire.

    Example: arena prompts confirm momentum
    """
    asked = _Asked(agent, "confirm", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _decide(location, asked, as_json=as_json))


@app.command("freeze")
def freeze(
    agent: Agent,
    off: Annotated[bool, typer.Option("--off", help="Allow changes again.")] = False,
    reason: Reason = "",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Refuse every change of an agent's text until `--off`; it keeps the version in force.

    Example: arena prompts freeze momentum
    """
    asked = _Asked(agent, "unfreeze" if off else "freeze", "", reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _decide(location, asked, as_json=as_json))


@dataclass(frozen=True, slots=True)
class _Asked:
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
    finally:
        await bus.close()
    names = {*known.agents, *known.book.agents}
    if agent is not None and agent not in names:
        raise unknown_name("agent", agent, names)
    return known


async def _list(location: ArenaLocation, agent: str | None, *, as_json: bool) -> None:
    known = await _read(location, agent)
    names = [agent] if agent is not None else sorted({*known.agents, *known.book.agents})
    documents = [agent_document(n, known.own(n), known.mode(n), known.as_of) for n in names]
    if as_json:
        print(json.dumps(documents[0] if agent is not None else documents, indent=2))
        return
    print_note(f"reading {location.name}")
    for name in names:
        own = known.own(name)
        if agent is None:
            print(f"{name}:")
        print_table(COLUMNS, rows(own, known.as_of), remarks=remarks(name, own, known.mode(name)))


async def _show(location: ArenaLocation, agent: str, prefix: str, *, as_json: bool) -> None:
    known = await _read(location, agent)
    own = known.own(agent)
    found = one_version(own, agent, prefix) if prefix else own.in_force(known.as_of)
    if found is None:
        raise _no_text(agent)
    if as_json:
        document = version_document(own, found, known.as_of)
        print(json.dumps({**document, "agent": agent, "text": found.text}, indent=2))
    else:
        print_note(f"version {found.version} of {agent}, by {found.author} {found.by}")
        print(found.text, end="" if found.text.endswith("\n") else "\n")


async def _diff(location: ArenaLocation, agent: str, old: str, new: str) -> None:
    known = await _read(location, agent)
    own = known.own(agent)
    after = one_version(own, agent, new) if new else own.pending or own.in_force(known.as_of)
    if after is None:
        raise _no_text(agent)
    if not old and not after.parent:
        raise UsageError(f"{after.short} has no parent", remedy="name two versions")
    before = one_version(own, agent, old or after.parent)
    for line in diff_lines(before, after):
        print(line)


async def _set(
    location: ArenaLocation, agent: str, text: str, reason: str, *, propose: bool, as_json: bool
) -> None:
    bus = location.bus(CLIENT)
    await bus.start()
    try:
        known = await _start(bus, agent)
        own, version = known.own(agent), version_of(text)
        now = own.in_force(known.as_of)
        if now is None:
            raise _no_text(agent)
        if now.version != version:
            own = await _put(bus, known, _Text(agent, text, reason), now, propose=propose)
    finally:
        await bus.close()
    _print(agent, own, version, known.as_of, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that somebody gives an agent."""

    agent: str
    text: str
    reason: str


async def _put(
    bus: Bus, known: _Known, given: _Text, now: PromptVersion, *, propose: bool
) -> AgentPrompts:
    """Propose a text and approve it; goes on if it was proposed already, by a command that died."""
    own, version = known.own(given.agent), version_of(given.text)
    fields = {"agent": given.agent, "version": version, "reason": given.reason, "by": _by()}
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


async def _decide(location: ArenaLocation, asked: _Asked, *, as_json: bool) -> None:
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
            by=_by(),
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


def _version_meant(asked: _Asked, own: AgentPrompts, as_of: datetime | None) -> str:
    """The version that a decision is about."""
    if asked.action in ("freeze", "unfreeze"):
        return ""
    if asked.version:
        return one_version(own, asked.agent, asked.version).version
    now = own.in_force(as_of)
    if asked.action in ("approve", "reject"):
        if own.pending is None:
            raise UsageError(
                f"no proposal for {asked.agent} waits", remedy="see `arena prompts list`"
            )
        return own.pending.version
    if now is None:
        raise _no_text(asked.agent)
    if asked.action == "confirm":
        return now.version
    before = now.parent or (own.changes[-1].before if own.changes else "")
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


def _by() -> str:
    return f"cli/{socket.gethostname()}"


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
