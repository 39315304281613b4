"""In a browser: log in, halt and resume; an order is verified, and a changed byte shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import (
    MARKS,
    Browser,
    axe_violations,
    find,
    forget_logs,
    headless_browser,
    requested,
    save_picture,
)
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.live_server import LiveArena, live_arena
from tests.dashboard.web.test_page_browser import SIZES, show, wait
from tests.integration.test_one_process import played

pytestmark = MARKS
TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium with its own profile."""
    with headless_browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArena]:
    """The records of a whole arena, by its own processes."""
    records = played(tmp_path_factory.mktemp("home"))
    with live_arena(records=records, token=TOKEN) as found:
        yield found


def test_halt_needs_a_login_and_a_confirmation(browser: Browser, tmp_path: Path) -> None:
    """There is no button without a session; the dialog starts on the safe choice."""
    with live_arena(Scenario().run(5), token=TOKEN) as arena:
        show(browser, f"{arena.url}/nodes", SIZES[0])
        assert [] == browser.find_elements(By.CSS_SELECTOR, "[data-ask]")
        find(browser, "a.log").click()
        field = find(browser, "#token")
        field.send_keys("wrong", Keys.ENTER)
        wait(browser, "return document.querySelector('[role=alert]')")
        assert [] == axe_violations(browser)
        find(browser, "#token").send_keys(TOKEN, Keys.ENTER)
        wait(browser, "return document.querySelector('form.log')")

        show(browser, f"{arena.url}/agents/momentum", SIZES[0])
        find(browser, "[data-ask]").send_keys(Keys.ENTER)
        wait(browser, "return document.querySelector('#ask').open")
        assert "Cancel" == browser.switch_to.active_element.text
        assert "No new order of it is filled" in find(browser, "#ask-words").text
        assert [] == axe_violations(browser)
        save_picture(browser, tmp_path / "dialog.png")
        find(browser, "#ask [name=reason]").send_keys("too <b>many</b> fees")
        find(browser, "#ask-do").click()
        wait(browser, "return !document.querySelector('#ask').open")
        wait(browser, "return document.querySelector('#portfolio .tag.warn')")
        assert "too <b>many</b> fees" in find(browser, "#portfolio").text

        find(browser, "[data-ask]").click()
        assert "Resume momentum?" == find(browser, "#ask-title").text
        find(browser, "#ask-do").click()
        wait(browser, "return !document.querySelector('#portfolio .tag.warn')")
        assert [] == browser.get_log("browser")


def test_order_is_verified_in_the_browser(
    browser: Browser, arena: LiveArena, tmp_path: Path
) -> None:
    """Every comparison holds; a changed byte breaks its step, and the change can be undone."""
    show(browser, arena.url, SIZES[0])
    link = browser.find_element(By.CSS_SELECTOR, "#trades a[href^='/verify/']")
    show(browser, link.get_attribute("href") or "", SIZES[0])
    state = "return document.querySelector('#trace').dataset.state"
    wait(browser, f"{state} === 'good'")
    words = find(browser, "#checked").text
    assert words.startswith("All ")
    assert words.endswith(" comparisons hold, computed in this browser.")
    assert 15 <= int(words.split()[1])
    assert [] == axe_violations(browser)
    save_picture(browser, tmp_path / "verified.png")

    buttons = browser.find_elements(By.CSS_SELECTOR, "[data-tamper]")
    for button in buttons:
        button.send_keys(Keys.ENTER)
        wait(browser, f"{state} === 'broken'")
        step = button.find_element(By.XPATH, "ancestor::li[starts-with(@id, 'step-')]")
        assert "broken" == step.get_attribute("class")
        assert "not those that were recorded" in find(browser, "#checked").text
        if button is buttons[1]:
            assert [] == axe_violations(browser)
            save_picture(browser, tmp_path / "broken.png")
        button.send_keys(Keys.ENTER)
        wait(browser, f"{state} === 'good'")
    assert [] == browser.get_log("browser")
    assert [] == [url for url in requested(browser) if not url.startswith((arena.url, "data:"))]


@pytest.mark.parametrize("path", ["/runs", "/login", "/agents/nobody", "/nowhere"])
def test_other_pages_pass_axe_at_phone_width(browser: Browser, arena: LiveArena, path: str) -> None:
    """They do not scroll sideways, either."""
    forget_logs(browser)
    browser.get(arena.url + path)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
    )

    assert [] == axe_violations(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
