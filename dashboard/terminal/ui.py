"""The user's position: screen, pane and agent, and the effect of keys. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

ScreenName = Literal["main", "agent", "prompt", "coaching", "market", "help"]
PANES = ("ranking", "equity", "positions", "trades", "thinking")
SCROLLING = ("positions", "trades", "thinking")


@dataclass(frozen=True, slots=True)
class Ui:
    """The current screen and selection.

    Attributes:
        screen: The current screen.
        below: The screen that help returns to.
        pane: The focused pane of the main screen.
        agent: The selected agent, "" for the first in the ranking.
        turn_id: The selected turn, "" for the newest.
        scroll: Lines by which the focused pane, the transcript, the prompt or the help is scrolled.
    """

    screen: ScreenName = "main"
    below: ScreenName = "main"
    pane: str = PANES[0]
    agent: str = ""
    turn_id: str = ""
    scroll: int = 0


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits of the keys on the screen that was drawn last.

    Attributes:
        agents: Names of the agents in rank order.
        turns: Ids of the shown agent's turns, newest first.
        scroll_max: Most lines that can be scrolled.
        page: Lines that Page Down scrolls.
    """

    agents: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    scroll_max: int = 0
    page: int = 10


def press(ui: Ui, key: str, limits: KeyLimits) -> Ui | None:
    """The position after a key; None to quit.

    Args:
        ui: The position before the key.
        key: A key name of `dashboard.terminal.keys`.
        limits: Limits of the screen that is shown.
    """
    if key == "q":
        return None
    if key == "?":
        if ui.screen == "help":
            return replace(ui, screen=ui.below, scroll=0)
        return replace(ui, screen="help", below=ui.screen, scroll=0)
    if key == "esc":
        back: dict[ScreenName, ScreenName] = {
            "agent": "main",
            "prompt": "agent",
            "coaching": "agent",
            "help": ui.below,
        }
        return replace(ui, screen=back.get(ui.screen, "main"), scroll=0)
    if key in ("pageup", "pagedown", "home", "end"):
        return _scrolled(ui, key, limits)
    if ui.screen == "main":
        return _on_main(ui, key, limits)
    if ui.screen == "agent":
        return _on_agent(ui, key, limits)
    return _scrolled(ui, key, limits)


def _scrolled(ui: Ui, key: str, limits: KeyLimits) -> Ui:
    steps = {
        "up": -1,
        "down": 1,
        "pageup": -limits.page,
        "pagedown": limits.page,
        "home": -ui.scroll,
        "end": limits.scroll_max,
    }
    scroll = min(limits.scroll_max, max(0, ui.scroll + steps.get(key, 0)))
    return replace(ui, scroll=scroll)


def _on_main(ui: Ui, key: str, limits: KeyLimits) -> Ui:
    if key in ("tab", "backtab"):
        index = PANES.index(ui.pane) + (1 if key == "tab" else -1)
        return replace(ui, pane=PANES[index % len(PANES)], scroll=0)
    if key in ("up", "down"):
        if ui.pane in SCROLLING:
            return _scrolled(ui, key, limits)
        return replace(ui, agent=_neighbour(limits.agents, ui.agent, key == "down"))
    if key == "m":
        return replace(ui, screen="market", scroll=0)
    if key == "enter" and limits.agents:
        agent = ui.agent if ui.agent in limits.agents else limits.agents[0]
        return replace(ui, screen="agent", agent=agent, turn_id="", scroll=0)
    return ui


def _on_agent(ui: Ui, key: str, limits: KeyLimits) -> Ui:
    if key in ("up", "down"):
        turn = _neighbour(limits.turns, ui.turn_id, key == "down")
        newest = limits.turns[0] if limits.turns else ""
        return replace(ui, turn_id="" if turn == newest else turn, scroll=0)
    if key in ("left", "right"):
        agent = _neighbour(limits.agents, ui.agent, key == "right")
        return replace(ui, agent=agent, turn_id="", scroll=0)
    if key == "c":
        return replace(ui, screen="coaching", scroll=0)
    if key == "p" and limits.turns:
        # The prompt of one turn must not change under the reader when the next turn ends.
        return replace(ui, screen="prompt", turn_id=ui.turn_id or limits.turns[0], scroll=0)
    return ui


def _neighbour(names: tuple[str, ...], name: str, forward: bool) -> str:
    if not names:
        return name
    index = names.index(name) if name in names else 0
    return names[min(len(names) - 1, max(0, index + (1 if forward else -1)))]
