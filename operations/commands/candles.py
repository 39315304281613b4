"""`arena candles formats|check|list|import`: price files, and the cache of candles.

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
from arena.settings import Settings
from operations.commands import candles_cache
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
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Price files, or their folder. [the cache]"),
    ] = None,
    product: Annotated[
        str | None,
        typer.Option("--product", help="Product of the files. [from their names]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read price files and print product, format, minutes, gaps and digest, or the error.

    Without files it checks the cache: digests, rows and gaps of every day. Exit code 2 if a file
    cannot be used, 1 if one of the cache is not as it was written.
    """
    if not files:
        sys.exit(candles_cache.check_cache(Settings().cache_home, as_json=as_json))
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


@app.command("list", epilog="Example: arena candles list --json")
def list_(as_json: AsJson = False) -> None:
    """List the series in the cache: venue, product, length, days, candles, gaps, size."""
    candles_cache.print_list(Settings().cache_home, as_json=as_json)


@app.command("import", epilog="Example: arena candles import --venue kraken XBTUSD_1.csv")
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Price files to add, or their folder.")
    ],
    venue: Annotated[
        str | None, typer.Option("--venue", help="Venue of the candles. [from names and formats]")
    ] = None,
    product: Annotated[
        str | None, typer.Option("--product", help="Product of the files. [from their names]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add candles of price files to the cache: all of them, or none.

    A candle that the cache has already is added once; one that differs from it is an error.
    """
    paths = _with_folders_opened(files)
    candles_cache.import_files(
        Settings().cache_home, paths, venue=venue, product=product, as_json=as_json
    )


def _facts_of(path: Path, product: str | None) -> PriceFacts:
    if path.is_dir():
        raise UsageError(
            f"{path} has no price file",
            remedy=f"give files that end with {', '.join(SUFFIXES)}, or their folder",
        )
    with candles_cache.name_product_flag():
        (facts,) = read_facts([path], [product.upper()] if product else [])
    return facts


def _with_folders_opened(paths: list[Path]) -> list[Path]:
    """Replace folders by their price files; a folder without any is kept, to be refused."""
    return [file for path in paths for file in (path.is_dir() and price_files_of(path)) or [path]]
