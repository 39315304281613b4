"""What a contest is held from: a specification, or a run that was cut off.

Reads the file, or `<home>/runs/<run>/`; writes the record of one that could not be started. Nothing
is started here.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from arena.agent_health import Dead
from arena.atomic_files import write_whole
from arena.errors import DependencyMissing, UsageError
from arena.plugin_options import NO_CHOICE, Choice
from arena.pricefiles.facts import PriceFacts
from arena.pricefiles.formats import SUFFIXES
from arena.progress import Progress
from arena.runs import SPEC_FILE, RunRecord, find_run, new_run_directory, write_run
from arena.settings import BOOTSTRAP_VARIABLE, Settings
from operations.commands.compete_spec import toml_with_flags, with_starting_cash
from operations.commands.plugins import LoadedSpec, load_spec_for_run
from operations.commands.price_check import check_prices
from operations.commands.untradable_products import without_untradable_products
from operations.localbroker.launch import BrokerHandle
from operations.localbroker.resolve import resolve_broker
from operations.specs.arena_spec import ArenaSpec, read_spec
from operations.specs.environment_defaults import initial_cash

TAG_CHARS = 6
"""Of chance in a prefix: two machines may begin at the same second on the same brokers."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A contest that can be begun, or gone on with.

    Attributes:
        spec: Its specification. text: the TOML it was read from. folder: its paths' base.
        directory: Of the run.
        prefix: Before its topics: every run has topics of its own.
        before: How the run fared, where it is gone on with.
        loaded: The specification with what is loaded from outside the source tree.
        prices: What is in its price files.
    """

    spec: ArenaSpec
    text: str
    folder: Path
    directory: Path
    prefix: str
    loaded: LoadedSpec
    prices: tuple[PriceFacts, ...] = ()
    before: RunRecord | None = None


def new_contest(
    path: Path,
    *,
    prices: Sequence[Path],
    snapshots: int | None,
    settings: Settings,
    choice: Choice = NO_CHOICE,
    currency: str | None = None,
) -> Contest:
    """A new run of a specification.

    Args:
        path: The specification.
        prices: Candle files, or folders of them, instead of its own prices.
        snapshots: Instead of its own length.
        settings: Home, and a prefix before the run's own.
        choice: What the flags say of plugins.
        currency: What accounts hold, instead of its own.

    Raises:
        UsageError: The specification or a price file cannot be used.
    """
    text = toml_with_flags(
        read_spec(path), prices=_price_files(prices), snapshots=snapshots, currency=currency
    )
    loaded = _contest_of(text, path, path.resolve().parent, choice)
    found = check_prices(loaded.spec, path.resolve().parent)
    text = with_starting_cash(text, initial_cash(os.environ))
    loaded = without_untradable_products(loaded, text, found)
    spec, text = loaded.spec, loaded.text
    directory = new_run_directory(settings.home, datetime.now().astimezone())
    tag = uuid4().hex[:TAG_CHARS]
    prefix = f"{settings.prefix}{spec.arena.prefix}{directory.name}-{tag}."
    return Contest(spec, text, path.resolve().parent, directory, prefix, loaded, found)


def resume_contest(name: str, settings: Settings, choice: Choice = NO_CHOICE) -> Contest:
    """A run that was stopped or killed.

    Raises:
        UsageError: There is no such contest, or it is being held right now.
        DependencyMissing: Its records were in memory only.
    """
    directory, run = find_run(settings.home, name, command="compete")
    if run.command != "compete":
        raise UsageError(f"run {name} was `arena {run.command}`", remedy="begin a contest anew")
    if run.is_running():
        raise UsageError(f"run {name} is being held by pid {run.pid}", remedy="wait for it")
    if not run.durable:
        raise DependencyMissing(
            f"run {name} kept its records in memory", remedy="with Java 17 the next run keeps them"
        )
    path = directory / SPEC_FILE
    text = read_spec(path)
    folder = Path(run.folder)
    loaded = _contest_of(text, path, folder, choice)
    found = check_prices(loaded.spec, folder)
    return Contest(loaded.spec, text, folder, directory, run.prefix, loaded, found, before=run)


@contextmanager
def contest_broker(contest: Contest, progress: Progress) -> Iterator[BrokerHandle]:
    """The broker of a contest: one of its own, or that of `KAFKA_BOOTSTRAP_SERVERS`.

    Raises:
        DependencyMissing: It does not answer, or cannot be started.
    """
    before = contest.before
    environ: Mapping[str, str] = os.environ
    home = contest.directory
    if before is not None and before.broker_home is not None:
        home, environ = Path(before.broker_home), {}
    elif before is not None and not environ.get(BOOTSTRAP_VARIABLE, "").strip():
        environ = {BOOTSTRAP_VARIABLE: before.bootstrap}
    with resolve_broker(home, environ=environ, progress=progress) as broker:
        yield broker


def record_not_started(contest: Contest, dead: tuple[Dead, ...]) -> None:
    """Keep a contest that was not started for its dead: `arena status` and the judge list them.

    It holds no record, and can be resumed once the cause is repaired.
    """
    if contest.before is not None:
        write_run(contest.directory, contest.before.model_copy(update={"dead": dead}))
        return
    given = os.environ.get(BOOTSTRAP_VARIABLE, "").strip()
    now = datetime.now(UTC)
    write_whole(contest.directory / SPEC_FILE, contest.text)
    record = RunRecord(
        command="compete",
        name=contest.spec.arena.name,
        folder=str(contest.folder.resolve()),
        prefix=contest.prefix,
        bootstrap=given,
        broker_home=None if given else str(contest.directory.resolve()),
        simulated=contest.spec.market.source != "coinbase",
        pid=os.getpid(),
        pid_started_at=0.0,
        started_at=now,
        ended_at=now,
        dead=dead,
    )
    write_run(contest.directory, record)


def split_arguments(words: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The specifications and the price files among arguments: `--prices A B` leaves B there."""
    prices = [word for word in words if word.name.lower().endswith(SUFFIXES)]
    return [word for word in words if word not in prices], prices


def _contest_of(text: str, path: Path, folder: Path, choice: Choice) -> LoadedSpec:
    loaded = load_spec_for_run(text, path, folder, choice)
    if loaded.spec.competition is None:
        raise UsageError(
            f"{path} holds no contest: it has no [competition]",
            remedy="`arena up` runs it as it is; `arena compete new` writes one",
        )
    return loaded


def _price_files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        # A link keeps its name: the product is in it.
        files = [
            each.parent.resolve() / each.name
            for each in inside
            if each.name.lower().endswith(SUFFIXES) and not each.name.startswith(".")
        ]
        if not files or not all(file.is_file() for file in files):
            raise UsageError(
                f"--prices {path}: no candle file there",
                remedy=f"name files that end with {', '.join(SUFFIXES)}, or their folder",
            )
        found += files
    return found
