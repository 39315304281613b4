"""The client of the storm's proxy: starts it, and cuts links through it."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field

from arena.errors import DependencyMissing
from operations.localbroker.ports import LOOPBACK, can_bind
from operations.processes.orphan_reaper import OrphanReaper

PROXY_HOST = "127.0.0.2"
"""As long as 127.0.0.1, so that the proxy can replace addresses in responses of brokers."""
READY_S = 15.0
ANSWER_S = 10.0
STOP_S = 5.0


def unavailable_reason() -> str:
    """Return why links cannot be cut on this machine; "" if they can."""
    return "" if can_bind(0, PROXY_HOST) else f"{PROXY_HOST} is not an address of this machine"


@dataclass(frozen=True, slots=True)
class CutResult:
    """The proxy's answer about a cut.

    Attributes:
        number: Number of the cut in this storm.
        links: Connections that existed when it started.
        effects: Connections reset or held, responses dropped, chunks delayed.
    """

    number: int
    links: int = 0
    effects: int = 0


@dataclass
class ProxyClient:
    """The proxy between all processes and the brokers.

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
        """The proxy's addresses, for the processes whose links can be cut."""
        return ",".join(proxy_address for proxy_address, _ in self._routes())

    async def start(self) -> None:
        """Start the proxy; return once it listens.

        Raises:
            DependencyMissing: It does not listen in time.
        """
        routes = [
            f"{proxy_address}={broker_address}" for proxy_address, broker_address in self._routes()
        ]
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

    async def cut(self, pid: int, mode: str, seconds: float) -> CutResult:
        """Start a cut; the result has no links if the proxy does not answer."""
        self._cuts += 1
        return await self._ask(self._cuts, pid=pid, mode=mode, seconds=seconds)

    async def finish(self, cut: CutResult) -> CutResult:
        """Return the effects of a cut that is over; may be called once per cut."""
        return await self._ask(cut.number)

    async def _ask(self, number: int, **more: object) -> CutResult:
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            return CutResult(number)
        async with self._asking:
            process.stdin.write(json.dumps({"cut": number, **more}).encode() + b"\n")
            while answer := await self._read(ANSWER_S):
                answer = json.loads(answer)
                if answer["cut"] == number:  # otherwise the late answer to an earlier command
                    return CutResult(number, answer["links"], answer["effects"])
        return CutResult(number)

    async def stop(self) -> None:
        """Stop the proxy."""
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
        for broker_address in self.brokers.split(","):
            host, _, port = broker_address.rpartition(":")
            assert host == LOOPBACK, f"a broker listens on {broker_address}, not on {LOOPBACK}"
            found.append((f"{PROXY_HOST}:{port}", broker_address))
        return found
