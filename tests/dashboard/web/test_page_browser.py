"""The page in a real browser: live, at three widths, in both colour schemes, by axe and keyboard.

Screenshots are saved in the test's temporary folder.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from arena import topics
from dashboard.model.topic_follower import TopicFollower
from tests.browser import (
    DEADLINE_S,
    MARKS,
    Browser,
    axe_violations,
    emulate,
    find,
    forget_logs,
    requested,
    resize,
    save_picture,
)
from tests.dashboard.coaching import coached
from tests.dashboard.failing_scenario import ALWAYS, FailingScenario
from tests.dashboard.model.test_verdict import WORDS, judged
from tests.dashboard.scenario import AGENTS
from tests.dashboard.web.live_server import LiveArena, live_arena

pytestmark = MARKS
SIZES = ((1400, 1000), (820, 1180), (390, 844))
PHONE = SIZES[2]
PATHS = ("/", "/agents/momentum", "/nodes")
STOPS = 15
STOP = """
const one = document.activeElement, box = one.getBoundingClientRect();
const [x, y] = [Math.min(box.width / 2, 40), Math.min(box.height / 2, 8)];
const at = document.elementFromPoint(box.left + x, box.top + y);
return {
  what: one.outerHTML.slice(0, 80), ring: parseFloat(getComputedStyle(one).outlineWidth),
  seen: one.contains(at) || at?.contains(one), inside: Boolean(one.closest("main")),
};
"""
"""What has the focus, the width of its ring, and whether something covers it."""


@pytest.fixture(scope="module")
def arena() -> Iterator[LiveArena]:
    """An arena with a verdict, a dead agent, and one with a coach."""
    scenario = FailingScenario(
        agents=(*AGENTS, ("broken", "patient", "agent")), fails={"broken": ALWAYS}
    ).run(48)
    coached(scenario, "momentum")
    scenario.write(topics.EVALUATIONS.name, judged(scenario), "x")
    with live_arena(scenario) as found:
        yield found


def show(browser: Browser, url: str, size: tuple[int, int], *, dark: bool = False) -> None:
    """Load a page at a size and in a colour scheme, and wait until it is live."""
    resize(browser, size, mobile=size == PHONE)
    emulate(browser, dark=dark)
    browser.get("about:blank")
    forget_logs(browser)
    browser.get(url)
    wait(browser, "return document.querySelector('#live')?.textContent === 'Live'")


def wait(browser: Browser, script: str, *values: object) -> None:
    """Wait until a script returns something true."""
    WebDriverWait(browser, DEADLINE_S).until(lambda b: b.execute_script(script, *values))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=["desktop", "tablet", "phone"])
def test_page_is_whole_at_every_width_and_scheme(
    browser: Browser, arena: LiveArena, tmp_path: Path, size: tuple[int, int], dark: bool, path: str
) -> None:
    """Nothing scrolls sideways, axe finds nothing, no request leaves the host, no error."""
    show(browser, arena.url + path, size, dark=dark)
    if path != "/nodes":
        wait(browser, "return document.querySelector('#candles canvas')")
    name = f"{path.strip('/').replace('/', '-') or 'live'}-{size[0]}-{'dark' if dark else 'light'}"
    save_picture(browser, tmp_path / f"{name}.png")
    wide = browser.execute_script("return document.documentElement.scrollWidth")

    assert wide <= size[0]
    assert [] == axe_violations(browser)
    assert [] == browser.get_log("browser")
    outside = [url for url in requested(browser) if not url.startswith((arena.url, "data:"))]
    assert [] == outside


def test_phone_shows_rank_return_and_interval_first(browser: Browser, arena: LiveArena) -> None:
    """They are in the row of each agent, in the width of the screen; labels of curves are whole."""
    show(browser, arena.url, PHONE)
    right, shown = browser.execute_script(
        "const row = document.querySelector('#leaderboard tbody tr');"
        "const cells = ['c-ranks', 'c-return', 'c-interval'].map(c => row.querySelector('.' + c));"
        "return [Math.max(...cells.map(c => c.getBoundingClientRect().right)),"
        " cells.every(c => c.getBoundingClientRect().width > 0)]"
    )

    assert shown
    assert right <= PHONE[0]
    for shape in ("", " unjudged"):
        axis, plot = browser.execute_script(
            f"document.querySelector('.board').className = 'board{shape}';"
            "const places = ['.axis', '.interval'].map(one =>"
            " document.querySelector('#leaderboard ' + one).getBoundingClientRect());"
            "return places.map(one => [one.left, one.right])"
        )
        assert axis == plot
    cut = browser.execute_script(
        "return [...document.querySelectorAll('#curves .right text')].filter(one =>"
        " one.getBoundingClientRect().right > one.closest('svg').getBoundingClientRect().right)"
        ".map(one => one.textContent)"
    )
    assert [] == cut


def test_open_page_follows_the_arena(browser: Browser, arena: LiveArena) -> None:
    """New turns, equity and a new verdict come without loading the page; open details stay open."""
    show(browser, arena.url, SIZES[0])
    browser.execute_script(
        "window.mine = true; document.querySelector('#curves details').open = true"
    )
    first = browser.execute_script("return document.querySelector('.stream li').id")
    arena.change(lambda scenario: scenario.step())
    wait(browser, "return document.querySelector('.stream li').id !== arguments[0]", first)
    after = "Cannot separate #1-#2 (cash, random). Nothing else is known."

    arena.change(
        lambda scenario: scenario.write(topics.EVALUATIONS.name, judged(scenario, words=after), "y")
    )
    wait(browser, "return document.querySelector('#verdict').textContent === arguments[0]", after)
    arena.change(
        lambda scenario: scenario.write(topics.EVALUATIONS.name, judged(scenario, words=WORDS), "z")
    )
    wait(browser, "return document.querySelector('#verdict').textContent === arguments[0]", WORDS)
    kept = "return [window.mine, document.querySelector('#curves details').open]"
    assert [True, True] == browser.execute_script(kept)
    assert [] == browser.get_log("browser")


def test_stream_shows_only_orders_and_pauses(browser: Browser, arena: LiveArena) -> None:
    """Both by keyboard; a paused stream stays, the rest of the page goes on."""
    show(browser, arena.url, SIZES[0])
    find(browser, "[data-show=orders]").send_keys(Keys.ENTER)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('.stream li')]"
        ".filter(e => e.offsetHeight).every(e => e.classList.contains('orders'))"
    )
    assert shown
    find(browser, "[data-show=all]").send_keys(Keys.ENTER)
    find(browser, "[data-pause]").send_keys(Keys.SPACE)
    read = "return document.querySelector('.stream li').id"
    before, trade = (
        browser.execute_script(read),
        "return document.querySelector('#bar').textContent",
    )
    count = browser.execute_script(trade)
    arena.change(lambda scenario: scenario.step())
    wait(browser, f"{trade} !== arguments[0]", count)

    assert before == browser.execute_script(read)
    find(browser, "[data-pause]").send_keys(Keys.SPACE)
    wait(browser, f"{read} !== arguments[0]", before)


@pytest.mark.parametrize("path", ["/", "/nodes"])
def test_every_stop_of_the_keyboard_is_seen(browser: Browser, arena: LiveArena, path: str) -> None:
    """The first skips to the content; each has a ring and is not under a bar."""
    show(browser, arena.url + path, SIZES[1])
    press = ActionChains(browser).send_keys
    press(Keys.TAB).perform()
    assert "Skip to the content" == browser.switch_to.active_element.text
    assert 0 <= browser.switch_to.active_element.rect["x"]
    press(Keys.ENTER).perform()
    assert "main" == browser.switch_to.active_element.get_attribute("id")
    stops = []
    for _ in range(STOPS):
        press(Keys.TAB).perform()
        stops.append(browser.execute_script(STOP))
    stops = [stop for stop in stops if not stop["what"].startswith("<body")]  # after the last one

    assert [] == [stop for stop in stops if stop["ring"] < 2 or not stop["seen"]], stops
    assert stops[0]["inside"], "the skip link leads into the content"


def test_cut_stream_is_said_with_its_time_and_resumes(browser: Browser) -> None:
    """While the server is away the page says since when; it continues when it is back."""
    scenario = FailingScenario().run(5)
    with live_arena(scenario) as arena:
        show(browser, arena.url, SIZES[0])
        port = int(arena.url.rpartition(":")[2])
    wait(browser, "return document.documentElement.classList.contains('stale')")
    words = browser.find_element(By.ID, "live").text
    assert "No event since" in words
    assert "Figures are of then." in words
    scenario.step()
    with live_arena(scenario, port=port):
        wait(browser, "return document.querySelector('#live').textContent === 'Live'")
        wait(browser, "return document.querySelector('#bar').textContent.includes('Snapshots 6')")


def test_silent_broker_is_said_where_the_page_says_live(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events go on, but the figures are old; afterwards the page is live again."""
    with live_arena(FailingScenario().run(2)) as arena:
        show(browser, arena.url, PHONE)
        read_status = TopicFollower.read_status
        with monkeypatch.context() as patched:
            silent = lambda one: replace(read_status(one), silent_s=9.0)  # noqa: E731
            patched.setattr(TopicFollower, "read_status", silent)
            wait(browser, "return document.documentElement.classList.contains('stale')")
            words = browser.find_element(By.CSS_SELECTOR, ".life").text
            assert "The broker is silent. Figures are old." == words.strip()
        wait(browser, "return document.querySelector('.life').textContent.includes('Live')")


def test_page_without_scripts_is_whole(browser: Browser, arena: LiveArena) -> None:
    """Verdict, leaderboard, curves and the table of prices are there; no dead control is."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(arena.url)
        assert WORDS == browser.find_element(By.ID, "verdict").get_attribute("textContent")
        assert 6 <= len(browser.find_elements(By.CSS_SELECTOR, "#leaderboard tbody tr"))
        assert 6 <= len(browser.find_elements(By.CSS_SELECTOR, "#curves path.line"))
        assert not browser.find_element(By.CSS_SELECTOR, ".choices.js").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
