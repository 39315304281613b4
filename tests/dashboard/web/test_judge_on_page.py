"""The page of `arena web` says what `arena judge --once --json` says, over a real Kafka."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import Evaluation
from arena.settings import Settings
from tests.browser import MARKS, headless_browser, save_picture
from tests.dashboard.failing_scenario import ALWAYS, FailingScenario
from tests.dashboard.publishing import ROOT, environment, publish
from tests.dashboard.scenario import AGENTS
from tests.dashboard.web.test_page_browser import PHONE, SIZES, show
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


SHOWN = """
const text = (element) => {
  const copy = element.cloneNode(true);
  copy.querySelectorAll(".hidden, .label").forEach((one) => one.remove());
  return copy.textContent.trim();
};
const lit = (element) => element.checkVisibility({checkOpacity: true, visibilityProperty: true})
  && element.getBoundingClientRect().width > 0;
const rows = [...document.querySelectorAll("#leaderboard tbody tr")];
const cells = [".c-return", ".c-interval", ".c-vs", ".c-more"];
return {
  verdict: document.querySelector("#verdict").textContent,
  rows: rows.map((row) => [row.dataset.agent, row.querySelector(".c-ranks b").textContent,
    ...cells.map((one) => text(row.querySelector(one)))]),
  names: rows.map((row) => text(row.querySelector(".c-name .name"))),
  visible: rows.map((row) => [".c-ranks b", ".c-name .name", ".c-return b", ".c-interval"]
    .every((one) => lit(row.querySelector(one)))),
  dead: [...document.querySelectorAll("#dead tbody tr")].map((row) => [...row.cells].map(text)),
  hold: document.querySelector(".holdword").textContent,
};
"""
"""What the page shows of the judge; `visible` is true for rows whose first figures can be seen."""


async def test_page_shows_what_the_judge_says(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """Verdict word for word; order, ranks, returns and intervals, seen on a desk and a phone."""
    agents = (*AGENTS, ("broken", "patient", "agent"))
    await publish(
        bus, FailingScenario(agents=agents, fails={"broken": ALWAYS}, planned=200).run(120)
    )
    judge = run_arena("judge", "--once", "--json", env=environment(settings))
    assert 0 == judge.returncode, judge.stderr
    said: Document = json.loads(judge.stdout)
    evaluation = Evaluation.model_validate(said)
    await (await bus.send(topics.EVALUATIONS.name, evaluation, key=evaluation.snapshot_id))

    with web_process(settings) as url, headless_browser(tmp_path / "profile") as browser:
        found = {}
        for size in (SIZES[0], PHONE):
            show(browser, url, size)
            save_picture(browser, tmp_path / f"judged-{size[0]}.png")
            found[size] = browser.execute_script(SHOWN)

    for shown in found.values():
        assert said["verdict"] == shown["verdict"]
        assert [expected_row(row) for row in said["rows"]] == shown["rows"]
        assert [row["agent"] for row in said["rows"]] == shown["names"]
        assert [True] * 6 == shown["visible"]
        assert f"hold {percent(said['hold_return'])}" == shown["hold"]
        assert [(one["agent"], one["cause"]) for one in said["dead"]] == [
            (row[0], row[1]) for row in shown["dead"]
        ]
    assert ["broken"] == [one["agent"] for one in said["dead"]]
    assert any(row["return_interval"] for row in said["rows"])
