"""Writes a screen to standard output, or as an SVG picture."""

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from arena.atomic_files import write_atomic
from dashboard.terminal.screen import Screen

FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""The rules with which rich makes a picture load its font from another site."""


def print_screen(screen: Screen) -> None:
    """Print the lines, in colour if standard output is a terminal."""
    console = Console(file=sys.stdout, width=screen.width, highlight=False, soft_wrap=True)
    console.print(screen)


def save_picture(screen: Screen, path: Path, title: str) -> None:
    """Write the screen as an SVG picture that loads nothing from other sites.

    Raises:
        OSError: The file cannot be written; the error names it.
    """
    console = Console(
        record=True,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        width=screen.width,
        height=screen.height,
        highlight=False,
    )
    console.print(screen)
    # Without this attribute some viewers drop the blanks at the start of columns.
    drawn = console.export_svg(title=title).replace("<svg ", '<svg xml:space="preserve" ', 1)
    head, styles_end, rest = drawn.partition("</style>")
    picture = FONTS.sub("", head) + styles_end + rest
    write_atomic(path, picture)
