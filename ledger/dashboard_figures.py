"""Gets the figures that the dashboard shows, from the output of `arena dashboard --once --json`.

Only that process reads the topics; this room knows nothing of the dashboard but its JSON document.
"""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

import orjson

from arena.currency import DEFAULT_CURRENCY
from arena.errors import ArenaError, DependencyMissing
from arena.money import to_units
from arena.settings import Settings
from ledger.compare import COUNT, FigureKey, position_unit

TIMEOUT_S = 180.0
COMMAND = ("-m", "arena", "dashboard", "--once", "--json")
MONEY = {
    "cash_usd": "cash",
    "scraped_usd": "scraped",
    "fees_usd": "fees",
    "realised_usd": "realised",
    "slippage_usd": "slippage",
}
POSITION = "position"
CURRENCIES = "currencies"
"""The accounts of an agent that has several: each with its `currency` and the values of `MONEY`."""

COUNTS = {"trades": "fills", "rejections": "rejections"}


@dataclass(frozen=True, slots=True)
class DashboardFigures:
    """The dashboard's figures.

    Attributes:
        digest: The digest of all its accounts, which shows how far it has read the log.
        figures: The figures of each agent.
        holders: Agents whose positions are listed; a position that is not listed is zero.
    """

    digest: str
    figures: dict[FigureKey, int] = field(default_factory=dict)
    holders: frozenset[str] = frozenset()

    def with_missing_positions(self, fold: dict[FigureKey, int]) -> dict[FigureKey, int]:
        """Return the figures; positions of `holders` that only the fold has are added as zero."""
        missing = {key: 0 for key in fold if key.what == POSITION and key.owner in self.holders}
        return missing | self.figures


async def ask_dashboard(settings: Settings, run: Path | None = None) -> DashboardFigures:
    """Start the dashboard, let it read to the end of the topics, and return its figures.

    Args:
        settings: Broker, prefix and home of the arena.
        run: The directory of a run to read from its exported records instead of its broker.

    Raises:
        DependencyMissing: It did not answer in time.
        ArenaError: It failed, or its document cannot be read.
    """
    broker = {} if run is not None else {"KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers}
    environment = (
        os.environ
        | broker
        | {
            "ARENA_PREFIX": settings.prefix,
            "ARENA_HOME": str(settings.home),
        }
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        *(() if run is None else ("--run", str(run))),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, errors = await process.communicate()
    except TimeoutError:
        raise DependencyMissing(f"the dashboard did not answer in {TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = errors.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no output"]
        raise ArenaError(f"the dashboard ended with {process.returncode}: {words[0][:300]}")
    return read_document(out)


def read_document(text: bytes) -> DashboardFigures:
    """Return the figures in the JSON document of the dashboard; unknown keys are ignored.

    Raises:
        ArenaError: It is not such a document.
    """
    figures: dict[FigureKey, int] = {}
    holders = set()
    try:
        document = orjson.loads(text)
        main = str(document.get("currency", DEFAULT_CURRENCY))
        for row in (*document["agents"], *document.get("other_accounts", ())):
            agent = row["agent"]
            own = {"currency": main} | {what: row.get(name) for name, what in MONEY.items()}
            for account in (own, *row.get(CURRENCIES, ())):
                for what in MONEY.values():
                    if account.get(what) is not None:
                        key = FigureKey(agent, what, str(account["currency"]))
                        figures[key] = to_units(Decimal(account[what]))
            for name, what in COUNTS.items():
                if row.get("cash_usd") is not None:
                    figures[FigureKey(agent, what, COUNT)] = int(row[name])
            if row.get("positions") is not None:
                holders.add(agent)
            for product_id, quantity in (row.get("positions") or {}).items():
                key = FigureKey(agent, POSITION, position_unit(product_id, main))
                figures[key] = figures.get(key, 0) + to_units(Decimal(quantity))
        return DashboardFigures(document["digest"], figures, frozenset(holders))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise ArenaError(f"the dashboard's document cannot be read: {error!r}") from error
