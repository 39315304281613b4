"""From a contest to a backtest that can be played.

Reads keys and prices from the environment and the home, as `arena compete run` does.
"""

import os
from datetime import UTC, datetime

from arena.errors import UsageError
from arena.model_prices import load_prices
from arena.runs import MEMORY
from arena.settings import Settings
from operations.backtest.compose import LEFT_OUT, OPTIONAL, members_of
from operations.backtest.run import Backtest
from operations.backtest.watch import asked_nodes
from operations.commands.compete_start import Contest
from operations.commands.supervised_run import RunSetup, planned_processes
from operations.localbroker.broker_spec import BrokerHandle
from operations.specs.arena_spec import ArenaSpec
from operations.supervisor.plan import require_keys, require_prices

START = datetime(2026, 1, 1, tzinfo=UTC)
"""Wall time of the members at the start of every backtest."""
_MEMORY_BROKER = BrokerHandle(
    bootstrap=MEMORY,
    kind=MEMORY,
    version=None,
    data_dir=None,
    pid=None,
    log_file=None,
    durable=False,
)


def setup_of(contest: Contest, settings: Settings) -> RunSetup:
    """The setup of a backtest.

    Args:
        contest: A contest in lock-step.
        settings: Its home, and the level of its log.
    """
    return RunSetup(
        command="backtest",
        spec=contest.spec,
        text=contest.text,
        folder=contest.folder,
        settings=settings.override(prefix=contest.prefix, bootstrap_servers=MEMORY),
        broker=_MEMORY_BROKER,
        broker_home=None,
        directory=contest.directory,
        files=contest.loaded.files,
    )


def prepare(
    contest: Contest, setup: RunSetup, *, books: bool = False, asks_models: bool = False
) -> Backtest:
    """The backtest of a contest, at its first snapshot; the caller closes it.

    Args:
        contest: The contest.
        setup: Its setup.
        books: Also keep the books.
        asks_models: Models on servers and local models may be asked; else they are refused.

    Raises:
        UsageError: A key is missing, a price is unknown, or a command refuses its options.
    """
    if not asks_models:
        _require_no_server(contest.spec)
    require_keys(contest.spec, os.environ)
    require_prices(contest.spec, load_prices())
    spec = contest.spec
    if books:
        ledger = spec.ledger.model_copy(update={"enabled": True})
        spec = spec.model_copy(update={"ledger": ledger})
    processes = planned_processes(
        spec,
        setup.settings,
        setup.folder,
        dashboard=None,
        terminal=False,
        launcher=(),
        run_directory=setup.directory,
        own_broker=True,
        plugins=contest.loaded.plugins,
    )
    left_out = LEFT_OUT | (OPTIONAL - _needed(spec, books=books))
    return Backtest(members_of(processes, left_out=left_out), setup.settings, start=START)


def _require_no_server(spec: ArenaSpec) -> None:
    """Require that every model answers without a server.

    Raises:
        UsageError: A chat node has a model that must be asked.
    """
    if asked := asked_nodes(spec):
        raise UsageError(
            f"this command plays the contest many times, and does not ask {', '.join(asked)}",
            remedy='run `arena backtest` once with replies = "record", then this command with '
            'replies = "replay"',
        )


def _needed(spec: ArenaSpec, *, books: bool) -> frozenset[str]:
    """The optional kinds that this run needs: the judge if it evaluates or coaches."""
    judge = {"judge"} if spec.judge is not None or spec.coach is not None else set()
    return frozenset(judge | ({"ledger"} if books else set()))
