"""The page in a real browser: charts, no requests, phone width, dark scheme and keyboard.

Screenshots are saved in the test's temporary folder.
"""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from judge.report.facts import ReportOptions, make_facts
from judge.report.write import write_report
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
from tests.judge.seasons import make_season

pytestmark = MARKS
DESKTOP, PHONE, SMALL = (1280, 900), (390, 844), (320, 640)
WORDS = '<script>document.title = "owned"</script> the trend is up'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of fifteen entries."""
    facts = make_facts("2026-11-21T09-12-03", make_season(text=WORDS), ReportOptions())
    return write_report(facts, tmp_path_factory.mktemp("report") / "report")


def show(
    browser: Browser, page: Path, size: tuple[int, int] = DESKTOP, *, dark: bool = False
) -> None:
    """Load the page at a size and in a colour scheme, and wait for its script."""
    resize(browser, size, mobile=size != DESKTOP)
    emulate(browser, dark=dark)
    browser.get("about:blank")
    forget_logs(browser)
    browser.get(page.as_uri())
    WebDriverWait(browser, DEADLINE_S).until(
        lambda b: b.execute_script("return document.documentElement.className") == "js"
    )


def picture(browser: Browser, page: Path, name: str) -> None:
    """Save a screenshot next to the report."""
    save_picture(browser, page.with_name(f"{name}.png"))


def curves(browser: Browser, chart: str) -> int:
    """The curves that are visible in the chart of a section."""
    found = browser.find_elements(By.CSS_SELECTOR, f"#{chart} .chart .line")
    return sum(one.is_displayed() for one in found)


def test_the_page_loads_without_requests_or_errors(browser: Browser, page: Path) -> None:
    """Only the file is requested, the console is empty, every chart is drawn."""
    show(browser, page)
    requests = [url for url in requested(browser) if not url.startswith("data:")]
    lines = browser.find_elements(By.CSS_SELECTOR, ".chart .line")
    tables = browser.find_elements(By.CSS_SELECTOR, "table.drawn, table.matrix")

    assert [page.as_uri()] == requests
    assert [] == browser.get_log("browser")
    assert "2026-11-21T09-12-03: competition report" == browser.title
    assert 2 * (15 + 1) == len(lines)
    assert 5 == len(tables)
    assert all(one.size["width"] > 100 for one in lines if one.is_displayed())
    picture(browser, page, "desktop")


def test_a_script_of_a_model_does_not_run(browser: Browser, page: Path) -> None:
    """A model's text is shown, not run."""
    show(browser, page)
    agent = find(browser, "details.agent:nth-of-type(3)")
    agent.find_element(By.TAG_NAME, "summary").click()

    assert WORDS in agent.find_element(By.CSS_SELECTOR, "td.long").text
    assert "owned" != browser.title


def test_a_link_opens_an_agents_section(browser: Browser, page: Path) -> None:
    """A repeat's link opens its agent's section; the keyboard closes it."""
    show(browser, page)
    fold = find(browser, "table.leaderboard details.fold")
    fold.find_element(By.TAG_NAME, "summary").click()
    link = fold.find_element(By.TAG_NAME, "a")
    anchor = (link.get_attribute("href") or "").partition("#")[2]
    agent = browser.find_element(By.ID, anchor)
    assert agent.get_attribute("open") is None
    link.click()
    WebDriverWait(browser, DEADLINE_S).until(lambda b: agent.get_attribute("open") is not None)

    assert agent.find_element(By.CSS_SELECTOR, "dl.facts").is_displayed()
    agent.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    WebDriverWait(browser, DEADLINE_S).until(lambda b: agent.get_attribute("open") is None)


def test_a_legend_button_hides_a_curve_in_both_charts(browser: Browser, page: Path) -> None:
    """A second press shows it again in equity and drawdowns."""
    show(browser, page)
    before = curves(browser, "equity"), curves(browser, "drawdowns")
    key = find(browser, "#equity .keys button[data-key][aria-pressed=true]")
    number = key.get_attribute("data-key")
    key.send_keys(Keys.SPACE)
    WebDriverWait(browser, DEADLINE_S).until(lambda b: curves(b, "equity") < before[0])

    assert (before[0] - 1, before[1] - 1) == (
        curves(browser, "equity"),
        curves(browser, "drawdowns"),
    )
    pressed = {
        button.get_attribute("aria-pressed")
        for button in browser.find_elements(
            By.CSS_SELECTOR, f".keys [data-key='{number}'][aria-pressed]"
        )
    }
    assert {"false"} == pressed
    key.click()
    WebDriverWait(browser, DEADLINE_S).until(lambda b: curves(b, "equity") == before[0])


def test_a_click_sorts_a_column(browser: Browser, page: Path) -> None:
    """The first click sorts downwards, the second upwards; unknown figures are last."""
    show(browser, page)
    head = find(browser, "table.leaderboard thead th:nth-child(9) button")
    assert "fees" == head.text.split()[0]

    def fees() -> list[float]:
        cells = browser.find_elements(By.CSS_SELECTOR, "table.leaderboard tbody td:nth-child(9)")
        return [float(cell.get_attribute("data-v")) for cell in cells]

    unsorted = fees()
    head.click()
    assert sorted(unsorted, reverse=True) == fees()
    head.click()
    assert sorted(unsorted) == fees()
    cell = browser.find_element(By.CSS_SELECTOR, "table.leaderboard thead th:nth-child(9)")
    assert "ascending" == cell.get_attribute("aria-sort")


def test_the_page_is_whole_without_its_script(browser: Browser, page: Path) -> None:
    """Charts and figures are there; buttons that would do nothing are not."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page.as_uri())
        keys = browser.find_elements(By.CSS_SELECTOR, ".keys button")
        assert 0 < curves(browser, "equity") == curves(browser, "drawdowns")
        assert keys
        assert not any(one.is_displayed() for one in keys)
        picture(browser, page, "without-script")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(browser: Browser, page: Path, dark: bool) -> None:
    """Contrast, names and roles are right in both schemes, also inside an agent's section."""
    show(browser, page, dark=dark)
    browser.execute_script("document.querySelector('details.agent').open = true")

    assert [] == axe_violations(browser)


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (PHONE, True), (SMALL, False)])
def test_a_phone_page_does_not_scroll_sideways(
    browser: Browser, page: Path, size: tuple[int, int], dark: bool
) -> None:
    """Only tables scroll, in their boxes; rank, return and interval are visible at once."""
    show(browser, page, size, dark=dark)
    browser.execute_script(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
    )
    width, wide, boxes, right = browser.execute_script(
        "return [document.documentElement.clientWidth, document.documentElement.scrollWidth,"
        "[...document.querySelectorAll('.scroll')]"
        ".filter((box) => box.scrollWidth > box.clientWidth).length,"
        "Math.max(...[...document.querySelectorAll('table.leaderboard tbody td:nth-child(3)')]"
        ".map((cell) => cell.getBoundingClientRect().right))]"
    )

    assert (size[0], size[0]) == (width, wide)
    assert boxes > 5
    assert right <= size[0]
    picture(browser, page, f"phone-{size[0]}-{'dark' if dark else 'light'}")


def test_the_dark_scheme_changes_page_and_charts(browser: Browser, page: Path) -> None:
    """The open page follows the scheme: background, text and the charts' labels."""

    def colours() -> tuple[str, str]:
        paper, ink = browser.execute_script(
            "return [getComputedStyle(document.body).backgroundColor,"
            "getComputedStyle(document.querySelector('#equity .plot text')).fill]"
        )
        return paper, ink

    show(browser, page)
    day = colours()
    emulate(browser, dark=True)
    WebDriverWait(browser, DEADLINE_S).until(lambda b: colours()[1] != day[1])

    assert ("rgb(255, 255, 255)", "rgb(17, 20, 23)") == (day[0], colours()[0])
    assert [] == browser.get_log("browser")
    picture(browser, page, "dark")


def test_print_is_light_and_shows_whole_tables(browser: Browser, page: Path) -> None:
    """The printed page is light even in the dark scheme, and its tables do not scroll."""
    show(browser, page, dark=True)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    paper, flow = browser.execute_script(
        "return [getComputedStyle(document.body).backgroundColor,"
        "getComputedStyle(document.querySelector('.scroll')).overflowX]"
    )

    assert ("rgb(255, 255, 255)", "visible") == (paper, flow)
