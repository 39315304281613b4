"""Runs one seed: draws its plan, plays it, and checks what must hold afterwards."""

import tempfile
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random

from arena.errors import ArenaError
from operations.simulation import checks, readings
from operations.simulation.export import export_logs
from operations.simulation.members import drawn_arena, with_judge_and_books
from operations.simulation.network import drawn_network
from operations.simulation.plan import Fault, drawn_faults, skew_s_max
from operations.simulation.readings import KeptBooks, kept_books
from operations.simulation.world import RunPlan, World

REPLAY_EVERY = 50
"""Prompts and orders of each seed that is a multiple of this are recomputed."""
APPENDS_PER_TURN = 14


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What a seed found.

    Attributes:
        seed: The seed.
        reasons: What did not hold, in words; empty if all held.
        digest: Digest of the trace: the same for the same seed and version.
        faults: Number of faults in the plan.
        injected: Kind of fault -> how often it hit something.
        restarts: Lives of processes beyond the first.
        steps, virtual_s, appended: Steps, virtual seconds, and records.
        account_digest: Hash of all accounts.
    """

    seed: int
    reasons: tuple[str, ...]
    digest: str
    faults: int
    injected: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    appended: int = 0
    account_digest: str = ""

    def document(self) -> dict[str, object]:
        """The result for programs."""
        return asdict(self)


def plan_of(seed: int, agents: int, snapshots: int) -> RunPlan:
    """The plan of a seed: arena, network and faults.

    Args:
        seed: The seed.
        agents: Number of agents.
        snapshots: Number of snapshots.
    """
    random = Random(f"plan {seed}")
    arena = drawn_arena(random, agents, snapshots)
    network = drawn_network(random)
    faults = drawn_faults(random, agents * snapshots * APPENDS_PER_TURN)
    arena = with_judge_and_books(arena, Random(f"judge and books {seed}"))
    return RunPlan(seed, arena, network, faults, skew_s_max(faults))


def play(plan: RunPlan, *, replay: bool = False, trace: list[str] | None = None) -> SeedResult:
    """Play a plan and check it.

    Args:
        plan: The plan.
        replay: Also recompute prompts and orders from the records.
        trace: Gets one line per event; None for none.
    """
    with kept_books(plan.arena.books) as books:
        return _played(plan, World(plan, trace, books), books, replay=replay)


def _played(plan: RunPlan, world: World, books: KeptBooks | None, *, replay: bool) -> SeedResult:
    reasons: list[str] = []
    try:
        world.run()
    except ArenaError as error:
        reasons.append(f"{type(error).__name__}: {error}")
    reasons += checks.unexpected_ends(world.errors)
    logs = world.cluster.logs
    reasons += checks.lost_acks(world.cluster.acked, logs)
    found, account_digest = checks.violations_of(logs) if not reasons else ([], "")
    reasons += found
    if not reasons:
        arena = plan.arena
        reasons += readings.violations_of(
            world.cluster, judge=arena.judge, lock_step=arena.pacing == "lock-step", books=books
        )
    if replay and not reasons:
        reasons += _replayed(world, account_digest)
    return SeedResult(
        seed=plan.seed,
        reasons=tuple(reasons),
        digest=world.loop.digest(),
        faults=len(plan.faults),
        injected=world.injected,
        restarts=sum(max(0, process.starts - 1) for process in world.processes),
        steps=world.loop.steps,
        virtual_s=round(world.loop.time(), 3),
        appended=world.cluster.appended,
        account_digest=account_digest,
    )


def _replayed(world: World, account_digest: str) -> list[str]:
    """Recompute prompts and orders as `arena audit replay` does, in processes of their own."""
    sources, again = (import_module(f"ledger.audit.{name}") for name in ("sources", "replay"))
    with tempfile.TemporaryDirectory(prefix="arena-simulate-") as folder:
        records = Path(folder) / "records"
        export_logs(world.cluster, records)
        result = again.replay(sources.RecordSource("simulation", records), account_digest)
    return [f"invariant {result.number}, {result.title}: {one}" for one in result.violations[:3]]


def shortened(plan: RunPlan, faults: tuple[Fault, ...]) -> RunPlan:
    """The same run with other faults."""
    return RunPlan(plan.seed, plan.arena, plan.network, faults, plan.skew_s_max)
