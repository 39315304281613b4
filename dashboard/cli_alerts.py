"""`arena alerts`: its flags and help."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from arena.alert_settings import (
    ALERT_KINDS,
    RECEIVERS_VARIABLE,
    REMEDY,
    check_places,
    chosen_kinds,
)
from arena.errors import EXIT_NO, UsageError
from arena.ids import check_name
from arena.money import parse_decimal, parse_share
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.run_lookup import find_arena

if TYPE_CHECKING:
    from arena.settings import Settings
    from dashboard.alerts.conditions import Limits
    from dashboard.alerts.once import Trial
    from dashboard.alerts.process import AlertOptions
    from dashboard.alerts.receivers import Receiver

KINDS_TEXT = ", ".join(ALERT_KINDS)

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: arena alerts --drawdown 20% --without drift",
)

To = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        metavar="PLACE",
        help="Place of receivers' addresses: env:VARIABLE or file:PATH; repeatable."
        f" [env:{RECEIVERS_VARIABLE}]",
    ),
]
Title = Annotated[str, typer.Option("--title", help="Name of the arena in messages.")]


@app.callback()
def alerts(
    context: typer.Context,
    servers: Servers = None,
    to: To = None,
    drawdown: Annotated[
        str, typer.Option("--drawdown", help="Largest loss from the peak of an equity curve.")
    ] = "20%",
    feed_silent: Annotated[
        float, typer.Option("--feed-silent", help="Seconds without a price.", min=1, max=86_400)
    ] = 30.0,
    llm_budget: Annotated[
        str | None,
        typer.Option("--llm-budget-usd", help="Cost of all models, in US dollars. [no limit]"),
    ] = None,
    per_minute: Annotated[
        int, typer.Option("--per-minute", help="Most messages in a minute.", min=1, max=600)
    ] = 10,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="KIND", help=f"Kind to send; repeatable: {KINDS_TEXT}."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="KIND", help="Kind to leave out; repeatable."),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Print what holds now, send nothing; exit code 1 if any does."),
    ] = False,
    as_json: AsJson = False,
    title: Title = "arena",
    name: Annotated[str, typer.Option(help="Name of this process.")] = "alerts",
    run_name: Run = None,
    prefix: Prefix = None,
) -> None:
    """Send halts, dead agents, silent feeds and the like to webhooks, Telegram, Slack, mail.

    Each alert is sent once, also after a restart, and printed. Receivers are Apprise addresses,
    which contain secrets: in ARENA_ALERTS, separated by blanks, or where --to says. Without any,
    alerts are only printed. A second process of the same name waits as a standby.
    """
    if context.invoked_subcommand is not None:
        return
    check_name("alerts", name)
    limits = _limits(drawdown, feed_silent, llm_budget, only or (), without or ())
    from dashboard.alerts.process import AlertOptions

    receivers = () if once else _receivers(to)
    options = AlertOptions(receivers, limits, per_minute, title, as_json)
    with find_arena(servers, prefix, run_name, start_broker=False, principal="alerts") as arena:
        if once:
            _print_now(arena.settings, limits, name, as_json=as_json)
        else:
            _run(arena.settings, options, name)


@app.command("test", epilog="Example: arena alerts test")
def send_test(
    context: typer.Context,
    to: To = None,
    no_send: Annotated[
        bool, typer.Option("--no-send", help="Only check the addresses; send nothing.")
    ] = False,
    as_json: AsJson = False,
    title: Title = "arena",
) -> None:
    """Send a test message to every receiver; exit code 1 if one fails, 2 without receivers."""
    given = context.parent.params.get("to") if context.parent else None
    receivers = _receivers(to or given)
    if not receivers:
        raise UsageError("no receiver is given", remedy=REMEDY)
    from dashboard.alerts.once import check_receivers, try_receivers

    if no_send:
        from arena.findings import any_broken, finding_lines

        found = check_receivers(receivers)
        if as_json:
            print(json.dumps([one.as_json() for one in found], indent=2))
        else:
            print("\n".join(finding_lines(found, colour=False)))
        sys.exit(EXIT_NO if any_broken(found) else 0)
    import asyncio

    trials = asyncio.run(try_receivers(receivers, title))
    _print_trials(trials, as_json=as_json)
    sys.exit(0 if all(one.delivery.delivered for one in trials) else EXIT_NO)


def _limits(
    drawdown: str,
    feed_silent_s: float,
    llm_budget: str | None,
    only: Sequence[str],
    without: Sequence[str],
) -> "Limits":
    from dashboard.alerts.conditions import Limits

    with _usage("--drawdown", "such as 20%"):
        share = parse_share(drawdown)
        if not share:
            raise ValueError("0 is not a limit")
    budget: Decimal | None = None
    with _usage("--llm-budget-usd", "such as 5"):
        if llm_budget is not None and (budget := parse_decimal(llm_budget)) <= 0:
            raise ValueError(f"{llm_budget} is not a positive amount")
    with _usage("--only and --without", "leave out one of them"):
        kinds = chosen_kinds(only, without)
    return Limits(kinds, share, feed_silent_s, budget)


@contextmanager
def _usage(flag: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{flag}: {error}", remedy=remedy) from None


def _receivers(to: Sequence[str] | None) -> "tuple[Receiver, ...]":
    from dashboard.alerts.receivers import read_receivers

    return read_receivers(check_places(to or (), "--to"), os.environ)


def _run(settings: "Settings", options: "AlertOptions", name: str) -> None:
    from arena.node import run_node
    from dashboard.alerts.process import serve

    if not options.receivers:
        print_note(f"no receivers, so alerts are only printed; {REMEDY}")
    run_node("alerts", name, settings, serve, options)


def _print_now(settings: "Settings", limits: "Limits", name: str, *, as_json: bool) -> None:
    """Print what holds now and exit."""
    from arena.bus.kafka import KafkaBus
    from arena.node import run_async
    from dashboard.alerts.once import alerts_now
    from dashboard.alerts.state_file import StateFile

    async def work() -> None:
        bus = KafkaBus(settings, client_id="arena-alerts")
        await bus.start()
        try:
            state, _ = StateFile(settings, name).load()
            found = await alerts_now(bus, limits, state)
        finally:
            await bus.close()
        if as_json:
            fields = ("kind", "subject", "key", "text")
            rows = [{field: getattr(one, field) for field in fields} for one in found]
            print(json.dumps(rows, indent=2, ensure_ascii=False))
        else:
            print("\n".join(f"{one.kind}: {one.text}" for one in found) or "no alert holds")
        if found:
            sys.exit(EXIT_NO)

    run_async(work)


def _print_trials(trials: "Sequence[Trial]", *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "receiver": one.receiver,
                "delivered": one.delivery.delivered,
                "cause": one.delivery.cause,
                "took_ms": round(one.took_s * 1_000),
            }
            for one in trials
        ]
        print(json.dumps(rows, indent=2))
        return
    width = max(len(one.receiver) for one in trials)
    for one in trials:
        ms = f"{one.took_s * 1_000:,.0f} ms"
        said = f"confirmed in {ms}" if one.delivery.delivered else f"FAILED: {one.delivery.cause}"
        print(f"{one.receiver:<{width}}  {said}")
