"""The measurements of `arena bench`; each function returns plain figures.

One turn is: one market event -> the model calls `execute_trade` -> the fill -> the model ends the
turn.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from arena.bus.kafka import KafkaBus
from arena.errors import DependencyMissing
from arena.settings import Settings
from operations.bench import meter
from operations.bench.load_generator import LoadGenerator
from operations.bench.processes import BenchProcesses
from operations.bench.relay_benchmark import measure_relay

PACE_COUNT = 60
PACE_INTERVAL_S = 0.2
PACE_PER_AGENT_S = 0.02
"""Seconds per agent to add to the interval, so that nothing is queued."""
WARM_UP_S = 2.0
BENCHMARK_CALLS = 1_500

# Any: figures of mixed types, made for JSON.
Figures = dict[str, Any]


async def turn_figures(
    settings: Settings,
    logs: Path,
    *,
    agents: int,
    model: str,
    calls: int = 1,
    together: bool = False,
    seconds: float = 10.0,
    paced: bool = True,
    data_dir: Path | None = None,
) -> Figures:
    """Measure turns per second, CPU per turn, latency, memory and bytes of one arena.

    Args:
        settings: The broker.
        logs: Folder for the logs of the processes.
        agents: Number of agents.
        model: "stub" (through the openai client) or "scripted".
        calls: Tool calls in the model's answer.
        together: True for all agents in one process.
        seconds: Duration of the measurement with busy agents.
        paced: Also measure latency without queueing.
        data_dir: Data folder of a local broker, from which bytes per turn are read.
    """
    with BenchProcesses.new(settings, logs) as processes:
        bus = KafkaBus(processes.settings, client_id="arena-bench")
        await bus.start()
        url = "" if model.startswith("scripted") else processes.start_stub(calls)
        names = processes.start_arena(agents, model=model, base_url=url, together=together)
        generator = LoadGenerator(bus, names)
        try:
            await generator.start()
            await generator.wait_until_all_answer(processes)
            figures: Figures = {"agents": agents, "model": model, "calls": calls}
            figures["together"] = together
            if paced:
                figures |= await _measure_paced(generator, agents)
            stored = stored_bytes(data_dir, processes.settings.prefix) if data_dir else 0
            figures |= await _measure_saturated(generator, processes, seconds)
            if data_dir:
                grown = stored_bytes(data_dir, processes.settings.prefix) - stored
                figures["stored_bytes_per_turn"] = grown / max(1, figures["all_turns"])
            figures["memory"] = _memory(processes)
            return figures
        finally:
            await generator.close()
            await bus.close()


async def _measure_paced(generator: LoadGenerator, agents: int) -> Figures:
    await generator.run_paced(PACE_COUNT, PACE_INTERVAL_S + PACE_PER_AGENT_S * agents)
    if not generator.fill_ms:
        raise DependencyMissing(
            f"{generator.turns} turns made no fill",
            remedy="read the refusal reasons in account.events",
        )
    return {
        "fill_p50_ms": meter.percentile(generator.fill_ms, 0.5),
        "fill_p99_ms": meter.percentile(generator.fill_ms, 0.99),
        "turn_p50_ms": meter.percentile(generator.turn_ms, 0.5),
        "turn_p99_ms": meter.percentile(generator.turn_ms, 0.99),
        "paced_turns": generator.turns,
        "paced_fills": generator.fills,
    }


async def _measure_saturated(
    generator: LoadGenerator, processes: BenchProcesses, seconds: float
) -> Figures:
    await generator.run_saturated(WARM_UP_S)
    warm_turns = generator.turns
    pids = processes.measured()
    before = {name: meter.cpu_seconds([pid]) for name, pid in pids.items()}
    elapsed = await generator.run_saturated(seconds)
    used = {name: meter.cpu_seconds([pid]) - before[name] for name, pid in pids.items()}
    count = max(1, generator.turns)
    parts: dict[str, float] = {"routers": 0.0}
    for name, seconds_used in used.items():
        part = "routers" if name.startswith("router") else name
        parts[part] = parts.get(part, 0.0) + seconds_used * 1000 / count
    processes.check()
    return {
        "turns": generator.turns,
        "all_turns": generator.turns + warm_turns,
        "completed": generator.completed,
        "fills": generator.fills,
        "turns_per_s": generator.turns / elapsed,
        "cpu_ms_per_turn": sum(used.values()) * 1000 / count,
        "cpu_ms_by_process": parts,
    }


def _memory(processes: BenchProcesses) -> Figures:
    found = {name: meter.memory(pid) for name, pid in processes.measured().items()}
    return {n: {"rss_mib": m.rss_mib, "pss_mib": m.pss_mib} for n, m in found.items()}


async def relay_figures(settings: Settings, logs: Path) -> Figures:
    """Measure the raw relay, with as many hops as a fill needs."""
    with BenchProcesses.new(settings, logs) as processes:
        figures = await measure_relay(processes, PACE_COUNT, PACE_INTERVAL_S)
    return {"hops": figures.hops, "p50_ms": figures.p50_ms, "p99_ms": figures.p99_ms}


async def call_figures(settings: Settings, logs: Path) -> Figures:
    """Measure CPU and latency of one model call to the stub, with openai's client and ours."""
    with BenchProcesses.new(settings, logs) as processes:
        url = processes.start_stub(1)
        command = [
            sys.executable,
            "-m",
            "operations.bench.call_benchmark",
            url,
            str(BENCHMARK_CALLS),
        ]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=True
        )
    figures: Figures = json.loads(done.stdout)
    return figures


def stored_bytes(data_dir: Path, prefix: str) -> int:
    """Return the bytes of record batches that the broker stores for the topics of a prefix."""
    folders = (f for f in data_dir.glob(f"{prefix}*") if f.is_dir())
    return sum(segment.stat().st_size for f in folders for segment in f.glob("*.log"))
