"""The composition root: commands of one and two words, and the modules that they load."""

import subprocess
import sys

import pytest

from arena.settings import Settings
from operations.main import COMMANDS, GROUPS
from tests.operations.commands.cli import ROOT, arena

GROUPED = sorted(name for name in COMMANDS if " " in name)


def test_help_lists_every_command_once(settings: Settings) -> None:
    """`arena --help` shows a group as one line, at the place of its first command."""
    done = arena(settings, "--help")

    listed = [line.split()[0] for line in _commands(done.stdout)]
    assert listed == list(dict.fromkeys(name.partition(" ")[0] for name in COMMANDS))
    assert all(GROUPS[name] in done.stdout for name in GROUPS)


def test_group_lists_its_commands(settings: Settings) -> None:
    """`arena compete --help` shows all of them with their help."""
    done = arena(settings, "compete", "--help")

    listed = [line.split()[0] for line in _commands(done.stdout)]
    assert listed == [n.split()[1] for n in COMMANDS if n.startswith("compete ")]


@pytest.mark.parametrize("name", GROUPED)
def test_two_word_command_has_help(settings: Settings, name: str) -> None:
    """The help has its full name, and ends with an example."""
    done = arena(settings, *name.split(), "--help")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: arena {name} ")
    assert f"Example: arena {name} " in done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("words", [("compete", "nothing"), ("nothing",), ("nothing", "new")])
def test_unknown_command_is_wrong_usage(settings: Settings, words: tuple[str, ...]) -> None:
    """Exit code 2, and the unknown word."""
    done = arena(settings, *words)

    assert done.returncode == 2
    assert "'nothing'" in done.stderr


def test_help_loads_no_room() -> None:
    """Neither list imports the modules of its commands."""
    script = (
        "import sys, contextlib\n"
        "from arena.__main__ import main\n"
        "sys.argv = ['arena', 'compete', '--help']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "rooms = ('judge', 'routers', 'chat_nodes', 'connectors', 'numpy', 'aiokafka')\n"
        "print([room for room in rooms if room in sys.modules])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


def _commands(text: str) -> list[str]:
    """The lines of a help below "Commands:", up to the next blank line."""
    listed = text.partition("Commands:\n")[2].partition("\n\n")[0]
    return [line for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]
