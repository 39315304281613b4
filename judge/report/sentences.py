"""Sentences of the report other than its tables. Pure."""

import re
from collections.abc import Mapping

from arena.plural import counted
from arena.shadow_agents import shadow_cost_text
from judge.claim_text import look_text
from judge.formatting import joined_names
from judge.report import formats
from judge.report.agent_sections import NAME_MAX, ROWS_MAX
from judge.report.facts import Facts
from judge.report.plots import curve_points
from judge.verdict_text import MARKET

REASONS_MAX = 60
SENTENCES_MAX = 30


def facts_line(facts: Facts) -> str:
    """Return the line below the title: length, agents, pacing."""
    season = facts.season
    known = season.assumptions
    agents = sum(entry.kind == "agent" for entry in season.entries)
    baselines = len(season.entries) - agents
    cells = sum(entrant.kind == "agent" for entrant in facts.entrants)
    span = formats.duration(season.periods * season.interval_s)
    parts = [
        f"{counted(season.periods, 'snapshot')}, {span} of market",
        f"{counted(agents, 'agent')}{f' in {cells} cells' if cells < agents else ''} and "
        f"{counted(baselines, 'baseline')}",
    ]
    if season.dead:
        parts.append(f"{len(season.dead)} dead, not ranked")
    if season.apart:
        parts.append(f"{len(season.apart)} not comparable, not ranked")
    if known.first is not None and known.last is not None:
        same_day = known.first.date() == known.last.date()
        last = f"{known.last:%H:%M}" if same_day else f"{known.last:%d %b %Y %H:%M}"
        parts.append(f"{known.first:%d %b %Y %H:%M} to {last} UTC")
    if known.pacing:
        parts.append(known.pacing)
    if facts.options.title:
        parts.append(f"run {formats.quote(facts.run, NAME_MAX)}")
    return " · ".join(parts)


def disclaimers(facts: Facts) -> tuple[str, ...]:
    """Return short disclaimers: simulated prices, no real money, scripted rules, replays."""
    season = facts.season
    agents = [entry for entry in season.entries if entry.kind == "agent"]
    replayed = sum(spend.replayed for spend in season.llm)
    found = ["Simulated or recorded prices" if season.assumptions.simulated else "Live prices"]
    found.append("No real money")
    if agents and all(entry.scripted for entry in agents):
        found.append("Scripted rules, no LLM")
    elif any(entry.scripted for entry in agents):
        found.append("Some agents are scripted rules")
    if replayed:
        found.append(f"{replayed:,} recorded replies replayed")
    return tuple(found)


def sentences_of(verdict: str) -> tuple[str, ...]:
    """Return the sentences of the verdict; the first one is shown largest."""
    return tuple(re.split(r"(?<=[^.]\.) (?=[A-Z0-9])", verdict, maxsplit=SENTENCES_MAX))


def dead_note(facts: Facts) -> str:
    """Return a note on the list of unranked entries; "" without any."""
    season, why = facts.season, []
    if season.dead:
        why.append("decided nothing, or stopped deciding")
    if season.apart:
        why.append("cannot be compared")
    if not why:
        return ""
    return (
        f"These entries {' or '.join(why)}. They have no rank and no part in any figure, chart or "
        "comparison of this page; the records have what they did."
    )


def leaderboard_note(facts: Facts) -> str:
    """Return how to read the leaderboard."""
    return (
        "Sorted by return over the compared part. The order inside a rank set is not a result. "
        f"Intervals are {facts.verdict.confidence:.0%}. Click a column title to sort; the columns "
        "are explained below the table."
    )


def curves_caption(facts: Facts) -> str:
    """Return how the curves are drawn."""
    season = facts.season
    unit = f"Wealth index over {joined_names(season.currencies)}" * bool(season.parts)
    unit = unit or season.assumptions.currency
    text = f"{unit}, marked at the best bid before each snapshot's orders. "
    text += f"Dotted: {MARKET}."
    points = len(facts.season.times)
    if points > (most := curve_points(len(facts.season.entries))):
        text += (
            f" Of {points:,} points at most {most:,} of each curve are drawn: the lowest and "
            "highest of each stretch, so no extreme is lost; equity.parquet holds all."
        )
    return text


def pairs_note(facts: Facts) -> str:
    """Return how to read the table of pairs."""
    look = look_text(facts.board.evaluation)
    return (
        "How much more money the row ended with than the column, on the same snapshots, with the "
        f"{facts.verdict.confidence:.0%} interval of that pair alone. ▲ the row beats the column, "
        "▼ it loses to it: decided over all pairs and looks at once. No mark: not separated."
        f"{f' Marks are {look}.' if look else ''}"
    )


ALPHA_NOTE = (
    "The same differences after what the market explains is taken out of every return: that of the "
    "equal-weight market, held with the mean exposure that the entry had had so far. Marks are "
    "decided like those above, as a second family: ▲ the row earned more than its market exposure "
    "explains, compared with the column."
)


def decisions_note(facts: Facts) -> str:
    """Return what the cost of a decision includes."""
    shadows = facts.season.shadow_llm
    found = [_prices_note(facts)]
    if shadows.calls:
        found.append(f"{shadow_cost_text(shadows.calls, shadows.cost_usd)}; they are not ranked.")
    return " ".join(found)


def _prices_note(facts: Facts) -> str:
    if not facts.season.entries:
        return "No entry is ranked."
    if all(entry.scripted for entry in facts.season.entries):
        return "Every reply came from scripted rules, which cost nothing."
    return "A scripted entry costs nothing; if a model's price is unknown, so is its cost (–)."


def agents_note() -> str:
    """Return what the agents' sections show, and how much of it."""
    return (
        "Open an agent to read what it did and its own reasons. The page shows about "
        f"{ROWS_MAX:,} trades and as many turns in all; fills.csv and the records have all of them."
    )


def options_line(facts: Facts) -> str:
    """Return the options of the report."""
    chosen = facts.options
    return f"Confidence {chosen.confidence:g}, seed of the resampling {chosen.seed}."


def reason_lines(reasons: Mapping[str, str]) -> tuple[str, ...]:
    """Return why figures are missing, one line each, up to `REASONS_MAX`."""
    lines = [
        f"{formats.quote(key, 160)}: {formats.quote(why, 300)}" for key, why in reasons.items()
    ]
    if len(lines) > REASONS_MAX:
        more = len(lines) - REASONS_MAX
        return (*lines[:REASONS_MAX], f"and {more:,} more, all in figures.json")
    return tuple(lines)
