"""The proxy of a storm, from the storm's side: where it listens, and how a link is cut."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass

from arena.errors import DependencyMissing
from arena.localbroker.ports import LOOPBACK, can_bind
from arena.supervisor.keeper import Keeper

BESIDE = "127.0.0.2"
"""As long as 127.0.0.1, so that an address can be replaced in what brokers say."""
READY_S = 15.0
ANSWER_S = 10.0
STOP_S = 5.0


def why_not() -> str:
    """Why links cannot be cut here; "" where they can."""
    return "" if can_bind(0, BESIDE) else f"{BESIDE} is not an address of this machine"


@dataclass
class Links:
    """Every process's way to the brokers.

    Attributes:
        brokers: The brokers' own addresses, comma-separated.
    """

    brokers: str
    _process: asyncio.subprocess.Process | None = None
    _keeper: Keeper | None = None

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
        self._keeper = Keeper()
        self._process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._keeper.remember(-self._process.pid)
        if await self._read(READY_S) != b"ready\n":
            raise DependencyMissing("the storm's proxy did not start", remedy="run it again")

    async def cut(self, pid: int, way: str, seconds: float) -> int:
        """Begin a cut; returns the connections it found (0 where the proxy does not answer)."""
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            return 0
        asked = {"pid": pid, "way": way, "seconds": seconds}
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        answer = await self._read(ANSWER_S)
        return int(json.loads(answer)["links"]) if answer else 0

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
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

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
