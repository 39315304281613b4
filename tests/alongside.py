"""A service that runs in this process during a test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def alongside(service: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a service until the block ends; if it fails before, its error is raised here."""
    body = asyncio.current_task()
    assert body is not None
    task = asyncio.create_task(service)
    task.add_done_callback(lambda ended: None if ended.cancelled() else body.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if not task.done():
            raise
        body.uncancel()
        task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
