"""The command `arena tools`: serve the trading tools, list them, call one, write one."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from arena.currency import DEFAULT_CURRENCY
from arena.environment import INITIAL_CASH
from arena.errors import EXIT_NO, UsageError
from arena.ids import check_name
from arena.messages import Pacing
from arena.node import run_async, run_node
from arena.options import AsJson, LogLevel, Prefix, ProcessServers, Run, Servers
from arena.plugin_options import FolderFlag, plugins_of
from arena.plugins import NO_PLUGINS, Plugins
from arena.risk_flags import AgentRiskFlag, agent_risk_of_flags, with_risk_flags
from arena.risk_limits import RiskLimits
from arena.risk_settings import RiskValues
from arena.run_lookup import running_settings
from arena.settings import Settings
from arena.unknown_names import OPERATOR
from arena.visible_text import visible, visible_json
from trading_tools.cli_plugins import check, new
from trading_tools.rules import DEFAULT_FEES, TradingRules

EXECUTOR_ALONE = (
    "tools of plugins run in a process of their own, never in the executor's",
    "start `arena tools --only executor`, and `arena tools --only stateless` with the plugins",
)

app = typer.Typer(
    rich_markup_mode=None,
    epilog="Example: arena tools --fees coinbase-advanced-1 --slippage-bps 2",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class ServedTools(StrEnum):
    """The parts of the process that can run alone."""

    EXECUTOR = "executor"
    STATELESS = "stateless"


Wallets = Annotated[
    list[str] | None,
    typer.Option(
        "--wallet",
        help="Further currency of accounts and its starting cash, such as USDT=50000; repeatable.",
    ),
]
StartingCash = Annotated[
    str,
    typer.Option(envvar=INITIAL_CASH, help="Cash of a new account, in its currency."),
]
PriceAge = Annotated[
    float, typer.Option("--price-age-s", "--price-age", help="Oldest usable price, in seconds.")
]
OnlyFlag = Annotated[
    ServedTools | None,
    typer.Option(help="Run only the executor or only the stateless tools.", show_default=False),
]


@app.callback(invoke_without_command=True)
@with_risk_flags
def serve(
    ctx: typer.Context,
    fees: Annotated[
        str, typer.Option(help="A fee schedule of fees.json, 'none', or basis points.")
    ] = DEFAULT_FEES,
    slippage_bps: Annotated[
        str, typer.Option(help="Slippage of every fill, in basis points.")
    ] = "2",
    currency: Annotated[
        str, typer.Option(help="Currency of accounts, in which products are quoted.")
    ] = DEFAULT_CURRENCY,
    wallet: Wallets = None,
    starting_cash: StartingCash = "100000",
    price_age_s: PriceAge = 30.0,
    collar_bps: Annotated[
        str, typer.Option(help="Largest move since the price that the agent saw, in basis points.")
    ] = "200",
    only: OnlyFlag = None,
    pacing: Annotated[
        Pacing,
        typer.Option(help="lock-step: the market's own clock measures the age of prices."),
    ] = "real-time",
    planned_snapshots: Annotated[
        int | None,
        typer.Option(help="Planned snapshots of the season, for the judge. [no planned end]"),
    ] = None,
    agent_risk: AgentRiskFlag = None,
    name: Annotated[str, typer.Option(help="Name of this process.")] = "tools",
    plugins: FolderFlag = None,
    bootstrap_servers: ProcessServers = None,
    log_level: LogLevel = None,
    *,
    risk_values: RiskValues,
) -> None:
    """Serve the trading tools and execute orders.

    Run it twice and one is a hot standby that takes over when the other dies.

    Example: arena tools --fees coinbase-advanced-1 --slippage-bps 2
    """
    if ctx.invoked_subcommand is not None:
        return
    check_name("tools", name)
    rules = TradingRules.from_flags(
        fees=fees,
        slippage_bps=slippage_bps,
        starting_cash=starting_cash,
        price_age_s=price_age_s,
        collar_bps=collar_bps,
        pacing=pacing,
        planned_snapshots=planned_snapshots,
        currency=currency,
        wallets=wallet or (),
    )
    settings = Settings().override(bootstrap_servers=bootstrap_servers, log_level=log_level)
    found = _plugins_beside(only, plugins, settings)

    # Imported here, so that `--help` and flag errors do not wait for the tools' libraries.
    from trading_tools import process

    options = process.ToolsOptions(
        rules,
        executor=only is not ServedTools.STATELESS,
        stateless=only is not ServedTools.EXECUTOR,
        plugins=found,
        risk_default=RiskLimits.from_json(risk_values),
        risk_by_agent=agent_risk_of_flags(agent_risk, risk_values),
    )
    run_node("tools", name, settings, process.serve, options)


def _plugins_beside(
    only: ServedTools | None, flag: list[Path] | None, settings: Settings
) -> Plugins:
    """The plugins that this process may load: none together with the executor."""
    if only is ServedTools.EXECUTOR and not flag:
        return NO_PLUGINS
    found = plugins_of(flag, settings)
    if found.tools and only is not ServedTools.STATELESS:
        raise UsageError(EXECUTOR_ALONE[0], remedy=EXECUTOR_ALONE[1])
    return found


@app.command("list")
def list_tools(
    plugins: FolderFlag = None,
    as_json: AsJson = False,
) -> None:
    """List the tools of the catalogue, and those of plugins.

    Example: arena tools list --json
    """
    from arena.output import print_note
    from trading_tools.plugin_tools import load_tools

    tools, faults = load_tools(plugins_of(plugins, Settings()))
    for fault in faults:
        print_note(f"left out: {fault}")
    if as_json:
        shown = [
            {
                "name": tool.name,
                "description": tool.signature.description,
                "parameters": tool.signature.parameters,
                "touches_account": tool.touches_account,
                "source": tool.source,
                "source_sha256": tool.source_sha256,
            }
            for tool in tools.values()
        ]
        print(json.dumps(shown, indent=2))
        return
    width = max(map(len, tools))
    for tool in tools.values():
        runs = "executor" if tool.touches_account else "tool server"
        fields = tool.signature.model.model_fields.items()
        takes = ", ".join(f"{name}{'' if one.is_required() else '?'}" for name, one in fields)
        source = f"  {tool.source}, SHA-256 {tool.source_sha256}" if tool.source else ""
        print(f"{tool.name:<{width}}  {runs:<11}  ({takes}){source}")
        print(f"{'':<{width}}  {tool.signature.description}")


@app.command("call")
def call_tool(
    name: Annotated[str, typer.Argument(help="Name of the tool.")],
    arguments: Annotated[str, typer.Argument(help="A JSON object.")] = "{}",
    agent: Annotated[
        str, typer.Option(help="Agent whose account is used; it need not be running.")
    ] = OPERATOR,
    force: Annotated[
        bool, typer.Option("--force", help="Trade in an agent's account; it then has no rank.")
    ] = False,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a result.")] = 15.0,
    as_json: AsJson = False,
    plugins: FolderFlag = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    run_name: Run = None,
) -> None:
    """Call one tool, through the executor if it touches an account.

    By default it uses the operator's own account, which is never ranked.

    Example: arena tools call calculator '{"expression": "0.25 * 97228.12 / 67203.55"}'
    """
    check_name("agent", agent)
    settings = running_settings(bootstrap_servers, prefix, run_name)
    found = plugins_of(plugins, settings)

    async def work() -> None:
        from trading_tools.manual_call import call_manually

        result = await call_manually(
            settings, name, arguments, agent, timeout_s, force=force, plugins=found
        )
        shown = visible_json(result.model_dump_json(indent=2)) if as_json else visible(result.text)
        print(shown)
        if not result.ok:
            sys.exit(EXIT_NO)

    run_async(work)


app.command("new")(new)
app.command("check")(check)
