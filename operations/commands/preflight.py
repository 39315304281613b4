"""The quick checks of `arena doctor` before a start: model servers, keys, disk.

`arena up` and `arena compete run` print the problems. A server that lists no models, or does not
answer that request, may still answer calls; so only an unreachable address, a refused key and a
full disk count as broken.
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
from arena.errors import ArenaError, UsageError
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
from operations.commands.context_check import context_findings
from operations.commands.doctor_machine import disk_finding
from operations.specs.arena_spec import ArenaSpec, ChatNodeTable
from operations.supervisor.plan import BASE_URL_VARIABLE

DEADLINE_S = 9.0
NO_CHECK = "--no-check skips this check"
DEAD = "dead"
FAILED = "failed"
SIZES: tuple[PromptSize, ...] = ("full", "compact", "tiny")

NoCheck = Annotated[
    bool, typer.Option("--no-check", help="Skip the quick check of keys and servers.")
]


class PreflightFailed(ArenaError):
    """A preflight check found something broken, so nothing was started.

    Attributes:
        dead: The agents whose chat node is broken.
    """

    dead: tuple[DeadAgent, ...] = ()


def preflight_findings(spec: ArenaSpec, folder: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Check the disk and the model servers of an arena within `DEADLINE_S`.

    Args:
        spec: The arena.
        folder: The run's folder, on the disk that it writes to.
        environ: The variables of keys and headers.
    """
    return [*disk_finding(folder), *asyncio.run(check_nodes(nodes_to_check(spec), spec, environ))]


def preflight_arena(spec: ArenaSpec, home: Path, *, skip: bool) -> None:
    """Check before `arena up`: print the problems; a refused key stops the start.

    Args:
        spec: The arena.
        home: The folder that it writes to.
        skip: True checks nothing (`--no-check`).

    Raises:
        ArenaError: A server refuses its key.
    """
    if skip:
        return
    findings = preflight_findings(spec, home, os.environ)
    print_problems(findings)
    require_no_refused_key(findings)


def preflight_contest(spec: ArenaSpec, directory: Path, json_file: Path | None) -> None:
    """Check before `arena compete run`: anything broken stops it before it costs money.

    Raises:
        PreflightFailed: Something is broken; `json_file` then lists the dead agents.
    """
    findings = preflight_findings(spec, directory, os.environ)
    print_problems(findings)
    require_not_broken(spec, findings, json_file)


def check_context(spec: ArenaSpec, folder: Path) -> None:
    """Read the files of dated context before a start, and print what is wrong with their lines.

    Args:
        spec: The arena.
        folder: The folder to which its paths are relative.

    Raises:
        UsageError: A file cannot be read.
    """
    findings = context_findings(spec, folder)
    for finding in findings:
        if finding.state is FindingState.BROKEN:
            raise UsageError(finding.detail, remedy=finding.remedy)
    print_problems(findings)


def nodes_to_check(spec: ArenaSpec) -> list[ChatNodeTable]:
    """The chat nodes that call a server: not scripted, not replayed, used by an agent."""
    if spec.competition and spec.competition.replies == "replay":
        return []
    named = {agent.chat_node for agent in spec.agents}
    return [node for node in spec.chat_nodes if node.name in named and not node.keyless]


def prompt_of(node: ChatNodeTable, spec: ArenaSpec) -> PromptSize:
    """The largest prompt size that an agent sends to a chat node."""
    sent = {a.prompt or node.prompt or "full" for a in spec.agents if a.chat_node == node.name}
    return next((size for size in SIZES if size in sent), node.prompt or "full")


async def check_nodes(
    nodes: Sequence[ChatNodeTable], spec: ArenaSpec, environ: Mapping[str, str]
) -> list[Finding]:
    """Check all nodes concurrently."""
    found = await asyncio.gather(*(_check_node(node, spec, environ) for node in nodes))
    return [finding for findings in found for finding in findings]


async def _check_node(
    node: ChatNodeTable, spec: ArenaSpec, environ: Mapping[str, str]
) -> list[Finding]:
    # Imported here: it loads an HTTP client, which commands without models do not need.
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


def print_problems(findings: Sequence[Finding]) -> None:
    """Print the warnings and what is broken."""
    problems = [finding for finding in findings if finding.state is not FindingState.OK]
    if not problems:
        return
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(" Problems found before the start (all checks: arena doctor):")
    for line in finding_lines(problems, colour=colour):
        print(f" {line}")
    sys.stdout.flush()


def refused_key(findings: Sequence[Finding]) -> Finding | None:
    """The first finding of a key that a server refuses."""
    return next(
        (f for f in findings if f.state is FindingState.BROKEN and f.cause == Cause.AUTH), None
    )


def require_no_refused_key(findings: Sequence[Finding]) -> None:
    """Require that no server refuses its key; other problems may go away while an arena runs.

    Raises:
        ArenaError: A server refuses its key.
    """
    if (found := refused_key(findings)) is not None:
        raise ArenaError(
            f"{found.check}: {found.detail}",
            remedy=f"{found.remedy}; {NO_CHECK}",
        )


def require_not_broken(
    spec: ArenaSpec, findings: Sequence[Finding], json_file: Path | None
) -> None:
    """Require that nothing is broken; else write the document of a contest that did not start.

    Raises:
        PreflightFailed: Something is broken.
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
    """The document of `--json` for a contest that was not started, with the keys of other contests.

    `dead` lists the agents whose chat node is broken; it is empty if something else is broken.
    """
    assert spec.competition is not None, "the specification has no contest"
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
