"""What limits of risk did in a run that has ended: for the demo's standings and its JSON."""

import asyncio

from arena.bus.kafka import KafkaBus
from arena.errors import ArenaError
from arena.output import print_note
from arena.plural import counted
from arena.risk_log import read_risk_log
from arena.risk_report import RiskReport
from arena.settings import Settings
from arena.shadow_agents import is_shadow


def read_risk_report(settings: Settings) -> RiskReport:
    """What limits did, from the account log of a run; an empty report if it cannot be read.

    Args:
        settings: Broker and prefix of the run.
    """
    try:
        return asyncio.run(_read(settings))
    except ArenaError as error:
        print_note(f"what limits of risk did could not be read: {error}")
        return RiskReport()


async def _read(settings: Settings) -> RiskReport:
    bus = KafkaBus(settings, client_id="arena-risk")
    await bus.start()
    try:
        return (await read_risk_log(bus)).report
    finally:
        await bus.close()


def risk_lines(report: RiskReport) -> list[str]:
    """What limits and exits did, in one line each; none if there were neither. Pure.

    Shadow agents of trials are left out.
    """
    agents = [agent for agent in report.agents if not is_shadow(agent)]
    found = [report.of_agent(agent) for agent in agents]
    exits = [report.exits[agent] for agent in agents if agent in report.exits]
    lines = []
    if measured := sum(one.approved + one.adjusted + one.blocked for one in found):
        cut, blocked = sum(one.adjusted for one in found), sum(one.blocked for one in found)
        lines.append(
            f"Limits of risk: {counted(measured, 'order')}, {cut} cut, {blocked} rejected;"
            " by agent and limit: arena risk report"
        )
    if armed := sum(one.armed for one in exits):
        fired, cancelled = sum(one.fired for one in exits), sum(one.cancelled for one in exits)
        lines.append(
            f"Exits: {armed} placed, {fired} sold a position by themselves, {cancelled} cancelled"
        )
    return lines
