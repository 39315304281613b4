"""How fast the page is with a day of six agents: python -m tests.dashboard.web.measure_page.

Prints the server's time for the page and for parts of it, and what a browser says of loading it.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx

from tests.browser import DEADLINE_S, headless_browser
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.live_server import live_arena

SNAPSHOTS = 1_440
TIMES = 20
PARTS = "/?parts=state,bar,leaderboard"
LIVE = "return document.querySelector('#live')?.textContent === 'Live'"


def median_ms(act: Callable[[], object]) -> str:
    """The median and the slowest of several calls."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        act()
        found.append((time.perf_counter() - began) * 1000)
    return f"median {statistics.median(found):.0f} ms, slowest {max(found):.0f} ms"


def main() -> None:
    """Measure, and print."""
    scenario = Scenario().run(SNAPSHOTS)
    with live_arena(scenario) as arena, httpx.Client(base_url=arena.url) as client:
        client.get("/", timeout=DEADLINE_S)
        for path in ("/", PARTS, "/agents/momentum", "/nodes"):
            size = len(client.get(path).content)
            print(f"{path}: {median_ms(partial(client.get, path))}, {size / 1000:.0f} kB")
        with (
            tempfile.TemporaryDirectory() as profile,
            headless_browser(Path(profile)) as browser,
        ):
            found = []
            for _ in range(5):
                browser.get("about:blank")
                began = time.perf_counter()
                browser.get(arena.url)
                while not browser.execute_script(LIVE):
                    time.sleep(0.01)
                found.append((time.perf_counter() - began) * 1000)
            timing = browser.execute_script(
                "const n = performance.getEntriesByType('navigation')[0];"
                "const p = performance.getEntriesByName('first-contentful-paint')[0];"
                "return [n.responseEnd, p?.startTime ?? 0, n.loadEventEnd]"
            )
        print(f"browser until live: {', '.join(f'{one:.0f}' for one in found)} ms")
        response, paint, loaded = timing
        print(
            f"of the last: answer {response:.0f} ms, painted {paint:.0f} ms, loaded {loaded:.0f} ms"
        )


if __name__ == "__main__":
    main()
