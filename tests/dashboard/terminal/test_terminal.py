"""The dashboard in a real terminal: tmux, at two sizes, with keys, from a real broker."""

import asyncio
import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from tests.dashboard.publishing import ROOT, command, environment, publish
from tests.dashboard.scenario import Scenario

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

DEADLINE_S = 30.0
SIZES = [(80, 24), (200, 60)]


class TmuxPane:
    """A terminal of a given size that runs a shell command, on a separate tmux server."""

    def __init__(self, settings: Settings, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._settings = settings
        self._server = f"arena-{uuid.uuid4().hex[:8]}"

    def tmux(self, *arguments: str) -> str:
        """Run a tmux command and return its output."""
        done = subprocess.run(
            ["tmux", "-u", "-L", self._server, "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=environment(self._settings),
            timeout=DEADLINE_S,
        )
        return done.stdout

    def start(self, *arguments: str) -> None:
        """Run the dashboard, then print its exit code and the terminal's modes."""
        line = f"trap : INT; {shlex.join(command(*arguments))}; echo code=$?; stty -a; exec cat"
        size = ["-x", str(self.width), "-y", str(self.height)]
        self.tmux(
            "new-session", "-d", "-s", "arena", *size, "-c", str(ROOT), f"sh -c {shlex.quote(line)}"
        )

    def lines(self) -> list[str]:
        """The lines of the terminal."""
        return self.tmux("capture-pane", "-p", "-t", "arena").split("\n")[: self.height]

    def keys(self, *names: str) -> None:
        """Press keys."""
        self.tmux("send-keys", "-t", "arena", *names)

    def modes(self) -> str:
        """Flags of the visible cursor and of the full screen."""
        return self.tmux("display", "-p", "-t", "arena", "#{cursor_flag} #{alternate_on}").strip()

    async def until(self, seen: Callable[[str], object], what: str) -> list[str]:
        """Wait until a condition on the screen's text holds, else fail with the screen."""
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while True:
            lines = self.lines()
            if seen("\n".join(lines)):
                return lines
            if asyncio.get_running_loop().time() > deadline:
                pytest.fail(f"no {what} within {DEADLINE_S:.0f} s:\n" + "\n".join(lines))
            await asyncio.sleep(0.05)

    async def until_words(self, words: str) -> list[str]:
        """Wait until the screen shows a text."""
        return await self.until(lambda shown: words in shown, words)

    async def until_filled(self, words: str) -> list[str]:
        """Wait until a text and a whole screen are shown: tmux may show half of one."""

        def is_whole(shown: str) -> bool:
            lines = shown.split("\n")
            return words in shown and {self.width} == {len(line) for line in lines[1:]}

        return await self.until(is_whole, f"{words} in a frame of {self.width} columns")

    def close(self) -> None:
        """End the server and its processes."""
        self.tmux("kill-server")


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def pane(
    request: pytest.FixtureRequest, bus: KafkaBus, settings: Settings
) -> AsyncIterator[TmuxPane]:
    """A terminal of each size."""
    found = TmuxPane(settings, *request.param)
    yield found
    found.close()


@pytest.fixture
async def scenario(bus: KafkaBus) -> Scenario:
    """Publish twenty snapshots."""
    found = Scenario(start=datetime.now(UTC) - timedelta(days=1, seconds=20)).run(20)
    await publish(bus, found)
    return found


async def test_session_from_first_screen_to_the_prompt_and_out(
    pane: TmuxPane, bus: KafkaBus, scenario: Scenario
) -> None:
    """Panes fill the terminal, new snapshots appear, keys lead to the exact prompt and back."""
    pane.start("--title", "test arena")
    lines = await pane.until_filled("snapshot 20 ")
    assert lines[0].startswith(" test arena")
    for words in ("ranking", "equity", "positions", "trades (seen", "thinking", "q quit"):
        assert words in "\n".join(lines)
    assert pane.height == len(lines)
    assert all(line.startswith(("│", "├", "┌", "└")) for line in lines[1:])
    assert {pane.width} == {len(line) for line in lines[1:]}
    assert "0 1" == pane.modes()

    published = len(scenario.records)
    scenario.step()
    await publish(bus, scenario, published)
    await pane.until_words("snapshot 21 ")

    pane.keys("Down", "Enter")
    await pane.until_words("p prompt")
    pane.keys("p")
    await pane.until_words("exact prompt")
    await pane.until_words("BTC-USD 1m close 67000.10 volume 0.00")
    pane.keys("Escape")
    await pane.until_words("p prompt")
    pane.keys("Escape")
    await pane.until_words("thinking")
    pane.keys("?")
    await pane.until_words("help and health")
    pane.keys("q")
    await _assert_restored(pane, "code=0")


async def test_tab_moves_the_focus_and_arrows_scroll(pane: TmuxPane, scenario: Scenario) -> None:
    """The focused pane is marked, and its arrows scroll it."""
    pane.start()
    await pane.until_words("▸ranking")
    pane.keys("Tab", "Tab", "Tab")
    before = await pane.until_words("▸trades")
    pane.keys("Down")
    await pane.until(lambda shown: shown.split("\n")[1:] != before[1:], "scrolled trades")
    pane.keys("BTab")
    await pane.until_words("▸positions")
    pane.keys("q")
    await _assert_restored(pane, "code=0")


async def test_control_c_restores_the_terminal(pane: TmuxPane, scenario: Scenario) -> None:
    """An interrupt exits with 130 and restores the cursor and the modes."""
    pane.start()
    await pane.until_words("▸ranking")
    pane.keys("C-c")
    await _assert_restored(pane, "code=130")


async def test_resized_terminal_is_redrawn(pane: TmuxPane, scenario: Scenario) -> None:
    """The panes follow the size; a small terminal has the compact screen."""
    pane.start()
    await pane.until_words("▸ranking")
    pane.tmux("resize-window", "-t", "arena", "-x", "70", "-y", "20")
    await pane.until_words("─▸ranking")
    pane.tmux("resize-window", "-t", "arena", "-x", "100", "-y", "30")
    pane.width, pane.height = 100, 30
    lines = await pane.until_filled("▸ranking")
    assert [100] * 29 == [len(line) for line in lines[1:]]
    pane.keys("q")
    await _assert_restored(pane, "code=0")


async def _assert_restored(pane: TmuxPane, code: str) -> None:
    lines = await pane.until(lambda shown: code in shown and "icanon" in shown, code)
    shown = "\n".join(lines)

    assert "thinking" not in shown
    assert "1 0" == pane.modes()
    for mode in ("icanon", "echo", "isig", "ixon"):
        assert re.search(rf"(^|\s){mode}(\s|$)", shown, re.MULTILINE), f"{mode} is off"
    assert "susp = ^Z" in shown
