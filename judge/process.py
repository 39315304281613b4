"""The process `arena judge`: it publishes evaluations."""

from arena.node import Node
from judge.service import Judge, JudgeOptions


async def serve(node: Node, options: JudgeOptions) -> None:
    """Publish evaluations until cancelled."""
    await Judge(node, options).serve()
