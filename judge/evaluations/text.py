"""Evaluations for people and programs: JSON documents, tables, failed checks in words. Pure."""

from collections.abc import Mapping

from pydantic import JsonValue

from arena.check_words import failed_words
from arena.messages import AgentEvaluation
from arena.messages.coaching import DIMENSIONS
from arena.prompt_versions import short_version
from judge.evaluations.once import EvaluatedNow

COLUMNS: tuple[tuple[str, bool], ...] = (
    ("market time", False),
    ("agent", False),
    ("overall", True),
    ("grade", False),
    ("returns", True),
    ("risk", True),
    ("quality", True),
    ("consistency", True),
    ("trend", False),
    ("cause", False),
    ("turns", True),
    ("version", False),
)


def row_of(one: AgentEvaluation) -> tuple[str, ...]:
    """The cells of an evaluation's row, as in `COLUMNS`."""
    scores = (one.dimensions.get(n) for n in DIMENSIONS)
    return (
        f"{one.as_of:%Y-%m-%d %H:%M:%S}",
        one.agent,
        _score(one.overall),
        one.grade or "-",
        *(_score(None if found is None else found.score) for found in scores),
        trend_text(one),
        one.cause,
        f"{one.turns:,}",
        short_version(one.version) or "-",
    )


def trend_text(one: AgentEvaluation) -> str:
    """The trend with its change in points."""
    if one.trend_change is None:
        return one.trend
    return f"{one.trend} {one.trend_change:+.2f}"


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"


def failed_lines(one: AgentEvaluation, now: EvaluatedNow | None = None) -> list[str]:
    """The failed checks in words, with the newest turns that failed them.

    Args:
        one: The evaluation.
        now: The same with the reasons, if they are known.
    """
    lines = []
    for check, count in one.checks.items():
        if not count.failed:
            continue
        lines.append(f"{check}: {failed_words(check, count)}")
        reasons = [] if now is None else now.reasons(check)
        named = reasons or [(turn_id, "") for turn_id in one.failed_turns.get(check, ())]
        lines += [f"  {turn_id}" + (f": {why}" if why else "") for turn_id, why in named]
    return lines


def detail_lines(one: AgentEvaluation, now: EvaluatedNow | None = None) -> list[str]:
    """What a table has no room for: formulas' inputs, failed checks, notes."""
    lines = [
        f"{name}: {_score(found.score)} = {_inputs(found.inputs)}"
        for name, found in one.dimensions.items()
    ]
    if one.quality_interval is not None:
        low, high = one.quality_interval
        lines.append(f"quality, corrected: {low:.2f} to {high:.2f}")
    lines += failed_lines(one, now)
    lines += [f"note: {note}" for note in one.notes]
    return lines


def _inputs(inputs: Mapping[str, JsonValue]) -> str:
    shown = (
        f"{name} {value:.6g}" if isinstance(value, int | float) else f"{name} {value}"
        for name, value in inputs.items()
    )
    return ", ".join(shown) or "-"


def document(one: AgentEvaluation, now: EvaluatedNow | None = None) -> dict[str, JsonValue]:
    """An evaluation as JSON: the scores by name, then the whole record."""
    scores: dict[str, JsonValue] = {name: d.score for name, d in one.dimensions.items()}
    corrected: JsonValue = None if one.quality_interval is None else [*one.quality_interval]
    found: dict[str, JsonValue] = {
        "agent": one.agent,
        "overall": one.overall,
        "grade": one.grade,
        "dimensions": scores,
        "trend": one.trend,
        "trend_change": one.trend_change,
        "corrected": corrected,
        "as_of": one.as_of.isoformat().replace("+00:00", "Z"),
        "turns": one.turns,
        "cause": one.cause,
    }
    if now is not None:
        found["published"] = now.published
        found["failed"] = {
            check: [{"turn_id": turn, "why": why} for turn, why in now.reasons(check)]
            for check in one.failed_turns
        }
    return found | {"evaluation": one.model_dump(mode="json")}
