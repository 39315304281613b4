"""The document of `arena demo --json FILE`: the standings and the settings of the demo. Pure."""

from pydantic import JsonValue

from arena.risk_report import ExitCounts, RiskReport
from operations.commands.messages_text import Document, agents_of
from operations.commands.supervised_run import RunSetup


def demo_document(
    document: Document, setup: RunSetup, elapsed_s: float, risk: RiskReport
) -> dict[str, JsonValue]:
    """Return the demo as a JSON document.

    Args:
        document: The standings.
        setup: The setup of the run.
        elapsed_s: Length of the run.
        risk: What limits of risk did.

    Returns:
        broker (kind, version, durable), snapshots, simulated, seed, speed, seconds, rules, digest
        of all accounts, run (the folder of the records), dead (agents with their cause), and agents
        in rank order, the dead last: agent, alive, strategy, kind, model, scripted, equity_usd,
        return_pct, trades, rejections, turns, turns_aborted, gates (settings, asked, skipped by
        reason, estimates of what was saved), risk (orders approved, adjusted and, by limit,
        rejected), exits (armed, fired, cancelled); and currencies (the amounts in each) if accounts
        hold several.
    """
    market = setup.spec.market
    return {
        "broker": {
            "kind": setup.broker.kind,
            "version": setup.broker.version,
            "durable": setup.broker.durable,
        },
        "snapshots": document.get("snapshots"),
        "as_of": document.get("as_of"),
        "simulated": market.source == "exchange",
        "seed": market.seed,
        "speed": market.speed,
        "seconds": round(elapsed_s, 1),
        "rules": document.get("rules"),
        "digest": document.get("digest"),
        "run": str(setup.directory),
        "prefix": setup.settings.prefix,
        "agents": [_agent(agent, risk) for agent in agents_of(document)],
        "dead": document.get("dead") or [],
    }


def _agent(agent: Document, risk: RiskReport) -> JsonValue:
    names = (
        "rank",
        "agent",
        "alive",
        "strategy",
        "kind",
        "model",
        "scripted",
        "equity_usd",
        "return_pct",
        "cash_usd",
        "fees_usd",
        "trades",
        "rejections",
        "turns",
        "turns_aborted",
        "gates",
    )
    several = {"currencies": agent["currencies"]} if "currencies" in agent else {}
    name = str(agent.get("agent"))
    limits: dict[str, JsonValue] = {
        "risk": risk.of_agent(name).document(),
        "exits": risk.exits.get(name, ExitCounts()).document(),
    }
    return {name: agent.get(name) for name in names} | limits | several
