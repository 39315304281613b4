"""The process `arena judge`: it publishes evaluations, judges turns with a model, and coaches."""

from arena.node import Node
from arena.tasks import run_until_first_ends
from judge.evaluations.llm.service import TurnJudge
from judge.prompts.service import Coach
from judge.service import Judge, JudgeOptions


async def serve(node: Node, options: JudgeOptions) -> None:
    """Publish evaluations until cancelled."""
    work = [Judge(node, options).serve()]
    if options.turns is not None:
        work.append(TurnJudge(node, options.turns).serve())
    if options.coach is not None:
        work.append(Coach(node, options.coach).serve())
    await run_until_first_ends(*work)
