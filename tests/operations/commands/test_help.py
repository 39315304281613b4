"""The help of every command: one style for defaults and variables, and text for every option."""

import re
from typing import Any

import pytest
import typer

from operations.help_style import apply_help_style, styled_help
from operations.main import COMMANDS, _add, _new_app

STYLED = [
    ("Kafka. [KAFKA_BOOTSTRAP_SERVERS, else the newest run's]",
     "Kafka.  [env var: KAFKA_BOOTSTRAP_SERVERS; default: the newest run's]"),
    ("How much to log. [ARENA_LOG_LEVEL]", "How much to log.  [env var: ARENA_LOG_LEVEL]"),
    ("Addresses. [env: KAFKA_BOOTSTRAP_SERVERS]", "Addresses.  [env var: KAFKA_BOOTSTRAP_SERVERS]"),
    ("Who plays. [all six]", "Who plays.  [default: all six]"),
    ("Prefix. [its own, else ARENA_PREFIX]", "Prefix.  [default: its own, else ARENA_PREFIX]"),
    ("Seconds.  [default: 90]", "Seconds.  [default: 90]"),
    ("USD: input=0.1[,cached=0.05]", "USD: input=0.1[,cached=0.05]"),
    ("Plain.", "Plain."),
]  # fmt: skip
ENVIRONMENT = re.compile(r"(?<!env var: )(?<!, )\b(?:ARENA|KAFKA)_[A-Z_]+")


@pytest.mark.parametrize(("written", "shown"), STYLED)
def test_brackets_are_shown_in_one_style(written: str, shown: str) -> None:
    """Variables first, then the default, as in typer's own texts; other text is unchanged."""
    assert shown == styled_help(written)
    assert shown == styled_help(shown)


def commands() -> list[tuple[str, Any]]:  # Any: a command as typer makes it
    """Every command, with its words."""
    found: list[tuple[str, Any]] = []

    def walk(words: str, command: Any) -> None:
        if below := getattr(command, "commands", None):
            for name, one in below.items():
                walk(f"{words} {name}".strip(), one)
        found.append((words, command))

    for name, entry in COMMANDS.items():
        app = _new_app()
        _add(app, name, *entry, load=True)
        command = typer.main.get_command(app)
        apply_help_style(command)
        walk(name.rpartition(" ")[0], command)
    return found


def test_every_option_has_plain_help() -> None:
    """Help names the option first; defaults and variables are shown."""
    for words, command in commands():
        for param in command.params:
            text = getattr(param, "help", None)
            if param.param_type_name != "option" or "--help" in param.opts:
                continue
            place = f"arena {words} {param.opts[0]}: {text}"
            assert text, place
            assert not re.match(r"Of |Likewise", text), place
            assert not ENVIRONMENT.search(re.sub(r"default: .*", "", text)), place
            known = isinstance(param.default, int | float | str) and param.default is not False
            if known and param.default not in ("", True):
                assert param.show_default or "default: " in text, place
