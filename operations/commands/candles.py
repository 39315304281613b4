"""`arena candles formats|check`: which price files are read, and what is in one.

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
from arena.pricefiles.formats import CONTAINERS, FORMATS
from operations.commands.price_check import read_facts

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: arena candles formats")
def formats(as_json: Json = False) -> None:
    """List the price files that are read as they are: columns, units of time, volume."""
    if as_json:
        document = {
            "formats": [one.as_json() for one in FORMATS],
            "files": [{"endings": ends.split(), "holds": held} for ends, held in CONTAINERS],
        }
        print(json.dumps(document, indent=2))
        return
    print("Candles of one minute, times in UTC. What is in a file decides, not its name.\n")
    for one in FORMATS:
        print(f"{one.name}: {one.made_by}")
        print(f"  columns  {one.columns}\n  time     {one.time}\n  volume   {one.volume}")
    print("\nFiles:")
    width = max(len(ends) for ends, _ in CONTAINERS)
    for ends, held in CONTAINERS:
        print(f"  {ends:{width}}  {held}")


@app.command(epilog="Example: arena candles check BTC-USD.csv ETH-USD.csv")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Price files.")],
    product: Annotated[
        str | None,
        typer.Option("--product", help="What the files are of. [their names say it]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read price files and print product, format, minutes, holes and digest, or what is wrong.

    Exit code 2 if a file cannot be used.
    """
    found: list[JsonValue] = []
    refused = False
    for path in files:
        try:
            (facts,) = read_facts([path], [product.upper()] if product else [])
        except UsageError as error:
            refused = True
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
    if refused:
        sys.exit(EXIT_USAGE)
