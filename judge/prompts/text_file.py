"""Reads the text of a strategy from a file, for `arena prompts set`."""

from pathlib import Path

from arena.bounded_files import read_text_file
from arena.errors import UsageError
from arena.messages.coaching import TEXT_BYTES_MAX
from arena.strategy_files import strategy_tables

SUFFIXES = (".md", ".txt", ".toml")
FILE_BYTES_MAX = 200_000


def read_strategy_text(path: Path) -> str:
    """The prompt in a file of a strategy; its other fields are ignored.

    Args:
        path: A `.md`, `.txt` or `.toml` file, as for `arena router --strategy`.

    Raises:
        UsageError: It cannot be used; the message says what to change.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path} is not a .md, .txt or .toml file", remedy="save the text as .md")
    try:
        content = read_text_file(path, FILE_BYTES_MAX)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", remedy="name a readable file of text in UTF-8"
        ) from None
    text = strategy_tables(path, content).get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{path} has no prompt", remedy="say how the agent trades")
    if (size := len(text.encode())) > TEXT_BYTES_MAX:
        raise UsageError(
            f"the prompt in {path} has {size:,} bytes",
            remedy=f"shorten it to at most {TEXT_BYTES_MAX:,}",
        )
    return text
