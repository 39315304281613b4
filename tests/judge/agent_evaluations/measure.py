"""Measures what evaluations of agents cost, in CPU time and bytes.

    .venv/bin/python -m tests.judge.agent_evaluations.measure

Folds a season in this process, without Kafka, evaluates its agents at the end, and checks recorded
turns of scripted agents, whose prompts have their real sizes.
"""

import time
from collections.abc import Callable
from statistics import median

from arena.wide_integers import pack_wide
from arena.wire import encode
from judge.evaluations.check_fold import TurnChecks
from judge.evaluations.checks import AgentMemory, check_turn
from judge.evaluations.evaluate import DEFAULT_OPTIONS, Asked, Earlier, evaluate
from judge.season import SeasonBuilder
from tests.dashboard.scenario import Scenario
from tests.judge.agent_evaluations.made_turns import recorded_turns

LENGTHS = (60, 480, 1_440)
"""Snapshots; a day of minutes is the longest."""
REPEATS = 5


def cpu_ms(work: Callable[[], object]) -> float:
    """The median CPU time of some runs, in milliseconds."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        times.append((time.process_time() - began) * 1_000)
    return median(times)


def main() -> None:
    """Print the figures."""
    turns = recorded_turns()
    per_turn = cpu_ms(lambda: [check_turn(one, AgentMemory()) for one in turns]) / len(turns)
    print(f"checks of a recorded turn: {per_turn:.2f} ms CPU")
    checks = TurnChecks()
    for turn in turns:
        checks.take(turn)
    rows = [row for agent in checks.rows for row in checks.of(agent)]
    print(f"kept per checked turn: {len(pack_wide(rows)) / len(rows):.0f} bytes")
    for snapshots in LENGTHS:
        scenario, checks = Scenario().run(snapshots), TurnChecks()
        builder = SeasonBuilder(take_turn=checks.take)
        for record in scenario.records:
            builder.apply(record)

        def work(builder: SeasonBuilder = builder, checks: TurnChecks = checks) -> object:
            last = builder.snapshots - 1
            asked = Asked("cadence")
            folds = builder.folds
            return evaluate(folds, checks, "momentum", last, asked, Earlier(), DEFAULT_OPTIONS)

        took_ms = cpu_ms(work)
        found = evaluate(
            builder.folds,
            checks,
            "momentum",
            builder.snapshots - 1,
            Asked("cadence"),
            Earlier(),
            DEFAULT_OPTIONS,
        )
        size = len(encode(found).value)
        print(f"evaluation after {snapshots:,} snapshots: {took_ms:.1f} ms CPU, {size:,} bytes")


if __name__ == "__main__":
    main()
