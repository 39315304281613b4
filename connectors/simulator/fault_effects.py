"""What the faults of the simulated exchange do that are the same for each venue."""

from collections.abc import Iterable
from typing import Final

from websockets.asyncio.server import ServerConnection

from connectors.simulator.faults import VenueFault

ABNORMAL: Final = 1006
"""A close code that must not be sent: the connection is cut instead."""
HTML: Final = (
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>"
)


async def disconnect(connections: Iterable[ServerConnection], fault: VenueFault) -> None:
    """End every connection with the fault's close code, or cut it without a close frame."""
    for connection in list(connections):
        if fault.kind == "drop" or fault.code == ABNORMAL:
            connection.transport.abort()
        else:
            await connection.close(fault.code, "as requested")
