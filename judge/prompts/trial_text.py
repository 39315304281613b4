"""Trials of an agent's texts as a table and as JSON. Pure."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from arena.messages import TrialInterval
from arena.prompt_trials import PromptTrial
from arena.prompt_versions import AgentPrompts, short_version
from arena.trial_words import (
    figure_text,
    progress_text,
    result_text,
    trial_of_pending,
    trial_text,
    trials_of,
)

Played = Mapping[str, int]
"""Trial id -> snapshots that a running trial has played."""
COLUMNS = (
    ("trial", False),
    ("state", False),
    ("tried", False),
    ("against", False),
    ("market", False),
    ("periods", True),
    ("quality, points", False),
    ("noise", False),
    ("return, %", False),
    ("noise", False),
)
SHOWN_MAX = 20
"""Newest trials in the table."""


def trial_rows(own: AgentPrompts, played: Played) -> Iterator[tuple[str, ...]]:
    """The cells of `COLUMNS`, one row per trial, oldest first."""
    for one in own.trials[-SHOWN_MAX:]:
        message = one.newest
        names = one.trial_id, short_version(message.challenger), short_version(message.champion)
        if one.ended is None:
            state = f"running, {progress_text(played.get(one.trial_id, 0), one.snapshots or 0)}"
            yield names[0], state, *names[1:], "live", "", "", "", "", ""
            continue
        found = one.ended
        figures = (
            (found.quality, 1),
            (found.noise_quality, 1),
            (found.return_pct, 2),
            (found.noise_return_pct, 2),
        )
        cells = (figure_text(figure, digits) for figure, digits in figures)
        yield names[0], found.verdict, *names[1:], found.market, str(found.periods), *cells


def trial_remarks(own: AgentPrompts) -> list[str]:
    """Why the newest trials ended as they did, a line each; not that of the pending proposal."""
    others = [one for one in own.trials[-SHOWN_MAX:] if one is not trial_of_pending(own)]
    ended = [one.ended for one in others if one.ended is not None]
    return [f"{one.trial_id} {result_text(one)}" for one in ended]


def pending_remark(own: AgentPrompts, played: Played) -> str:
    """What is known of a trial of the pending proposal; "" without one."""
    found = trial_of_pending(own)
    return "" if found is None else trial_text(found, played.get(found.trial_id, 0))


def version_remark(own: AgentPrompts, version: str, played: Played) -> str:
    """The newest trial of a text on one line; "" without one."""
    found = trials_of(own.trials, version)
    return trial_text(found[-1], played.get(found[-1].trial_id, 0)) if found else ""


def trial_documents(own: AgentPrompts, played: Played) -> list[JsonValue]:
    """The trials as JSON, oldest first; keys are only ever added."""
    return [_document(one, played) for one in own.trials]


def _document(one: PromptTrial, played: Played) -> dict[str, JsonValue]:
    started, ended = one.started, one.ended
    message = one.newest
    return {
        "trial_id": one.trial_id,
        "market": one.market,
        "state": "running" if ended is None else "ended",
        "verdict": None if ended is None else ended.verdict,
        "champion": message.champion,
        "challenger": message.challenger,
        "snapshots": one.snapshots,
        "played": played.get(one.trial_id, 0) if ended is None else ended.periods,
        "periods": None if ended is None else ended.periods,
        "repeats": one.repeats,
        "quality": None if ended is None else _interval(ended.quality),
        "noise_quality": None if ended is None else _interval(ended.noise_quality),
        "return_pct": None if ended is None else _interval(ended.return_pct),
        "noise_return_pct": None if ended is None else _interval(ended.noise_return_pct),
        "detectable_pct": None if ended is None else ended.detectable_pct,
        "reasons": [] if ended is None else list(ended.reasons),
        "run": None if ended is None else ended.run or None,
        "agents": {} if started is None else {arm: [*n] for arm, n in started.arms.items()},
        "started_by": None if started is None else started.by,
        "started_at": None if started is None else started.at.isoformat(),
        "ended_by": None if ended is None else ended.by,
        "ended_at": None if ended is None else ended.at.isoformat(),
    }


def _interval(found: TrialInterval | None) -> JsonValue:
    return None if found is None else found.model_dump(mode="json")
