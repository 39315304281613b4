"""Runs coroutines that end together."""

import asyncio
from collections.abc import Coroutine
from typing import Any


# Any: a coroutine's send and yield types do not matter here.
async def run_until_first_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run all until the first one ends or fails; then cancel the others.

    Raises:
        Exception: The error of the first one.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
