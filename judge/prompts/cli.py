"""The command `arena prompts`: the versions of agents' texts, and what people decide about them."""

from pathlib import Path
from typing import Annotated

import typer

from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.run_lookup import find_arena
from judge.prompts import commands
from judge.prompts.text_file import read_strategy_text

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Example: arena prompts diff momentum",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
        run_async(lambda: commands.list_versions(location, agent, as_json=as_json))


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
        run_async(lambda: commands.show_version(location, agent, version, as_json=as_json))


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
        run_async(lambda: commands.diff_versions(location, agent, old, new))


@app.command("set")
def set_(
    agent: Agent,
    file: Annotated[Path, typer.Argument(help="File with the text: .md, .txt or .toml.")],
    reason: Reason = "",
    propose: Annotated[
        bool,
        typer.Option(
            "--propose", help="Only propose it; `arena prompts approve` puts it into force."
        ),
    ] = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Give an agent another text, from its next snapshot on. Rules, tools and costs stay.

    Exit 1 if it was changed by another command meanwhile, or if the agent's prompts are frozen.

    Example: arena prompts set momentum careful.md --reason "too many trades"
    """
    text = read_strategy_text(file)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        given = commands.Text(agent, text, reason)
        run_async(lambda: commands.set_text(location, given, propose=propose, as_json=as_json))


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
    asked = commands.Asked(agent, "rollback", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: commands.decide(location, asked, as_json=as_json))


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
    """Put the pending proposal into force.

    Example: arena prompts approve momentum
    """
    asked = commands.Asked(agent, "approve", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: commands.decide(location, asked, as_json=as_json))


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
    """Decline the pending proposal.

    Example: arena prompts reject momentum --reason "it would stop trading"
    """
    asked = commands.Asked(agent, "reject", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: commands.decide(location, asked, as_json=as_json))


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
    asked = commands.Asked(agent, "confirm", version, reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: commands.decide(location, asked, as_json=as_json))


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
    asked = commands.Asked(agent, "unfreeze" if off else "freeze", "", reason)
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: commands.decide(location, asked, as_json=as_json))
