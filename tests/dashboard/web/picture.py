"""Draws README's picture of the page: python -m tests.dashboard.web.picture [FILE].

Writes the first screen of the page, 1,400 pixels wide and in its light colours, as a PNG file
(docs/page.png), from a fixed scenario: six agents and a dead one, with the judge's verdict. It
needs Chromium and its driver.
"""

import asyncio
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from selenium.webdriver.support.ui import WebDriverWait

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import Evaluation, OrderDecided, Turn, TurnStarted
from dashboard.web.options import WebOptions
from judge.service import JudgeOptions, judge_once
from tests.browser import DEADLINE_S, emulate, headless_browser, resize, save_picture
from tests.dashboard.failing_scenario import ALWAYS, FailingScenario
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import AGENTS, Scenario
from tests.dashboard.web.live_server import live_arena
from tests.operations.commands.cli import ROOT

FILE = ROOT / "docs" / "page.png"
SIZE = (1400, 900)
BYTES_MAX = 250_000
SNAPSHOTS = 240
WALL_S = 300
"""Wall seconds of the scenario, at 60 times real time."""
WORDS = (
    "The 15-minute trend is up and the last three closes agree. I add a third.",
    "RSI is stretched and the spread widened: I wait for a pullback.",
    "Fees eat this edge. No trade.",
    "Up by more than twice the fees: I sell half and keep the rest.",
)
LIVE = "return document.querySelector('#live')?.textContent === 'Live'"


class PictureScenario(FailingScenario):
    """The scenario of the picture, whose agents say plain sentences."""

    def end_turn(
        self, started: TurnStarted, order: OrderDecided | None, words: str, **changes: object
    ) -> Turn:
        """Write a turn with other words."""
        return super().end_turn(started, order, self.random.choice(WORDS), **changes)


async def judged(scenario: Scenario) -> Evaluation:
    """What the judge says of a scenario."""
    bus = MemoryBus()
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    await publish(bus, scenario)
    found = await judge_once(bus, JudgeOptions())
    await bus.close()
    return found


def scenario() -> PictureScenario:
    """The arena of the picture; it ends now, so that nothing looks old."""
    start = datetime.now(UTC) - timedelta(days=1, seconds=WALL_S)
    found = PictureScenario(
        start=start,
        agents=(*AGENTS, ("patient", "patient", "agent")),
        fails={"patient": ALWAYS},
        planned=2 * SNAPSHOTS,
    )
    found.run(SNAPSHOTS)
    evaluation = asyncio.run(judged(found))
    found.write(topics.EVALUATIONS.name, evaluation, evaluation.snapshot_id)
    return found


def draw(path: Path) -> None:
    """Draw the picture.

    Args:
        path: The PNG file.
    """
    options = replace(WebOptions(), title="demo")
    with (
        live_arena(scenario(), options=options) as arena,
        tempfile.TemporaryDirectory() as profile,
        headless_browser(Path(profile)) as browser,
    ):
        resize(browser, SIZE, mobile=False)
        emulate(browser, dark=False)
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.get(arena.url)
        WebDriverWait(browser, DEADLINE_S).until(lambda b: b.execute_script(LIVE))
        save_picture(browser, path)


def main() -> None:
    """Draw it, and print its size."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    draw(path)
    size = path.stat().st_size
    print(f"{path}: {size:,} bytes")
    if size > BYTES_MAX:
        raise SystemExit(f"larger than {BYTES_MAX:,} bytes; show less")


if __name__ == "__main__":
    main()
