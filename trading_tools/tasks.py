"""Coroutines that live and die together."""

import asyncio
from collections.abc import Coroutine
from typing import Any


# Any: what a coroutine accepts and yields is of no interest here.
async def run_until_first_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run all until the first ends or fails; then the others are cancelled.

    Raises:
        Exception: What the first one raised.
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
