"""The process `arena judge`: it publishes evaluations, judges turns with a model, and coaches."""

from arena.node import Node
from arena.tasks import run_until_first_ends
from judge.evaluations.llm.service import TurnJudge
from judge.lockstep_rounds import LockstepRounds
from judge.prompts.service import Coach
from judge.service import Judge, JudgeOptions


async def serve(node: Node, options: JudgeOptions) -> None:
    """Publish evaluations until cancelled."""
    judge = Judge(node, options)
    turns = TurnJudge(node, options.turns) if options.turns is not None else None
    coach = Coach(node, options.coach) if options.coach is not None else None
    if options.lock_step:
        await _serve_in_lock_step(judge, LockstepRounds(node, judge.evaluator, turns, coach))
        return
    others = [one.serve() for one in (turns, coach) if one is not None]
    await run_until_first_ends(judge.serve(), *others)


async def _serve_in_lock_step(judge: Judge, rounds: LockstepRounds) -> None:
    judge.rounds = rounds
    try:
        await rounds.open()
        await judge.serve()
    finally:
        await rounds.close()
