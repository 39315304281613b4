"""What a router logs of a turn: failures in a row are a few warnings with a count, not one each."""

from arena.failure_runs import FailureRuns
from arena.messages import Turn
from arena.node import Node
from arena.vitals import is_decision


def log_turn(node: Node, turn: Turn, failures: FailureRuns) -> None:
    """Log an ended turn.

    Args:
        node: The process.
        turn: As it was recorded.
        failures: The agent's failures in a row, so far.
    """
    ids = {"agent": turn.agent, "turn_id": turn.turn_id}
    failed = not is_decision(turn)
    log = node.log.debug if failed and turn.outcome != "aborted" else node.log.info
    log(
        "turn",
        **ids,
        outcome=turn.outcome,
        rounds=len(turn.rounds),
        skipped=turn.skipped_snapshots,
        duration_ms=turn.total_ms,
        **({"error": turn.error} if turn.error else {}),
    )
    if turn.outcome == "aborted":
        return
    said = failures.failed(turn.agent) if failed else failures.succeeded(turn.agent)
    if said is None:
        return
    if said.over:
        node.log.info("turns give decisions again", **ids, failures=said.failures)
    else:
        node.log.warning(
            "turns fail",
            **ids,
            failures=said.failures,
            outcome=turn.outcome,
            cause=turn.cause,
            error=turn.error,
        )
