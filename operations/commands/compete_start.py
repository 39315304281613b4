"""Loads a contest from a specification, or from a run that was stopped.

Reads the file, or `<home>/runs/<run>/`; writes the record of a contest that could not be started.
Starts nothing.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from arena.agent_health import DeadAgent
from arena.atomic_files import write_atomic
from arena.errors import DependencyMissing, UsageError
from arena.messages import PromptMode
from arena.plugin_options import NO_CHOICE, PluginChoice
from arena.pricefiles.facts import PriceFacts
from arena.pricefiles.formats import SUFFIXES
from arena.progress import Progress
from arena.risk_settings import RiskValues
from arena.runs import SPEC_FILE, RunRecord, find_run, new_run_directory, write_run
from arena.settings import BOOTSTRAP_VARIABLE, Settings
from operations.commands.compete_spec import (
    toml_with_flags,
    with_history_minutes,
    with_risk,
    with_starting_cash,
)
from operations.commands.plugins import LoadedSpec, load_spec_for_run
from operations.commands.preflight import check_context
from operations.commands.price_check import check_prices, price_files_of
from operations.commands.untradable_products import without_untradable_products
from operations.localbroker.broker_lookup import find_or_start_broker
from operations.localbroker.broker_spec import BrokerHandle
from operations.specs.arena_spec import ArenaSpec, read_spec
from operations.specs.environment_defaults import history_minutes, initial_cash, position_risk

TAG_CHARS = 6
"""Random characters in a prefix: two machines may start in the same second on the same brokers."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A contest that can be started or resumed.

    Attributes:
        spec: Its specification. text: The TOML it was read from. folder: The folder to which its
            paths are relative.
        directory: The directory of the run.
        prefix: The prefix of its topics; every run has its own topics.
        loaded: The specification with its plugins.
        prices: The facts about its price files.
        resumed: The record of the run that is resumed; None for a new run.
    """

    spec: ArenaSpec
    text: str
    folder: Path
    directory: Path
    prefix: str
    loaded: LoadedSpec
    prices: tuple[PriceFacts, ...] = ()
    resumed: RunRecord | None = None


def new_contest(
    path: Path,
    *,
    prices: Sequence[Path],
    snapshots: int | None,
    settings: Settings,
    choice: PluginChoice = NO_CHOICE,
    currency: str | None = None,
    risk: RiskValues | None = None,
    prompts: PromptMode | None = None,
    edit: Callable[[str], str] = lambda text: text,
) -> Contest:
    """Create a run of a specification.

    Args:
        path: The specification.
        prices: Candle files, or folders of them, that replace its prices.
        snapshots: A length that replaces its own.
        settings: Home, and a prefix that is put before the run's.
        choice: The plugin flags.
        currency: A currency of the accounts that replaces its own.
        risk: Limits of risk that are added to its own.
        prompts: Whether the agents' texts can be changed; None for what it says itself.
        edit: Changes the text of the specification before anything else does.

    Raises:
        UsageError: The specification or a price file cannot be used.
    """
    text = toml_with_flags(
        edit(read_spec(path)),
        prices=_price_files(prices),
        snapshots=snapshots,
        currency=currency,
        prompts=prompts,
    )
    text = with_risk(text, risk or {})
    loaded = _contest_of(text, path, path.resolve().parent, choice)
    text = with_risk(text, {}, position_risk(os.environ))
    found = check_prices(loaded.spec, path.resolve().parent)
    check_context(loaded.spec, path.resolve().parent)
    text = with_starting_cash(text, initial_cash(os.environ))
    text = with_history_minutes(text, history_minutes(os.environ))
    loaded = without_untradable_products(loaded, text, found)
    spec, text = loaded.spec, loaded.text
    directory = new_run_directory(settings.home, datetime.now().astimezone())
    tag = uuid4().hex[:TAG_CHARS]
    prefix = f"{settings.prefix}{spec.arena.prefix}{directory.name}-{tag}."
    return Contest(spec, text, path.resolve().parent, directory, prefix, loaded, found)


def resume_contest(name: str, settings: Settings, choice: PluginChoice = NO_CHOICE) -> Contest:
    """Open a run that was stopped or killed.

    Raises:
        UsageError: The contest does not exist, or it is running.
        DependencyMissing: Its records were in memory only.
    """
    directory, run = find_run(settings.home, name, command="compete")
    if run.command != "compete":
        raise UsageError(f"run {name} was `arena {run.command}`", remedy="start a new contest")
    if run.is_running():
        raise UsageError(f"run {name} is running (pid {run.pid})", remedy="wait until it ends")
    if not run.durable:
        raise DependencyMissing(
            f"run {name} kept its records in memory",
            remedy="with Java 17 the next run keeps its records",
        )
    path = directory / SPEC_FILE
    text = read_spec(path)
    folder = Path(run.folder)
    loaded = _contest_of(text, path, folder, choice)
    found = check_prices(loaded.spec, folder)
    check_context(loaded.spec, folder)
    return Contest(loaded.spec, text, folder, directory, run.prefix, loaded, found, resumed=run)


@contextmanager
def contest_broker(contest: Contest, progress: Progress) -> Iterator[BrokerHandle]:
    """Open the broker of a contest: its own, or that of `KAFKA_BOOTSTRAP_SERVERS`.

    Raises:
        DependencyMissing: It does not answer, or cannot be started.
    """
    earlier = contest.resumed
    environ: Mapping[str, str] = os.environ
    home = contest.directory
    if earlier is not None and earlier.broker_home is not None:
        home, environ = Path(earlier.broker_home), {}
    elif earlier is not None and not environ.get(BOOTSTRAP_VARIABLE, "").strip():
        environ = {BOOTSTRAP_VARIABLE: earlier.bootstrap}
    with find_or_start_broker(home, environ=environ, progress=progress) as broker:
        yield broker


def record_not_started(contest: Contest, dead: tuple[DeadAgent, ...]) -> None:
    """Record a contest that was not started, with its dead for `arena status` and the judge.

    It has no records, and can be resumed after the cause is fixed.
    """
    if contest.resumed is not None:
        write_run(contest.directory, contest.resumed.model_copy(update={"dead": dead}))
        return
    servers = os.environ.get(BOOTSTRAP_VARIABLE, "").strip()
    now = datetime.now(UTC)
    write_atomic(contest.directory / SPEC_FILE, contest.text)
    record = RunRecord(
        command="compete",
        name=contest.spec.arena.name,
        folder=str(contest.folder.resolve()),
        prefix=contest.prefix,
        bootstrap=servers,
        broker_home=None if servers else str(contest.directory.resolve()),
        simulated=not contest.spec.market.is_live,
        pid=os.getpid(),
        pid_started_at=0.0,
        started_at=now,
        ended_at=now,
        dead=dead,
    )
    write_run(contest.directory, record)


def split_arguments(arguments: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split arguments into specifications and price files: `--prices A B` makes B an argument."""
    prices = [word for word in arguments if word.name.lower().endswith(SUFFIXES)]
    return [word for word in arguments if word not in prices], prices


def _contest_of(text: str, path: Path, folder: Path, choice: PluginChoice) -> LoadedSpec:
    loaded = load_spec_for_run(text, path, folder, choice)
    if loaded.spec.competition is None:
        raise UsageError(
            f"{path} is not a contest: it has no [competition] table",
            remedy="run it with `arena up`, or write a contest with `arena compete new`",
        )
    return loaded


def _price_files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        # A link is not resolved: its name holds the product.
        files = [each.parent.resolve() / each.name for each in price_files_of(path)]
        if not files or not all(file.is_file() for file in files):
            raise UsageError(
                f"--prices {path} has no candle file",
                remedy=f"give files that end with {', '.join(SUFFIXES)}, or their folder",
            )
        found += files
    return found
