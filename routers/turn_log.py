"""Logs turns; consecutive failures become a few warnings with a count, not one each."""

from arena.agent_health import is_decision
from arena.failure_streaks import FailureStreaks
from arena.messages import Turn, TurnStarted
from arena.node import Node


def log_turn(node: Node, turn: Turn, failures: FailureStreaks) -> None:
    """Log an ended turn.

    Args:
        node: The process.
        turn: The recorded turn.
        failures: The consecutive failures of each agent so far.
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
    run = failures.failed(turn.agent) if failed else failures.succeeded(turn.agent)
    if run is None:
        return
    if run.over:
        node.log.info("turns give decisions again", **ids, failures=run.failures)
    else:
        node.log.warning(
            "turns fail",
            **ids,
            failures=run.failures,
            outcome=turn.outcome,
            cause=turn.cause,
            error=turn.error,
        )


def log_resumed(node: Node, started: TurnStarted, replies: int) -> None:
    """Log that an interrupted turn is run again, with the replies that it had already got."""
    node.log.info(
        "turn run again", agent=started.agent, snapshot_id=started.snapshot_id, replies=replies
    )
