"""Halts on the screen and in the document."""

from datetime import timedelta

from arena import topics
from arena.messages import Halt, Resume
from dashboard.model.frame import build_frame
from dashboard.model.standings import standings
from dashboard.terminal.screen import render
from dashboard.terminal.standings_text import progress_line
from dashboard.terminal.ui import Ui
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of


def halted(scenario: Scenario, agent: str | None, reason: str = "") -> Halt:
    """Write a halt."""
    halt = Halt(agent=agent, reason=reason, by="cli/desk", at=scenario.wall)
    scenario.write(topics.CONTROL.name, halt, f"agent/{agent}" if agent else "all")
    return halt


def notices(scenario: Scenario, height: int = 40) -> list[str]:
    """The lines of the screen that show halts."""
    frame = build_frame(view_of(scenario.records), scenario.wall)
    screen = render(frame, Ui(), 120, height)
    assert (height, {120}) == (len(screen.lines), {line.cell_len for line in screen.lines})
    return [line.plain for line in screen.lines if "HALTED" in line.plain]


def test_resumed_halt_is_not_shown() -> None:
    """There is no line, and an empty list in the document."""
    scenario = Scenario().run(3)
    halted(scenario, None)
    scenario.write(topics.CONTROL.name, Resume(by="cli/desk", at=scenario.wall), "all")

    assert [] == notices(scenario)
    assert [] == standings(view_of(scenario.records), scenario.wall)["halted"]


def test_halt_of_all_agents_comes_first_with_its_reason() -> None:
    """It is one line at any height; a halt that no executor confirms is marked."""
    scenario = Scenario().run(3)
    halted(scenario, "momentum", "lost \x1b[31mtoo much")
    halt = halted(scenario, None, "prices look wrong")
    scenario.beat("tools", "tools", details={"halted": ["all"]})

    (line,) = notices(scenario)

    since = f"{halt.at.astimezone(scenario.wall.tzinfo):%H:%M:%S}"
    assert f"HALTED all agents since {since}: prices look wrong; momentum since {since} " in line
    assert "lost" in line
    assert "\x1b" not in line
    assert "(no executor confirms it)" in line
    assert [line] == notices(scenario, height=24)
    assert "HALTED: all, momentum" in progress_line(
        build_frame(view_of(scenario.records), scenario.wall)
    )


def test_document_shows_who_halted_and_whether_it_is_obeyed() -> None:
    """A program can distinguish a requested halt from one in force."""
    scenario = Scenario().run(3)
    halt = halted(scenario, None, "drill")
    scenario.beat("tools", "catalogue", node="tools/catalogue/host/2")
    asked = standings(view_of(scenario.records), scenario.wall)["halted"]
    scenario.beat("tools", "tools", details={"halted": ["all"]})
    obeyed = standings(view_of(scenario.records), scenario.wall)["halted"]

    row = {"scope": "all", "since": halt.at.isoformat(), "reason": "drill", "by": "cli/desk"}
    assert [{**row, "obeyed": False, "unread": ""}] == asked
    assert [{**row, "obeyed": True, "unread": ""}] == obeyed


def test_silent_executor_confirms_nothing() -> None:
    """The last heartbeat of a dead process does not count."""
    scenario = Scenario().run(3)
    halted(scenario, None)
    scenario.beat("tools", "tools", details={"halted": ["all"]})
    view = view_of(scenario.records)

    later = scenario.wall + timedelta(minutes=1)
    (row,) = build_frame(view, later).halts

    assert row.obeyed is False
