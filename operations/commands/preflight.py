"""The quick half of `arena doctor`, before anything is started: model servers, keys, disk.

`arena up` and `arena compete run` show what is not as it should be. A server that lists no models,
or drops the question, may still answer calls; so only an address that cannot be reached, a key that
is refused and a full disk are broken.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from arena.agent_health import DeadAgent
from arena.atomic_files import write_atomic
from arena.endpoint import resolve_headers
from arena.errors import ArenaError
from arena.findings import (
    Finding,
    FindingState,
    any_broken,
    broken,
    finding_lines,
    of_node,
    warning,
)
from arena.messages import Cause, PromptSize
from operations.commands.doctor_machine import disk_finding
from operations.specs.arena_spec import ArenaSpec, ChatNodeTable
from operations.supervisor.plan import BASE_URL_VARIABLE

DEADLINE_S = 9.0
NO_CHECK = "--no-check starts all the same"
DEAD = "dead"
FAILED = "failed"
SIZES: tuple[PromptSize, ...] = ("full", "compact", "tiny")

NoCheck = Annotated[
    bool, typer.Option("--no-check", help="Start without the quick check of keys and servers.")
]


class PreflightFailed(ArenaError):
    """A quick check found something broken, so nothing was started.

    Attributes:
        dead: The agents whose chat node is broken.
    """

    dead: tuple[DeadAgent, ...] = ()


def preflight_findings(spec: ArenaSpec, folder: Path, environ: Mapping[str, str]) -> list[Finding]:
    """What can be seen of an arena before it is started, within `DEADLINE_S`.

    Args:
        spec: The arena.
        folder: Of its run: the disk that it writes to.
        environ: Keys, and variables of headers.
    """
    return [*disk_finding(folder), *asyncio.run(check_nodes(nodes_to_check(spec), spec, environ))]


def preflight_arena(spec: ArenaSpec, home: Path, *, skip: bool) -> None:
    """The check of `arena up`: what is not as it should be is shown, a refused key stops it.

    Args:
        spec: The arena.
        home: Where it writes.
        skip: Check nothing (`--no-check`).

    Raises:
        ArenaError: A server refuses its key.
    """
    if skip:
        return
    findings = preflight_findings(spec, home, os.environ)
    show(findings)
    require_no_refused_key(findings)


def preflight_contest(spec: ArenaSpec, directory: Path, json_file: Path | None) -> None:
    """The check of `arena compete run`: anything broken stops it before it costs anything.

    Raises:
        PreflightFailed: Something is broken; `json_file` then says who is dead.
    """
    findings = preflight_findings(spec, directory, os.environ)
    show(findings)
    require_not_broken(spec, findings, json_file)


def nodes_to_check(spec: ArenaSpec) -> list[ChatNodeTable]:
    """The chat nodes that ask a server: not scripted, not replayed, with an agent."""
    if spec.competition and spec.competition.replies == "replay":
        return []
    named = {agent.chat_node for agent in spec.agents}
    return [node for node in spec.chat_nodes if node.name in named and not node.keyless]


def prompt_of(node: ChatNodeTable, spec: ArenaSpec) -> PromptSize:
    """The largest prompt that an agent sends to a chat node."""
    sent = {a.prompt or node.prompt or "full" for a in spec.agents if a.chat_node == node.name}
    return next((size for size in SIZES if size in sent), node.prompt or "full")


async def check_nodes(
    nodes: Sequence[ChatNodeTable], spec: ArenaSpec, environ: Mapping[str, str]
) -> list[Finding]:
    """The quick checks of every node at once."""
    found = await asyncio.gather(*(_check_node(node, spec, environ) for node in nodes))
    return [finding for findings in found for finding in findings]


async def _check_node(
    node: ChatNodeTable, spec: ArenaSpec, environ: Mapping[str, str]
) -> list[Finding]:
    # Here: it loads an HTTP client, which commands without models do not need.
    from arena.server_check import ServerTarget, check_server

    try:
        headers = resolve_headers(node.extra_headers, environ)
    except ValueError as error:
        return of_node(node.name, [broken("key", str(error), cause=Cause.AUTH)])
    target = ServerTarget(
        model_id=node.model_id,
        base_url=node.base_url or environ.get(BASE_URL_VARIABLE, ""),
        key=environ.get(node.api_key_env, "").strip(),
        variable=node.api_key_env,
        headers=headers,
        prompt=prompt_of(node, spec),
        products=len(spec.arena.products),
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            return of_node(node.name, await check_server(target))
    except TimeoutError:
        text = f"no answer within {DEADLINE_S:g} s"
        return of_node(node.name, [warning("address", text)])


def show(findings: Sequence[Finding]) -> None:
    """Print what is not as it should be."""
    wrong = [finding for finding in findings if finding.state is not FindingState.OK]
    if not wrong:
        return
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(" Checked before the start (all of it: arena doctor):")
    for line in finding_lines(wrong, colour=colour):
        print(f" {line}")
    sys.stdout.flush()


def refused_key(findings: Sequence[Finding]) -> Finding | None:
    """The first finding of a key that a server refuses."""
    return next(
        (f for f in findings if f.state is FindingState.BROKEN and f.cause == Cause.AUTH), None
    )


def require_no_refused_key(findings: Sequence[Finding]) -> None:
    """See that no server refuses its key; anything else may come right while an arena runs.

    Raises:
        ArenaError: One does.
    """
    if (found := refused_key(findings)) is not None:
        raise ArenaError(
            f"{found.check}: {found.detail}",
            remedy=f"{found.remedy}; {NO_CHECK}",
        )


def require_not_broken(
    spec: ArenaSpec, findings: Sequence[Finding], json_file: Path | None
) -> None:
    """See that nothing is broken; else write how the contest ended, before it began.

    Raises:
        PreflightFailed: Something is.
    """
    if not any_broken(findings):
        return
    if json_file is not None:
        document = not_started_document(spec, findings)
        write_atomic(json_file, json.dumps(document, indent=2) + "\n")
    first = next(finding for finding in findings if finding.state is FindingState.BROKEN)
    error = PreflightFailed(
        f"nothing was started. {first.check}: {first.detail}",
        remedy="; ".join(filter(None, (first.remedy, NO_CHECK))),
    )
    error.dead = dead_agents_in(spec, findings)
    raise error


def dead_agents_in(spec: ArenaSpec, findings: Sequence[Finding]) -> tuple[DeadAgent, ...]:
    """The agents whose chat node is broken."""
    first = {f.node: f for f in reversed(findings) if f.node and f.state is FindingState.BROKEN}
    return tuple(
        DeadAgent(agent.name, found.detail, 0, code=found.cause, remedy=found.remedy)
        for agent in spec.agents
        if (found := first.get(agent.chat_node)) is not None
    )


def not_started_document(spec: ArenaSpec, findings: Sequence[Finding]) -> dict[str, JsonValue]:
    """The document of `--json` for a contest that was not started; names are those of the others.

    `dead` lists the agents whose chat node is broken; without such a node, the fault is elsewhere.
    """
    assert spec.competition is not None, "the specification holds no contest"
    dead: list[JsonValue] = [one.document() for one in dead_agents_in(spec, findings)]
    return {
        "run": None,
        "ended": DEAD if dead else FAILED,
        "text": next(f.text for f in findings if f.state is FindingState.BROKEN),
        "seconds": 0.0,
        "snapshots": 0,
        "snapshots_wanted": spec.competition.snapshot_count(spec.arena.interval_s),
        "agents": [agent.name for agent in spec.agents],
        "turns": 0,
        "tokens": 0,
        "cost_usd": "0",
        "dead": dead,
        "checks": [finding.as_json() for finding in findings],
    }
