"""Hostile text of models, names and products is shown as text: nothing runs, the layout holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from arena import topics
from arena.messages import ChatMessage, Halt, OrderDecided, RequestedCall, Turn, TurnStarted
from tests.browser import (
    MARKS,
    Browser,
    axe_violations,
    forget_logs,
    requested,
    save_picture,
)
from tests.dashboard.failing_scenario import ALWAYS, FailingScenario
from tests.dashboard.model.test_verdict import judged
from tests.dashboard.web.live_server import LiveArena, live_arena
from tests.dashboard.web.test_page_browser import PHONE, SIZES, show

pytestmark = MARKS
MARKUP = (
    "</script><script>window.owned = 1; document.title = 'owned'</script>"
    '<img src=x onerror="window.owned = 1"><svg onload=window.owned=1>'
    "<style>* { display: none }</style><base href=//evil.example><iframe src=//evil.example>"
    '<a href="javascript:window.owned=1">x</a><link rel=stylesheet href=//evil.example/x.css>'
    "{{ 7 * 7 }}{% raw %}\" onmouseover='window.owned=1' ${7*7} &lt;b&gt; --><!--"
)
INVISIBLE = (
    "\u202eevil\u2066\u200b\u200d\x00\x1b[31m\x07\x9b\u2028\ufeff\U000e0041" + "a" + "\u0301" * 60
)
DATA = "data:text/html,<script>window.owned=1</script> [click](javascript:window.owned=1)"
LONG = "W" * 20_000 + " " + "\u4f60\u597d" * 200 + "\ufdfd" * 50
TEXTS = (MARKUP, INVISIBLE, DATA, LONG)
NAME = "<img src=x onerror=window.owned=1>\u202e" + "n" * 60


@dataclass
class HostileScenario(FailingScenario):
    """A scenario in which models, names and reasons are hostile."""

    def end_turn(
        self, started: TurnStarted, order: OrderDecided | None, words: str, **changes: object
    ) -> Turn:
        """Write a turn whose every text is hostile."""
        text = TEXTS[self.snapshots % len(TEXTS)]
        call = RequestedCall(model_call_id=text[:50], name=text[:300], arguments=text)
        hostile = {
            "model": text[:200],
            "strategy": text[:200],
            "error": text,
            "memory": text,
            "left_out": text,
            "messages": (
                ChatMessage(role="system", content=text),
                ChatMessage(role="user", content=MARKUP),
                ChatMessage(role="assistant", content=text, reasoning=text, tool_calls=(call,)),
                ChatMessage(role="tool", content=text, tool_call_id=text[:50]),
            ),
        }
        return super().end_turn(started, order, text, **{**hostile, **changes})


@pytest.fixture(scope="module")
def arena() -> Iterator[LiveArena]:
    """An arena of hostile texts, with a verdict, a halt and a dead agent."""
    scenario = HostileScenario(
        agents=(
            ("momentum", MARKUP[:80], "agent"),
            (NAME, "brainrot", "agent"),
            ("broken", LONG[:300], "agent"),
            ("buy-and-hold", "buy_and_hold", "baseline"),
        ),
        fails={"broken": ALWAYS},
        error=MARKUP + INVISIBLE + LONG,
    ).run(12)
    evaluation = judged(scenario, words=f"Cannot separate {MARKUP}. {INVISIBLE} {LONG[:3000]}.")
    warned = evaluation.model_copy(update={"warnings": TEXTS})
    scenario.write(topics.EVALUATIONS.name, warned, "x")
    halt = Halt(agent="momentum", reason=MARKUP + LONG[:400], by=NAME, at=scenario.wall)
    scenario.write(topics.CONTROL.name, halt, "agent/momentum")
    with live_arena(scenario) as found:
        yield found


def paths(arena: LiveArena) -> list[str]:
    """The pages of the arena, with the newest turns of both agents."""
    turns = [r for r in arena.scenario.records if r.kind == Turn.type_name()]
    messages = [record.message() for record in turns[-4 * len(TEXTS) :]]
    found = ["/", "/nodes", "/agents/momentum", f"/agents/{quote(NAME, safe='')}"]
    found += [
        f"/agents/momentum/turns/{one.turn_id}"
        for one in messages
        if isinstance(one, Turn) and one.agent == "momentum"
    ]
    return found


@pytest.mark.parametrize("size", [SIZES[0], PHONE], ids=["desktop", "phone"])
def test_hostile_text_is_only_text(
    browser: Browser, arena: LiveArena, tmp_path: Path, size: tuple[int, int]
) -> None:
    """No script runs or is even tried, nothing is fetched, nothing scrolls sideways."""
    addresses = paths(arena)
    assert 4 + len(TEXTS) <= len(addresses)
    for number, path in enumerate(addresses):
        show(browser, arena.url + path, size)
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        save_picture(browser, tmp_path / f"{number}-{size[0]}.png")
        owned, title, wide, strange = browser.execute_script(
            "return [window.owned ?? null, document.title, document.documentElement.scrollWidth,"
            " document.querySelectorAll('iframe, base, [onerror], [onload], [onmouseover], style,"
            " main img, main script, a[href^=javascript], a[href^=data]').length]"
        )
        assert (None, 0) == (owned, strange), path
        assert title != "owned", path
        assert wide <= size[0], path
        assert [] == browser.get_log("browser"), path
        outside = [url for url in requested(browser) if not url.startswith((arena.url, "data:"))]
        assert [] == outside, path


def test_hostile_text_stays_readable(browser: Browser, arena: LiveArena) -> None:
    """Markup is there as it was written; invisible characters are escapes; axe finds nothing."""
    show(browser, arena.url, SIZES[0])
    text = browser.execute_script("return document.body.textContent")

    assert "<script>window.owned = 1" in text
    assert "{{ 7 * 7 }}" in text
    assert "\\u202eevil" in text
    assert not set("\u202e\u2066\u200b\x00\x1b\x07") & set(text)
    assert [] == axe_violations(browser)


def test_hostile_text_that_comes_live_is_only_text(browser: Browser, arena: LiveArena) -> None:
    """Parts that are patched into an open page run nothing, either."""
    show(browser, arena.url, SIZES[0])
    forget_logs(browser)
    first = browser.execute_script("return document.querySelector('.stream li').id")
    arena.change(lambda scenario: scenario.step())
    browser.execute_async_script(
        "const [first, done] = arguments;"
        "const look = () => document.querySelector('.stream li').id === first"
        " ? setTimeout(look, 50) : done(); look();",
        first,
    )

    assert browser.execute_script("return window.owned ?? null") is None
    assert [] == browser.get_log("browser")
