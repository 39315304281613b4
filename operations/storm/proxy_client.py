"""The proxy of a storm, from the storm's side: where it listens, and how a link is cut."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field

from arena.errors import DependencyMissing
from operations.localbroker.ports import LOOPBACK, can_bind
from operations.processes.orphan_reaper import OrphanReaper

BESIDE = "127.0.0.2"
"""As long as 127.0.0.1, so that an address can be replaced in what brokers say."""
READY_S = 15.0
ANSWER_S = 10.0
STOP_S = 5.0


def unavailable_reason() -> str:
    """Why links cannot be cut here; "" if they can."""
    return "" if can_bind(0, BESIDE) else f"{BESIDE} is not an address of this machine"


@dataclass(frozen=True, slots=True)
class CutResult:
    """What the proxy says of a cut.

    Attributes:
        number: Counts the cuts of a storm.
        links: How many connections it found when it began.
        effects: Connections it reset or held, answers it dropped, pieces it held back.
    """

    number: int
    links: int = 0
    effects: int = 0


@dataclass
class ProxyClient:
    """Every process's way to the brokers.

    Attributes:
        brokers: The brokers' own addresses, comma-separated.
    """

    brokers: str
    _process: asyncio.subprocess.Process | None = None
    _cuts: int = 0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reaper: OrphanReaper | None = None

    @property
    def bootstrap(self) -> str:
        """The proxy's addresses, for every process whose links are cut."""
        return ",".join(shown for shown, _ in self._routes())

    async def start(self) -> None:
        """Start the proxy; return once it listens.

        Raises:
            DependencyMissing: It does not.
        """
        routes = [f"{shown}={own}" for shown, own in self._routes()]
        argv = [sys.executable, "-P", "-m", "operations.storm.proxy", *routes]
        self._reaper = OrphanReaper()
        self._process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._reaper.add(-self._process.pid)
        if await self._read(READY_S) != b"ready\n":
            raise DependencyMissing("the storm's proxy did not start", remedy="run it again")

    async def cut(self, pid: int, way: str, seconds: float) -> CutResult:
        """Begin a cut; one of no links if the proxy does not answer."""
        self._cuts += 1
        return await self._ask(self._cuts, pid=pid, way=way, seconds=seconds)

    async def after(self, cut: CutResult) -> CutResult:
        """A cut that is over, with what it did; may be asked once."""
        return await self._ask(cut.number)

    async def _ask(self, number: int, **more: object) -> CutResult:
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            return CutResult(number)
        async with self._asking:
            process.stdin.write(json.dumps({"cut": number, **more}).encode() + b"\n")
            while answer := await self._read(ANSWER_S):
                told = json.loads(answer)
                if told["cut"] == number:  # else the answer to a question that took too long
                    return CutResult(number, told["links"], told["effects"])
        return CutResult(number)

    async def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None

    async def _read(self, timeout_s: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                return await self._process.stdout.readline()
        except TimeoutError:
            return b""

    def _routes(self) -> list[tuple[str, str]]:
        found = []
        for own in self.brokers.split(","):
            host, _, port = own.rpartition(":")
            assert host == LOOPBACK, f"a broker listens on {own}, not on {LOOPBACK}"
            found.append((f"{BESIDE}:{port}", own))
        return found
