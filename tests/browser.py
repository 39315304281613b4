"""A headless Chromium for tests of pages: sizes, colour schemes, requests, errors, axe-core."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MARKS = [
    pytest.mark.skipif(not CHROMIUM or not DRIVER, reason="chromium or chromedriver is missing"),
    pytest.mark.timeout(300),
]
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
DEADLINE_S = 60
PNG = b"\x89PNG\r\n\x1a\n"
AXE = Path(__file__).parent / "dashboard/web/vendor/axe.min.js"
AXE_S = 120
"""Axe takes four seconds for a report on a quiet machine."""

Browser = Any  # Any: selenium's driver, imported only where it is there.


@contextmanager
def headless_browser(profile: Path) -> Iterator[Browser]:
    """A Chromium with a profile of its own, and its logs of the console and the network.

    Args:
        profile: Folder for the profile.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def resize(browser: Browser, size: tuple[int, int], *, mobile: bool) -> None:
    """Set width and height in CSS pixels."""
    width, height = size
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
    )


def emulate(browser: Browser, *, dark: bool) -> None:
    """Set the colour scheme and reduced motion, so that scrolling is immediate."""
    features = [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})


def forget_logs(browser: Browser) -> None:
    """Drop what was logged so far."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)


def save_picture(browser: Browser, path: Path) -> None:
    """Save a screenshot, and check that it is a picture."""
    assert browser.save_screenshot(str(path))
    assert path.read_bytes().startswith(PNG)
    assert path.stat().st_size > 10_000


def requested(browser: Browser) -> list[str]:
    """Every address that was requested since the logs were forgotten."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def find(browser: Browser, css: str) -> WebElement:
    """One element, scrolled into view."""
    found: WebElement = browser.find_element(By.CSS_SELECTOR, css)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    return found


def axe_violations(browser: Browser) -> list[str]:
    """What axe-core finds on the page: rule and element, one line each."""
    browser.set_script_timeout(AXE_S)
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found: list[str] = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run().then((r) => done(r.violations.flatMap((v) =>"
        " v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary}`))),"
        " (e) => done([String(e)]));"
    )
    return found
