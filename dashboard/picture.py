"""A screen as text on standard output, or as a picture."""

import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from arena.errors import UsageError
from arena.written import write_whole
from dashboard.screen import Screen


def print_screen(screen: Screen) -> None:
    """Print the lines; in colour where standard output is a terminal."""
    console = Console(file=sys.stdout, width=screen.width, highlight=False, soft_wrap=True)
    console.print(screen)


def save_picture(screen: Screen, path: Path, title: str) -> None:
    """Write the screen as an SVG picture.

    Raises:
        UsageError: The file cannot be written.
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
    # Without it some viewers drop the blanks that columns begin with.
    picture = console.export_svg(title=title).replace("<svg ", '<svg xml:space="preserve" ', 1)
    try:
        write_whole(path, picture)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", remedy="give --svg a path that can be written"
        ) from error
