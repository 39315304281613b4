"""How fast the page is with a day of six agents: python -m tests.dashboard.web.measure_page.

Starts a broker, publishes the day, starts `arena web` twice, without a checkpoint and with one, and
prints the server's time for pages and parts of pages, and what a browser says of loading them.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from operations.localbroker.ports import choose_ports
from tests.browser import CHROMIUM, DEADLINE_S, DRIVER, Browser, emulate, headless_browser, resize
from tests.dashboard.publishing import ROOT, environment, publish
from tests.dashboard.scenario import Scenario

SNAPSHOTS = 1_440
TIMES = 20
LOADS = 7
PARTS = "/?parts=state,bar,leaderboard"
SIZES = ((1400, 1000), (390, 844))
WATCH = """
const seen = (name, is) => new MutationObserver((_, self) => {
  if (!is()) return;
  self.disconnect();
  requestAnimationFrame(() => { window[name] = performance.now(); });
}).observe(document, {childList: true, subtree: true, characterData: true});
seen("firstRow", () => document.querySelector("#leaderboard tbody tr"));
seen("liveAt", () => document.querySelector("#live")?.textContent === "Live");
"""
"""Notes in the browser when the first row and when the word "Live" is about to be painted."""
READ = """
const n = performance.getEntriesByType("navigation")[0];
const p = performance.getEntriesByName("first-contentful-paint")[0];
const {firstRow, liveAt} = window;
return liveAt && p ? [firstRow, p.startTime, n.responseEnd, n.loadEventEnd, liveAt] : null;
"""
NAMES = ("first row", "first paint", "answer read", "loaded", "live")


def main() -> None:
    """Measure, and print."""
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, LocalBroker(Path(folder), port=0) as broker:
        settings = Settings(bootstrap_servers=broker.start().bootstrap, home=Path(folder))
        scenario = Scenario().run(SNAPSHOTS)
        asyncio.run(_publish(settings, scenario))
        print(f"{SNAPSHOTS:,} snapshots, {len(scenario.records):,} records")
        for name in ("without a checkpoint", "with one"):
            with _page(settings, name) as url, httpx.Client(base_url=url) as client:
                for path in ("/", PARTS, "/agents/momentum", "/nodes"):
                    kb = len(client.get(path, timeout=DEADLINE_S).content) / 1000
                    print(f"  {path}: {_median_ms(partial(client.get, path))}, {kb:.0f} kB")
                if not CHROMIUM or not DRIVER:
                    print("  no figures of a browser: chromium or chromedriver is missing")
                    continue
                with headless_browser(Path(folder) / "profile") as browser:
                    for wide in SIZES:
                        _load(browser, url, wide)


async def _publish(settings: Settings, scenario: Scenario) -> None:
    bus = KafkaBus(settings, client_id="measure")
    await bus.start()
    try:
        await bus.ensure_topics(topics.fixed_topics())
        await publish(bus, scenario)
    finally:
        await bus.close()


@contextmanager
def _page(settings: Settings, name: str) -> Iterator[str]:
    """`arena web` until the block ends; prints how long its start takes."""
    began_s, port = time.perf_counter(), choose_ports(0).client
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "web", "--port", str(port)],
        env=environment(settings), cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("arena web:"):
                break
        took_s, used = time.perf_counter() - began_s, psutil.Process(process.pid)
        memory_mb = used.memory_info().rss / 1e6
        print(f"start {name}: {took_s:.1f} s, {memory_mb:.0f} MB")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


def _median_ms(act: Callable[[], object]) -> str:
    """The median and the slowest of several calls."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        act()
        found.append((time.perf_counter() - began) * 1000)
    return f"median {statistics.median(found):.0f} ms, slowest {max(found):.0f} ms"


def _load(browser: Browser, url: str, size: tuple[int, int]) -> None:
    """Print when the page is there, from the start of the navigation, the first load apart."""
    resize(browser, size, mobile=size[0] < 600)
    emulate(browser, dark=False)
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    loads = []
    for _ in range(LOADS):
        browser.get("about:blank")
        browser.get(url)
        end_s = time.monotonic() + DEADLINE_S
        while not (found := browser.execute_script(READ)):
            assert time.monotonic() < end_s
            time.sleep(0.02)
        loads.append(found)
    for name, times in zip(NAMES, zip(*loads, strict=True), strict=True):
        first, *others = (round(one) for one in times)
        rest = f"median {statistics.median(others):.0f}, slowest {max(others)}"
        print(f"  {size[0]} px, {name}: first load {first} ms, then {rest} ms")


if __name__ == "__main__":
    main()
