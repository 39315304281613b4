"""The arguments and flags that the commands of contests and backtests share."""

from pathlib import Path
from typing import Annotated

import typer

from arena.messages import PromptMode

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="TOML file of the contest.")]
SpecFiles = Annotated[
    list[Path] | None, typer.Argument(metavar="[SPEC]", help="TOML file of the contest.")
]
PricesFlag = Annotated[
    list[Path] | None,
    typer.Option("--prices", help="Candle files or their folder, in place of SPEC's prices."),
]
SnapshotsFlag = Annotated[
    int | None, typer.Option("--snapshots", help="Number of decisions per agent.", min=1)
]
CurrencyFlag = Annotated[
    str | None,
    typer.Option("--currency", help="Currency of the accounts and of the products' prices."),
]
PromptsFlag = Annotated[
    PromptMode | None,
    typer.Option("--prompts", help="coached: texts may be changed, feedback sent. [frozen]"),
]
SetFlag = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Set a key of SPEC; repeatable."),
]
DryRunFlag = Annotated[
    bool, typer.Option("--dry-run", help="Only estimate calls, tokens and cost; ask no model.")
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Also write the result to FILE as JSON.", metavar="FILE"),
]
