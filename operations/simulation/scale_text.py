"""The figures of an arena of many agents, as a table for people. Pure."""

from collections.abc import Iterable

from operations.simulation.scale import ScaleFigures, TopicFigures

KB = 1_000


def table(figures: ScaleFigures) -> str:
    """Figures per turn, the widest fan-out, and one line per topic that has records.

    Args:
        figures: The figures of a run.
    """
    per_turn = figures.per_turn()
    topic, readers = figures.widest()
    rows = [
        f"{figures.agents:,} agents in {figures.router_processes:,} router processes,"
        f" {figures.snapshots} snapshots, {figures.turns:,} turns, {figures.groups:,} groups",
        f"per turn: {per_turn['messages']:.1f} messages, {per_turn['bytes'] / KB:.1f} KB;"
        f" delivered {per_turn['deliveries']:.1f}, {per_turn['delivered_bytes'] / KB:.1f} KB;"
        f" {per_turn['cpu_ms']:.1f} ms of CPU",
        f"widest fan-out: {topic} with {readers:,} readers;"
        f" largest memory of the process {figures.peak_mb:,} MB",
        "",
        f"{'topic':<18}{'topics':>8}{'messages':>12}{'KB':>12}{'delivered':>12}{'readers':>9}",
    ]
    return "\n".join([*rows, *_lines(figures.by_topic.items())])


def _lines(by_topic: Iterable[tuple[str, TopicFigures]]) -> list[str]:
    return [
        f"{name:<18}{row.topics:>8,}{row.messages:>12,}{row.bytes / KB:>12,.0f}"
        f"{row.deliveries:>12,}{row.readers:>9,}"
        for name, row in by_topic
        if row.messages
    ]
