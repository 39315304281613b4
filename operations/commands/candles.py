"""`arena candles formats|check`: the supported price files, and the content of one.

Reads files of candles. Starts nothing, and needs no broker.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from arena.command_exit import print_failure
from arena.errors import EXIT_USAGE, UsageError
from arena.options import AsJson
from arena.pricefiles.facts import PriceFacts
from arena.pricefiles.formats import CONTAINERS, FORMATS, SUFFIXES
from operations.commands.price_check import price_files_of, read_facts

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog="Example: arena candles formats")
def formats(as_json: AsJson = False) -> None:
    """List the formats of price files: columns, units of time, volume."""
    if as_json:
        document = {
            "formats": [one.as_json() for one in FORMATS],
            "files": [{"endings": ends.split(), "holds": content} for ends, content in CONTAINERS],
        }
        print(json.dumps(document, indent=2))
        return
    print("Candles of one minute, times in UTC. The content of a file decides, not its name.\n")
    for one in FORMATS:
        print(f"{one.name}: {one.made_by}")
        print(f"  columns  {one.columns}\n  time     {one.time}\n  volume   {one.volume}")
    print("\nFiles:")
    width = max(len(ends) for ends, _ in CONTAINERS)
    for ends, content in CONTAINERS:
        print(f"  {ends:{width}}  {content}")


@app.command("check", epilog="Example: arena candles check BTC-USD.csv ETH-USD.csv")
def check_files(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Price files to check, or their folder.")
    ],
    product: Annotated[
        str | None,
        typer.Option("--product", help="Product of the files. [from their names]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read price files and print product, format, minutes, gaps and digest, or the error.

    Exit code 2 if a file cannot be used.
    """
    found: list[JsonValue] = []
    any_refused = False
    for path in _with_folders_opened(files):
        try:
            facts = _facts_of(path, product)
        except UsageError as error:
            any_refused = True
            found.append({"path": str(path), "ok": False, "error": str(error)})
            if not as_json:
                print_failure(str(error))
            continue
        found.append(facts.as_json())
        if not as_json:
            print(facts.line)
            print(f"  format {facts.format}, prices with {facts.price_digits} decimals")
            print(f"  digest {facts.digest}")
    if as_json:
        print(json.dumps(found, indent=2))
    if any_refused:
        sys.exit(EXIT_USAGE)


def _facts_of(path: Path, product: str | None) -> PriceFacts:
    if path.is_dir():
        raise UsageError(
            f"{path} has no price file",
            remedy=f"give files that end with {', '.join(SUFFIXES)}, or their folder",
        )
    (facts,) = read_facts([path], [product.upper()] if product else [])
    return facts


def _with_folders_opened(paths: list[Path]) -> list[Path]:
    """Replace folders by their price files; a folder without any is kept, to be refused."""
    return [file for path in paths for file in (path.is_dir() and price_files_of(path)) or [path]]
