"""The table [alerts] of an ARENA.toml, and the command of the process that it starts. Pure.

The table has no addresses, because they are secrets and the file is kept with every run: it names
variables and files.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from arena.alert_settings import (
    PLACES_MAX,
    RECEIVERS_VARIABLE,
    REMEDY,
    ReceiverPlace,
    chosen_kinds,
    parse_place,
    variables_of,
)
from arena.errors import UsageError
from arena.money import decimal_text
from operations.specs.errors import SpecFault
from operations.specs.tables import Share, SpecTable


class AlertsTable(SpecTable):
    """Alerts; the table alone starts them.

    Attributes:
        to: Places of receivers' addresses, env:VARIABLE or file:PATH relative to the ARENA.toml;
            `ARENA_ALERTS`, if it is set, by default.
        drawdown: Largest loss from the peak of an equity curve: 0.2 or "20%".
        feed_silent_s: Seconds without a price.
        per_minute: Most messages in a minute.
        only: Kinds to send; all by default.
        without: Kinds to leave out.
    """

    to: tuple[str, ...] = Field(default=(), max_length=PLACES_MAX)
    drawdown: Share = Decimal("0.2")
    feed_silent_s: float = Field(default=30.0, ge=1, le=86_400)
    per_minute: int = Field(default=10, ge=1, le=600)
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    # Any: a table of TOML as it was parsed.
    @model_validator(mode="before")
    @classmethod
    def _names_places(cls, values: Any) -> Any:
        """Refuse what is not a place before a general error could repeat it: it may be secret."""
        places = values.get("to", []) if isinstance(values, dict) else []
        if not isinstance(places, list | tuple) or not all(isinstance(p, str) for p in places):
            raise SpecFault(
                ("to",), f'write a list of places, such as ["env:{RECEIVERS_VARIABLE}"]'
            )
        for number, text in enumerate(places, 1):
            try:
                parse_place(text)
            except ValueError as error:
                raise SpecFault(("to",), f"entry {number}: {error}") from None
        return values

    @model_validator(mode="after")
    def _kinds_and_limits(self) -> Self:
        if not self.drawdown:
            raise SpecFault(("drawdown",), 'a limit is more than 0, such as "20%"')
        key = "without" if self.without else "only"
        try:
            chosen_kinds(self.only, self.without)
        except ValueError as error:
            raise SpecFault((key,), str(error)) from None
        return self

    @property
    def places(self) -> tuple[ReceiverPlace, ...]:
        """The places of receivers' addresses that the table names."""
        return tuple(map(parse_place, self.to))

    @property
    def variables(self) -> frozenset[str]:
        """The environment variables with addresses."""
        return variables_of(self.places) or frozenset({RECEIVERS_VARIABLE})


def place_flags(table: AlertsTable, directory: Path) -> list[str]:
    """The flags with the places of addresses.

    Args:
        table: The table.
        directory: The folder to which paths are relative.
    """
    words = []
    for place in table.places:
        name = str(directory / place.name) if place.kind == "file" else place.name
        words += ["--to", f"{place.kind}:{name}"]
    return words


def alerts_command(
    table: AlertsTable, directory: Path, title: str, budget_usd: Decimal | None
) -> list[str]:
    """The command of the process.

    Args:
        table: The table.
        directory: The folder to which paths are relative.
        title: Name of the arena in messages.
        budget_usd: What the models of a contest may cost; None for no limit.
    """
    words = ["alerts", *place_flags(table, directory), "--title", title]
    words += ["--drawdown", decimal_text(table.drawdown)]
    words += ["--feed-silent", f"{table.feed_silent_s:g}", "--per-minute", str(table.per_minute)]
    if budget_usd is not None:
        words += ["--llm-budget-usd", decimal_text(budget_usd)]
    for kind in table.only:
        words += ["--only", kind]
    for kind in table.without:
        words += ["--without", kind]
    return words


def require_receivers(table: AlertsTable | None, environ: Mapping[str, str]) -> None:
    """Require that the variables which the table names are set.

    Raises:
        UsageError: One is not.
    """
    for name in sorted(variables_of(table.places)) if table is not None else ():
        if not environ.get(name, "").strip():
            raise UsageError(
                f"[alerts] names {name}, and the environment variable is not set", remedy=REMEDY
            )
