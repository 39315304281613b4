"""In a browser: log in, halt and resume, restart processes; an order is verified."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from arena.settings import Settings
from dashboard.model.results import Health, SupervisedResult
from dashboard.web.cli import TOKEN_FILE
from operations.localbroker.ports import choose_ports
from tests.browser import (
    DEADLINE_S,
    MARKS,
    Browser,
    axe_violations,
    find,
    forget_logs,
    requested,
    save_picture,
)
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.live_server import LiveArena, live_arena
from tests.dashboard.web.test_page_browser import SIZES, show, wait
from tests.integration.test_one_process import played
from tests.operations.commands.cli import ROOT, environment
from tests.operations.commands.test_up import SPEC

pytestmark = MARKS
TOKEN = "a-token-of-this-test"
RIGHT = """
const buttons = [...document.querySelectorAll("#processes .button")];
return Math.max(...buttons.map((one) => one.getBoundingClientRect().right));
"""


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


@pytest.mark.parametrize("path", ["/runs", "/login", "/agents/unknown", "/nowhere"])
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


@contextmanager
def supervised_page(settings: Settings, folder: Path) -> Iterator[str]:
    """The address of the page of a real `arena up`, with its processes on a real broker."""
    spec, port = folder / "ARENA.toml", choose_ports(0).client
    spec.write_text(SPEC)
    words = ("up", str(spec), "--no-dashboard", "--web-port", str(port))
    with (folder / "up.log").open("wb") as output:
        up = subprocess.Popen(
            [sys.executable, "-m", "arena", *words], env=environment(settings), cwd=ROOT,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        up.terminate()
        up.wait(40)


def health(url: str) -> Health:
    """What the page's REST says of processes."""
    return Health.model_validate_json(httpx.get(f"{url}/api/v1/health").raise_for_status().content)


def supervised(url: str, name: str, before: SupervisedResult | None = None) -> SupervisedResult:
    """A running process, as the page's REST shows it.

    Args:
        url: Address of the page.
        name: Name of the process.
        before: An earlier answer: wait for another start.
    """
    end_s = time.monotonic() + DEADLINE_S
    while True:
        found: list[SupervisedResult] = []
        with suppress(httpx.HTTPError):  # it starts, or starts again
            found = [p for up in health(url).supervisors for p in up.processes if p.name == name]
        for one in found:
            if one.state == "running" and one.nodes and (not before or one.pid != before.pid):
                return one
        assert time.monotonic() < end_s, found
        time.sleep(0.1)


def restart(browser: Browser, name: str, reason: str) -> str:
    """Restart a process by keyboard; return what the dialog says of it."""
    find(browser, f"[data-ask='Restart {name}?']").send_keys(Keys.ENTER)
    wait(browser, "return document.querySelector('#ask').open")
    assert "Cancel" == browser.switch_to.active_element.text
    find(browser, "#ask [name=reason]").send_keys(reason)
    find(browser, "#ask-do").click()
    wait(browser, "return document.querySelector('#ask-do').hidden")
    words: str = find(browser, "#ask-words").text
    return words


@pytest.mark.timeout(300)
def test_processes_restart_from_the_page(
    browser: Browser, settings: Settings, tmp_path: Path
) -> None:
    """A chat node, and then the page's own process, which the open page survives."""
    with supervised_page(settings, tmp_path) as url:
        node, own = supervised(url, "chat-node-rules"), supervised(url, "web")
        (up,) = health(url).supervisors
        line = f"p-{up.host}-{up.run}-chat-node-rules"
        path = f"/processes/{up.host}/{up.run}/chat-node-rules/restart"
        assert 401 == httpx.post(f"{url}/api/v1{path}", json={}).status_code
        show(browser, f"{url}/nodes", SIZES[0])
        assert [] == browser.find_elements(By.CSS_SELECTOR, "#processes [data-ask]")
        browser.get(f"{url}/login?next=/nodes")
        find(browser, "#token").send_keys((settings.home / TOKEN_FILE).read_text().strip())
        find(browser, "main form button").click()
        wait(browser, "return document.querySelector('#live')?.textContent === 'Live'")
        forget_logs(browser)

        said = restart(browser, "chat-node-rules", "a <b>new</b> key")
        assert said.startswith("Done: started, pid "), said
        assert [] == axe_violations(browser)
        save_picture(browser, tmp_path / "restarted.png")
        find(browser, "#ask-cancel").click()
        after = supervised(url, "chat-node-rules", node)
        assert after.since > node.since
        row = "return document.getElementById(arguments[0]).textContent.includes(arguments[1])"
        wait(browser, row, line, f"{after.since:%H:%M:%S}")
        wait(browser, row, "processes", "a <b>new</b> key")
        assert [] == axe_violations(browser)
        assert [] == browser.get_log("browser")

        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            browser.get(f"{url}/nodes")
            find(browser, "[data-ask='Restart router-holder?']").click()
            find(browser, "#reason").send_keys("by hand")
            find(browser, "main form .danger").click()
            assert find(browser, "[role=status].checked").text.startswith("Done: started, pid ")
        finally:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        show(browser, f"{url}/nodes", SIZES[2])
        wait(browser, row, "processes", "by hand")
        assert [] == axe_violations(browser)
        assert browser.execute_script(RIGHT) <= SIZES[2][0], "a phone shows every button"
        save_picture(browser, tmp_path / "phone.png")
        show(browser, f"{url}/nodes", SIZES[0])

        browser.execute_script("window.mine = true")
        assert "the process of this page" in restart(browser, "web", "")
        find(browser, "#ask-cancel").click()
        supervised(url, "web", own)
        wait(browser, row, "processes", "restart web")
        live = "return document.querySelector('#live')?.textContent === 'Live'"
        wait(browser, live)
        assert browser.execute_script("return window.mine")
        save_picture(browser, tmp_path / "processes.png")
