"""What the coach does after an evaluation, and what holds it back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arena.bus.base import Record
from arena.durations import FIRST, LAST
from arena.messages import (
    AgentEvaluation,
    CheckCount,
    Dimension,
    Evidence,
    Message,
    PromptDecided,
    PromptProposed,
    TrialEnded,
    TrialStarted,
)
from arena.messages.trials import TrialVerdict
from arena.prompt_versions import AgentPrompts, PromptBook, version_of
from arena.wire import encode
from judge.prompts.adjustments import adjustment_of
from judge.prompts.coach import CoachSettings, CoachStep, next_step, trial_step
from judge.prompts.templates import HEADING, template_of
from judge.prompts.triggers import trigger_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = (
    "Buy what rises, with a quarter of the equity, and sell what falls. Hold what does neither.\n"
)
GOOD: dict[str, Any] = {"overall": 75.0, "quality": 80.0, "drawdown_pct": 6.0, "return_pct": 3.0}
BAD: dict[str, Any] = {"overall": 30.0, "quality": 55.0, "drawdown_pct": 12.0, "return_pct": -9.0}


def evaluation(
    minute: float = 0, version: str = FILE, **figures: Any
) -> AgentEvaluation:  # Any: figures of several types
    """An evaluation with some figures."""
    quality = figures.pop("quality", 60.0)
    return AgentEvaluation(
        **{
            "evaluation_id": f"e{minute:g}",
            "agent": "momentum",
            "snapshot_id": f"s{minute:g}",
            "as_of": NOON + timedelta(minutes=minute),
            "cause": "cadence",
            "window_s": 3600,
            "turns": 30,
            "version": version_of(version),
            "version_turns": 20,
            "version_orders": 5,
            "version_quality": quality,
            "dimensions": {"quality": Dimension(score=quality, weight=0.25)},
        }
        | figures
    )


class Room:
    """A topic `prompts` that the coach and a person append to."""

    def __init__(self, settings: CoachSettings) -> None:
        """Begin with the text of the agent's file."""
        self.settings, self.book, self.offset = settings, PromptBook(), 0
        self.append(
            PromptProposed(
                agent="momentum",
                version=version_of(FILE),
                text=FILE,
                author="file",
                by="r",
                at=NOON,
            )
        )

    @property
    def own(self) -> AgentPrompts:
        """The agent's versions."""
        return self.book.of("momentum")

    def append(self, message: Message) -> str:
        """Append a record; returns why it changed nothing."""
        encoded = encode(message)
        headers, key = dict(encoded.headers), b"momentum"
        self.offset += 1
        return self.book.apply(Record("prompts", 0, self.offset, 0, key, encoded.value, headers))

    def step(self, found: AgentEvaluation) -> CoachStep:
        """One step of the coach, which counts."""
        step = next_step(self.own, found, self.settings, by="judge/host", at=NOON)
        if step.record is not None:
            assert "" == self.append(step.record), step
        return step

    def tried(self, minute: float, verdict: TrialVerdict | None) -> CoachStep:
        """What the coach does about a trial of the pending text; None is one that is running."""
        pending, offset = self.own.pending, f"{self.offset:012x}"
        assert pending is not None
        fields: dict[str, Any] = {  # Any: fields of the messages
            "trial_id": offset,
            "agent": "momentum",
            "champion": pending.parent,
            "challenger": pending.version,
            "by": "trials/host",
            "as_of": NOON + timedelta(minutes=minute),
            "at": NOON,
        }
        arms = {arm: (f"shadow-{offset}-{arm}-1",) for arm in ("champion", "challenger", "copy")}
        assert "" == self.append(TrialStarted(**fields, arms=arms, snapshots=60))
        if verdict is not None:
            fields |= {"market": "live", "verdict": verdict, "periods": 60, "repeats": 1}
            assert "" == self.append(TrialEnded(**fields, reasons=("why",)))
        step = trial_step("momentum", self.own, self.settings, by="judge/host", at=NOON)
        if step.record is not None:
            assert "" == self.append(step.record), step
        return step

    def text(self, minute: float) -> str:
        """The text in force at a minute."""
        found = self.own.in_force(NOON + timedelta(minutes=minute))
        assert found is not None
        return found.text

    def approve(self, minute: float) -> None:
        """A person approves what is pending."""
        assert self.own.pending is not None
        record = PromptDecided(
            agent="momentum",
            version=self.own.pending.version,
            action="approve",
            author="person",
            by="cli/host",
            as_of=NOON + timedelta(minutes=minute),
            at=NOON,
        )
        assert "" == self.append(record)


@pytest.mark.parametrize(
    ("figures", "name", "template"),
    [
        (GOOD, "", ""),
        (BAD, "emergency_conservative", "conservative"),
        (GOOD | {"drawdown_pct": 20.5}, "risk_reduction", "conservative"),
        (GOOD | {"quality": 39.9}, "decision_improvement", ""),
        (GOOD | {"overall": 49.9}, "update", "standard"),
        (GOOD | {"drawdown_pct": 4.9, "return_pct": 1.9}, "increase_aggressiveness", "aggressive"),
        (GOOD | {"drawdown_pct": 4.9, "return_pct": 2.0}, "", ""),
        (GOOD | {"overall": 60.0, "drawdown_pct": 4.9, "return_pct": 1.9}, "", ""),
        ({"overall": None}, "", ""),
    ],
)
def test_triggers(figures: dict[str, Any], name: str, template: str) -> None:
    """At their thresholds, the most urgent first."""
    found = trigger_of(evaluation(**figures), "")
    assert (name, template) == (("", "") if found is None else (found.name, found.template))


def test_update_goes_one_step() -> None:
    """From the template in force."""
    poor, calm = evaluation(overall=45.0), evaluation(**GOOD | {"drawdown_pct": 1, "return_pct": 0})
    steps = {("aggressive", "standard"), ("standard", "conservative"), ("conservative",) * 2}
    for before, after in steps:
        found = trigger_of(poor, before)  # type: ignore[arg-type]
        assert found is not None
        assert after == found.template
    found = trigger_of(calm, "conservative")
    assert found is not None
    assert "standard" == found.template


def test_checks_that_failed_often_get_a_rule() -> None:
    """The worst first; one that failed rarely gets none."""
    counts = {
        "figures": CheckCount(passed=6, failed=4),
        "churn": CheckCount(passed=1, failed=9),
        "valid": CheckCount(passed=9, failed=1),
        "cost": CheckCount(not_applicable=10),
    }
    found = trigger_of(evaluation(overall=45.0, checks=counts), "")
    assert found is not None
    assert ("churn", "figures") == found.failed


def test_bad_agent_gets_a_proposal_that_waits_for_a_person() -> None:
    """It is not in force, and not proposed a second time."""
    room = Room(CoachSettings())
    assert "emergency_conservative" in room.step(evaluation(**BAD)).note
    assert FILE == room.text(1)
    assert room.step(evaluation(5, **BAD)).record is None
    room.approve(6)
    assert "conservative" == template_of(room.text(6))
    assert FILE.rstrip() in room.text(6)


def test_proposal_that_waits_too_long_is_withdrawn() -> None:
    """Its evidence is old."""
    room = Room(CoachSettings(expires_s=3600))
    room.step(evaluation(**BAD))
    assert room.step(evaluation(59, **BAD)).record is None
    assert "not approved in time" in room.step(evaluation(60, **BAD)).note
    assert room.own.pending is None
    assert "tried in the last day" in room.step(evaluation(70, **BAD)).note


def test_auto_approves_and_confirms_by_quality() -> None:
    """Each in a step of its own; profit does not confirm."""
    room = Room(CoachSettings(auto=True))
    room.step(evaluation(**BAD))
    assert "approved by the coach" in room.step(evaluation(5, **BAD)).note
    new = room.text(6)
    rich = {"return_pct": 50.0, "overall": 95.0, "quality": 59.0}
    assert room.step(evaluation(70, new, **rich)).record is None
    early = evaluation(80, new, **GOOD | {"version_turns": 11})
    assert room.step(early).record is None
    assert "grew by 25.0 points" in room.step(evaluation(90, new, **GOOD)).note
    assert HEADING in room.text(24 * 60)


def test_text_of_a_search_is_not_confirmed_by_figures_of_another_kind() -> None:
    """Its evidence has other checks than an evaluation; a person confirms it, or it expires."""
    room = Room(CoachSettings(auto=True))
    text = FILE + "Quote only what is shown.\n"
    proposed = PromptProposed(
        agent="momentum",
        version=version_of(text),
        text=text,
        parent=version_of(FILE),
        author="optimiser",
        by="cli/here",
        evidence=Evidence(quality=40.0, turns=60),
        evidence_after=Evidence(quality=90.0, turns=60),
        expires_s=4 * 3_600,
        as_of=NOON,
        at=NOON,
    )
    assert "" == room.append(proposed)
    assert room.own.pending is not None
    assert proposed.evidence_after == room.own.pending.evidence_after
    assert room.step(evaluation(5, **GOOD)).record is None
    room.approve(6)
    assert text == room.text(7)
    assert proposed.evidence_after == room.own.versions[proposed.version].evidence_after
    assert room.step(evaluation(90, text, **GOOD)).record is None
    assert FILE == room.text(6 + 4 * 60)


def test_unconfirmed_version_gives_way_and_is_not_proposed_again_at_once() -> None:
    """The agent has its own text again after the expiry."""
    room = Room(CoachSettings(auto=True))
    room.step(evaluation(**BAD))
    room.step(evaluation(5, **BAD))
    assert FILE == room.text(245)
    assert "tried in the last day" in room.step(evaluation(250, **BAD)).note
    assert "emergency" in room.step(evaluation(5 + 24 * 60, **BAD)).note


def test_changed_agent_is_left_alone() -> None:
    """Whatever its evaluations say, until its version is over."""
    room = Room(CoachSettings())
    room.step(evaluation(**BAD))
    room.approve(5)
    for minute in range(10, 240, 10):
        assert room.step(evaluation(minute, room.text(minute), **BAD)).record is None


def test_agent_that_stopped_trading_gets_its_parent_back() -> None:
    """Twelve turns without an order are enough; this is how a judge can end all trading."""
    room = Room(CoachSettings())
    room.step(evaluation(**BAD))
    room.approve(5)
    idle = {"version_turns": 11, "version_orders": 0}
    assert room.step(evaluation(60, room.text(60), **GOOD | idle)).record is None
    idle["version_turns"] = 12
    assert "without an order" in room.step(evaluation(70, room.text(70), **GOOD | idle)).note
    assert FILE == room.text(70)


def test_evaluation_of_another_version_says_nothing_about_the_one_in_force() -> None:
    """Its turns are older than the change."""
    room = Room(CoachSettings())
    room.step(evaluation(**BAD))
    room.approve(5)
    idle = {"version_turns": 99, "version_orders": 0}
    assert room.step(evaluation(6, FILE, **GOOD | idle)).record is None


def test_frozen_agent_is_left_alone() -> None:
    """Also by a coach that may approve by itself."""
    room = Room(CoachSettings(auto=True))
    record = PromptDecided(agent="momentum", action="freeze", author="person", by="x", at=NOON)
    assert "" == room.append(record)
    assert room.step(evaluation(**BAD)).record is None


def test_two_coaches_change_an_agent_once() -> None:
    """The second record changes nothing."""
    room = Room(CoachSettings())
    step = room.step(evaluation(**BAD))
    assert step.record is not None
    assert "pending" in room.append(step.record)
    assert 1 == len(room.own.versions)


@pytest.mark.parametrize(
    ("verdict", "action"), [("promote", "approve"), ("keep", "reject"), ("undecided", None)]
)
def test_auto_with_trials_waits_for_the_result(verdict: TrialVerdict, action: str | None) -> None:
    """It approves what a trial promotes, rejects what is worse, and leaves the rest to a person."""
    room = Room(CoachSettings(auto=True, trials=True))
    assert room.step(evaluation(**BAD)).record is not None
    assert CoachStep() == room.step(evaluation(5, **BAD)), "it has no result yet"
    step = room.tried(10, verdict)
    if action is None:
        assert CoachStep() == step
        assert CoachStep() == room.step(evaluation(15, **BAD))
        assert room.own.pending is not None
        return
    assert isinstance(step.record, PromptDecided)
    assert (action, "judge") == (step.record.action, step.record.author)
    assert verdict in step.record.reason
    assert room.own.pending is None
    assert (room.text(11) == FILE) == (action == "reject")


def test_without_auto_a_person_sees_the_result() -> None:
    """The time to approve a text begins again when its trial ends; then it is withdrawn."""
    room = Room(CoachSettings(trials=True, expires_s=3600))
    assert room.step(evaluation(**BAD)).record is not None
    assert CoachStep() == room.tried(50, "promote")
    assert CoachStep() == room.step(evaluation(60, **BAD))
    assert CoachStep() == room.step(evaluation(109, **BAD))
    assert "not approved in time" in room.step(evaluation(110, **BAD)).note


@pytest.mark.parametrize("auto", [True, False])
def test_proposal_is_not_withdrawn_while_it_is_tried(auto: bool) -> None:
    """However long the trial takes."""
    room = Room(CoachSettings(auto=auto, trials=True, expires_s=3600))
    assert room.step(evaluation(**BAD)).record is not None
    assert CoachStep() == room.tried(10, None)
    assert CoachStep() == room.step(evaluation(1_000, **BAD))


@pytest.mark.parametrize("known", [FIRST, NOON, LAST])
@pytest.mark.parametrize("now", [FIRST, NOON, LAST])
def test_no_time_or_figure_in_a_record_stops_the_coach(known: datetime, now: datetime) -> None:
    """Records may have any venue time, and scores beyond their bounds."""
    settings = CoachSettings(auto=True, scale_risk_s=3_600, trials=True)
    # Any: fields of the message.
    figures: dict[str, Any] = dict.fromkeys(("return_pct", "drawdown_pct"), -1e308)
    figures |= dict.fromkeys(("overall", "quality"), 1e308)
    for found in (evaluation(**BAD, as_of=now), evaluation(**figures, as_of=now)):
        adjustment_of(found, None, settings, by="judge/host", at=NOON)
        for decided in (None, "approve", "reject"):
            room = Room(settings)
            step = next_step(room.own, evaluation(**BAD, as_of=known), settings, by="j", at=NOON)
            assert step.record is not None
            assert "" == room.append(step.record)
            next_step(room.own, found, settings, by="judge/host", at=NOON)
            if decided is not None:
                fields: dict[str, Any] = {"version": step.record.version, "action": decided}
                fields |= {
                    "agent": "momentum",
                    "author": "person",
                    "by": "x",
                    "at": NOON,
                    "as_of": known,
                }
                record = PromptDecided(**fields)
                assert "" == room.append(record)
                next_step(room.own, found, settings, by="judge/host", at=NOON)
            room.own.in_force(now)
