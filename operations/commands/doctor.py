"""`arena doctor [ARENA.toml]`: what works here, what does not, and the remedies.

Without a file it checks the machine. With one it also checks the file's prices and keys, and runs
`arena chat-node ... --check` for every chat node in its own process, with no key but the node's.
The addresses of receivers of alerts are checked in the same way, and nothing is sent to them.
Writes nothing.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from arena.alert_settings import RECEIVERS_VARIABLE, REMEDY
from arena.environment import SECRETS
from arena.errors import UsageError
from arena.findings import (
    Finding,
    FindingState,
    any_broken,
    broken,
    finding_lines,
    findings_summary,
    of_node,
    ok,
    warning,
)
from arena.model_prices import PriceList, load_prices
from arena.options import AsJson
from arena.server_answers import cost_findings, cutoff_findings
from arena.server_check import PROMPT_VARIABLE
from arena.settings import Settings
from operations.commands.doctor_machine import machine_findings, spec_findings
from operations.commands.env_setup import load_env, load_env_beside
from operations.commands.preflight import check_nodes, prompt_of
from operations.commands.redrawn_line import RedrawnLine
from operations.commands.supervised_run import LAUNCHER, process_environment
from operations.specs.alerts import AlertsTable, place_flags
from operations.specs.arena_spec import ArenaSpec, ChatNodeTable, load_spec
from operations.specs.environment_defaults import with_environment_defaults
from operations.supervisor.plan import chat_node_command, require_prices, secret_variables

AT_ONCE = 4
CHECKS_S = 180.0
OUTPUT_BYTES_MAX = 1_000_000
ERROR_CHARS_MAX = 300


def doctor(
    path: Annotated[
        Path | None, typer.Argument(metavar="[ARENA.toml]", help="ARENA.toml to check as well.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Skip the model calls that cost money.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check this machine, and the prices, keys and models of an ARENA.toml.

    With a file, each model is called twice (a few hundred tokens) unless --quick is given. Exit
    code 1 if something is broken.

    Example: arena doctor examples/multi-model.toml --quick
    """
    folder = Path.cwd() if path is None else path.resolve().parent
    if path is None:
        load_env(folder, SECRETS)
    else:
        load_env_beside(path)
    spec = None if path is None else with_environment_defaults(load_spec(path), os.environ)
    waiting = RedrawnLine(sys.stderr)
    _show_waiting(waiting, "checking this machine")
    settings = Settings()
    found = machine_findings(settings, os.environ)
    if spec is not None:
        found += spec_findings(spec, folder, os.environ) + _budget(spec)
        nodes = _nodes_to_check(spec)
        ask = (
            quick_node_findings(nodes, spec, waiting)
            if quick
            else node_findings(nodes, spec, settings, waiting)
        )
        found += asyncio.run(ask)
    found += asyncio.run(alert_findings(spec, folder, settings))
    waiting.clear()
    if as_json:
        print(json.dumps([finding.as_json() for finding in found], indent=2))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print("\n".join(finding_lines(found, colour=colour)))
        print(f"\n {findings_summary(found)}")
    sys.exit(int(any_broken(found)))


def _show_waiting(line: RedrawnLine, text: str) -> None:
    """Show what the command waits for, on a terminal only."""
    if line.is_terminal:
        line.draw(f" {text}")


def _budget(spec: ArenaSpec) -> list[Finding]:
    """A budget in dollars that cannot be enforced, because a model has no known price."""
    try:
        require_prices(spec, load_prices())
    except UsageError as error:
        return [Finding("budget", FindingState.BROKEN, error.args[0], error.remedy)]
    return []


def _nodes_to_check(spec: ArenaSpec) -> list[ChatNodeTable]:
    """The chat nodes to check; replayed replies need none that calls a server."""
    replay = spec.competition is not None and spec.competition.replies == "replay"
    return [node for node in spec.chat_nodes if node.scripted or not replay]


async def quick_node_findings(
    nodes: list[ChatNodeTable], spec: ArenaSpec, waiting: RedrawnLine
) -> list[Finding]:
    """Check chat nodes without calling a model."""
    with_server = [node for node in nodes if not node.keyless]
    _show_waiting(waiting, f"checking {len(with_server)} chat nodes")
    found = await check_nodes(with_server, spec, os.environ)
    known = load_prices()
    for node in with_server:
        own = node.price_per_million
        prices = known if own is None else PriceList((own.price,))
        found += of_node(
            node.name,
            [
                *cost_findings(node.model_id, prices, node.daily_token_budget or 0),
                *cutoff_findings(node.model_id, node.cutoff or ""),
            ],
        )
    for node in nodes:
        if node.keyless:
            found += of_node(node.name, [ok("model", f"{node.model_id}: no server and no key")])
    return found


async def node_findings(
    nodes: list[ChatNodeTable], spec: ArenaSpec, settings: Settings, waiting: RedrawnLine
) -> list[Finding]:
    """Run the check of each chat node in its own process, a few at a time.

    Args:
        nodes: The chat nodes to check.
        spec: The arena; each node gets only its own secrets.
        settings: The settings of this arena.
        waiting: The line that shows the progress.
    """
    secrets = secret_variables(spec)
    free = asyncio.Semaphore(AT_ONCE)
    note = ", each model is called twice"
    left = len(nodes)

    async def check(node: ChatNodeTable) -> list[Finding]:
        nonlocal left
        size = f"{prompt_of(node, spec)}:{len(spec.arena.products)}"
        hidden = secrets - (frozenset() if node.scripted else node.variables)
        environ = {k: v for k, v in os.environ.items() if k not in hidden}
        async with free:
            _show_waiting(waiting, f"checking chat nodes: {left} left{note}")
            environ |= process_environment(settings) | {PROMPT_VARIABLE: size}
            checked = await _check(node, environ)
        left -= 1
        _show_waiting(waiting, f"checking chat nodes: {left} left{note}")
        return checked

    found = await asyncio.gather(*(check(node) for node in nodes))
    return [finding for findings in found for finding in findings]


async def alert_findings(spec: ArenaSpec | None, folder: Path, settings: Settings) -> list[Finding]:
    """Check the addresses of receivers in a process of its own; nothing is sent.

    Args:
        spec: The arena; None to check `ARENA_ALERTS` if it is set.
        folder: The folder to which the paths in the spec are relative.
        settings: The settings of this arena.
    """
    table = AlertsTable() if spec is None else spec.alerts
    if table is None:
        return []
    if not table.to and not os.environ.get(RECEIVERS_VARIABLE, "").strip():
        text = f"{RECEIVERS_VARIABLE} is not set, so alerts are only printed"
        return [] if spec is None else [warning("alerts", text, REMEDY)]
    hidden = (SECRETS if spec is None else secret_variables(spec)) - table.variables
    environ = {name: value for name, value in os.environ.items() if name not in hidden}
    command = ["alerts", "test", "--no-send", *place_flags(table, folder), "--json"]
    found = await _run_check(command, environ | process_environment(settings))
    if isinstance(found, str):
        return [broken("alerts", found)]
    return [_finding("", entry) for entry in found]


async def _check(node: ChatNodeTable, environ: Mapping[str, str]) -> list[Finding]:
    command = [*chat_node_command(node), "--check", "--json"]
    found = await _run_check(command, environ)
    if isinstance(found, str):
        return of_node(node.name, [broken("checks", found)])
    return [_finding(node.name, entry) for entry in found]


async def _run_check(
    command: Sequence[str], environ: Mapping[str, str]
) -> list[Mapping[str, str]] | str:
    """Run a command that prints findings as JSON; return them, or why there are none."""
    process = await asyncio.create_subprocess_exec(
        *LAUNCHER,
        *command,
        env=dict(environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(CHECKS_S):
            output, error = await process.communicate()
    except TimeoutError:
        return f"its checks did not end within {CHECKS_S:g} s; is the server overloaded?"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        found: list[Mapping[str, str]] = json.loads(output[:OUTPUT_BYTES_MAX])
        for entry in found:
            _finding("", entry)
    except (ValueError, TypeError, KeyError):
        text = " ".join(error.decode("utf-8", "replace").split())[-ERROR_CHARS_MAX:]
        return (
            text.removeprefix("arena: ")
            or f"exit code {process.returncode} without an error message"
        )
    return found


def _finding(node: str, entry: Mapping[str, str]) -> Finding:
    state = FindingState(entry["state"])
    return Finding(entry["check"], state, entry["detail"], entry["remedy"], node=node)
