"""The page of `arena web` says what `arena judge --once --json` says, over a real Kafka."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import Evaluation
from arena.settings import Settings
from tests.browser import MARKS, headless_browser, save_picture
from tests.dashboard.publishing import ROOT, environment, publish
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.test_page_browser import SIZES, show
from tests.warm_commands import run_arena

pytestmark = MARKS
ADDRESS = re.compile(r"http://[\d.:]+")
Document = dict[str, Any]  # Any: JSON of any shape.


@contextmanager
def web_process(settings: Settings) -> Iterator[str]:
    """The address of `arena web`, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "web", "--port", "0"],
        env=environment(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = next(match for line in process.stdout if (match := ADDRESS.search(line)))
        yield found.group()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def percent(share: float | None) -> str:
    """A share as the page should write it."""
    if share is None:
        return "–"
    words = f"{share * 100:+.2f}".replace("-", "−")
    return "0.00 %" if words[1:] == "0.00" else f"{words} %"


def expected_row(row: Document) -> list[str]:
    """Name, ranks, return, interval, difference from the market and drawdown of an entrant."""
    low, high = row["rank_low"], row["rank_high"]
    found = row["return_interval"]
    ends = [percent(found[end]) for end in ("low", "high")] if found else ["–", "–"]
    interval = f"{ends[0].removesuffix(' %')} to {ends[1]}" if found else "–"
    if found and found["low"] == found["high"]:
        interval = "constant"
    loss = row["drawdown"]
    return [
        row["agent"],
        str(low) if low == high else f"{low}–{high}",
        percent(row["total_return"]),
        interval,
        percent(row["excess_return"]),
        percent(None if loss is None else -loss),
    ]


async def test_page_shows_what_the_judge_says(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """Verdict word for word; order, ranks, returns, intervals and drawdowns of every entrant."""
    await publish(bus, Scenario(planned=200).run(120))
    judge = run_arena("judge", "--once", "--json", env=environment(settings))
    assert 0 == judge.returncode, judge.stderr
    said: Document = json.loads(judge.stdout)
    evaluation = Evaluation.model_validate(said)
    await (await bus.send(topics.EVALUATIONS.name, evaluation, key=evaluation.snapshot_id))

    with web_process(settings) as url, headless_browser(tmp_path / "profile") as browser:
        show(browser, url, SIZES[0])
        save_picture(browser, tmp_path / "judged.png")
        verdict = browser.find_element(By.ID, "verdict").get_attribute("textContent")
        shown = browser.execute_script(
            "return [...document.querySelectorAll('#leaderboard tbody tr')].map(row => ["
            "row.dataset.agent, row.querySelector('.c-ranks b').textContent,"
            "...['.c-return', '.c-interval', '.c-vs', '.c-more'].map(c => {"
            " const cell = row.querySelector(c).cloneNode(true);"
            " cell.querySelectorAll('.hidden, .label').forEach(e => e.remove());"
            " return cell.textContent.trim(); })])"
        )
        hold = browser.find_element(By.CSS_SELECTOR, ".holdword").text

    assert said["verdict"] == verdict
    assert [expected_row(row) for row in said["rows"]] == shown
    assert 6 == len(shown)
    assert f"hold {percent(said['hold_return'])}" == hold
    assert any(row["return_interval"] for row in said["rows"])
