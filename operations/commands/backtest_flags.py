"""The flags of `arena backtest` that stand for keys of a specification."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import write_atomic
from arena.errors import UsageError
from arena.money import parse_decimal
from arena.settings import Settings
from operations.specs.backtest_shortcuts import BUILT_IN

BUILT_IN_FILE = "backtest.toml"


def _decimal(text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Pairs = Annotated[
    list[str] | None,
    typer.Option("--pair", metavar="PRODUCTS", help="Products, in place of SPEC's."),
]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", help="First time of the prices, such as 2026-01-31."),
]
End = Annotated[str | None, typer.Option("--end", metavar="TIME", help="Last time of the prices.")]
InitialCash = Annotated[
    Decimal | None,
    typer.Option("--initial-cash", parser=_decimal, metavar="AMOUNT", help="Opening cash."),
]
FeeRate = Annotated[
    Decimal | None,
    typer.Option(
        "--fee-rate", parser=_decimal, metavar="SHARE", help="Taker fee: 0.001 is 10 basis points."
    ),
]
CallsPerDay = Annotated[
    int | None,
    typer.Option(
        "--llm-calls-per-day", min=1, help="Most model calls of an agent per day of market time."
    ),
]
MaxDecisions = Annotated[
    int | None, typer.Option("--max-decisions", min=1, help="Most decisions of an agent in all.")
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", min=1, max=256, help="Processes: a contest uses one, a sweep all."),
]


def jobs_text(jobs: int) -> str:
    """What to use instead, if a contest was given several processes."""
    return (
        f"A contest is one market, played in one process: --jobs {jobs} does not make it faster. "
        f"Independent episodes are points of `arena backtest sweep SPEC --set market.seed=1,2,3`."
    )


def specification(files: list[Path], *, pairs: bool) -> Path:
    """The specification that was given, or the one for cached candles of `--pair`.

    Raises:
        UsageError: Several are given, or neither one nor a product.
    """
    if len(files) > 1 or (not files and not pairs):
        raise UsageError(
            "give one specification, or products with --pair",
            remedy="`arena compete new` writes a specification",
        )
    if files:
        return files[0]
    path = Settings().home / BUILT_IN_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, BUILT_IN)
    return path
