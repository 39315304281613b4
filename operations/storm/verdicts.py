"""Checks the records of a storm: the checker, the audit, two replays, and the ledgers.

Each check is a process with the operator's login.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations.commands.supervised_run import LAUNCHER
from operations.storm.storm_commands import DATABASE, PREFIX

DEADLINE_S = 900.0
HASH_SEEDS = ("1", "20261121")
CHECKER = (sys.executable, "-P", "-m", "operations.storm.checker_run", "--prefix", PREFIX)
CONCURRENT_MAX = 3
ERROR_CHARS_MAX = 400


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command.

    Attributes:
        code: Its exit code; -1 if it did not end in time.
        document: The JSON it printed; empty if it printed none.
        errors: The end of its standard error.
        seconds: Its duration.
    """

    code: int
    document: dict[str, Any]  # Any: decoded JSON
    errors: str
    seconds: float

    @property
    def ledger_end(self) -> int:
        """The offset after the last event in the ledger, from the result of reconcile."""
        return int(self.document.get("offsets", {}).get("0", 0))


@dataclass
class Verdicts:
    """The results of all checks.

    Attributes:
        checker, audit: Their results. replays: Replays of the orders, with two hash seeds.
        reconciles, balances: Results by kind of ledger.
    """

    checker: CommandResult
    audit: CommandResult
    replays: list[CommandResult] = field(default_factory=list)
    reconciles: dict[str, CommandResult] = field(default_factory=dict)
    balances: dict[str, CommandResult] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """The account digests of the replays and of the audit."""
        results = [*self.replays, self.audit]
        return [str(one.document.get("account_digest", "")) for one in results]

    @property
    def digest_equal(self) -> bool:
        """True if no digest is missing and all are equal."""
        return len(set(self.digests)) == 1 and all(self.digests)


@dataclass(frozen=True, slots=True)
class OracleFiles:
    """The files of the storm: which commands were acked, and where no order may be filled."""

    acked: Path
    halted: Path


@dataclass
class RecordChecks:
    """Runs the checks.

    Attributes:
        environ: Address, prefix, home, login of the operator.
        folder: Folder for the sealed records. oracles: Files of the storm.
        ledgers: Kind of ledger -> its `DATABASE_URL`.
    """

    environ: Mapping[str, str]
    folder: Path
    oracles: OracleFiles
    ledgers: Mapping[str, str]
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT_MAX))

    async def run(self, reconciles: Mapping[str, CommandResult]) -> Verdicts:
        """Run all checks, a few at a time.

        Args:
            reconciles: Kind of ledger -> result of reconcile, when the ledger had every event.
        """
        bundle, acked, halted = self.folder / "bundle", self.oracles.acked, self.oracles.halted
        export = await self._run_arena("audit", "export", str(bundle), "--live", "--json")
        replay = ("tools-replay", "--records", str(bundle / "records"), "--json")
        checker, audit, *rest = await asyncio.gather(
            self._run_command([*CHECKER, "--oracle", str(acked), "--halts", str(halted)]),
            self._run_arena("audit", "verify", str(bundle), "--no-replay", "--json"),
            *(self._run_arena(*replay, environ={"PYTHONHASHSEED": seed}) for seed in HASH_SEEDS),
            *(
                self._run_arena("ledger", "trial-balance", "--json", environ={DATABASE: url})
                for url in self.ledgers.values()
            ),
        )
        found = Verdicts(checker, audit if export.code == 0 else export)
        found.replays = rest[: len(HASH_SEEDS)]
        found.balances = dict(zip(self.ledgers, rest[len(HASH_SEEDS) :], strict=True))
        found.reconciles = dict(reconciles)
        return found

    async def reconcile_all(self) -> dict[str, CommandResult]:
        """Run reconcile on each ledger; return the results by kind."""
        results = await asyncio.gather(*(self.reconcile(kind) for kind in self.ledgers))
        return dict(zip(self.ledgers, results, strict=True))

    async def reconcile(self, kind: str) -> CommandResult:
        """Compare the fold, a ledger and the dashboard."""
        return await self._run_arena(
            "reconcile", "run", "--json", environ={DATABASE: self.ledgers[kind]}
        )

    async def _run_arena(
        self, *words: str, environ: Mapping[str, str] | None = None
    ) -> CommandResult:
        return await self._run_command([*LAUNCHER, *words], environ)

    async def _run_command(
        self, argv: list[str], environ: Mapping[str, str] | None = None
    ) -> CommandResult:
        async with self._slots:
            return await self._run_now(argv, environ)

    async def _run_now(self, argv: list[str], environ: Mapping[str, str] | None) -> CommandResult:
        began_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *argv,
            env={**self.environ, **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        code, output, errors = -1, b"", b""
        try:
            async with asyncio.timeout(DEADLINE_S):
                output, errors = await process.communicate()
            code = process.returncode if process.returncode is not None else -1
        except TimeoutError:
            errors = f"no answer in {DEADLINE_S:.0f} s".encode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = errors.decode(errors="replace").strip()[-ERROR_CHARS_MAX:]
        return CommandResult(code, _document(output), text, round(time.monotonic() - began_s, 1))


def _document(output: bytes) -> dict[str, Any]:  # Any: decoded JSON
    try:
        found = json.loads(output)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {"rows": found}
