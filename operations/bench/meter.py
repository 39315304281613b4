"""Reads CPU seconds and memory of other processes."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """A process's memory in MiB: resident, and its proportional share of shared pages."""

    rss_mib: float
    pss_mib: float


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the user and system CPU seconds that processes have used."""
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def memory(pid: int) -> Memory:
    """Return the current memory of a process."""
    full = psutil.Process(pid).memory_full_info()
    return Memory(rss_mib=full.rss / MIB, pss_mib=getattr(full, "pss", full.uss) / MIB)


def machine() -> Mapping[str, object]:
    """Return the machine of the figures: processors, memory, load, versions."""
    import platform

    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30), 1),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values is (nearest rank).

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
