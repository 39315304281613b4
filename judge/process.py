"""The process `arena judge`: it publishes evaluations, and judges turns with a language model."""

from arena.node import Node
from arena.tasks import run_until_first_ends
from judge.evaluations.llm.service import TurnJudge
from judge.service import Judge, JudgeOptions


async def serve(node: Node, options: JudgeOptions) -> None:
    """Publish evaluations until cancelled."""
    work = [Judge(node, options).serve()]
    if options.turns is not None:
        work.append(TurnJudge(node, options.turns).serve())
    await run_until_first_ends(*work)
