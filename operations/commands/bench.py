"""`arena bench`: measure the arena on this machine, with the limits of Kafka and the client.

One turn is: one market event -> the model asks for `execute_trade` -> the fill -> the model ends
the turn. The broker is a fresh local Kafka (or `KAFKA_BOOTSTRAP_SERVERS`), the model an instant
stub behind a real HTTP endpoint. Compare the figures with the raw relay of the same run: ratios
differ less between machines. The page is measured beside a demo.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.atomic_files import require_writable, write_atomic
from arena.errors import UsageError
from arena.plural import counted
from arena.settings import Settings

DEFAULT_AGENTS = "1,3,10,30"
TABLE_COLUMNS = 132
PARTS = (
    "relay",
    "floor",
    "stub",
    "scripted",
    "two-tools",
    "one-process",
    "page",
    "indicators",
    "replay",
    "orders",
)
WITHOUT_BROKER = {"indicators", "replay"}
PROCESS_EACH_MAX = 10
"""Up to this many agents get their own process; more share one process."""


def bench(
    agents: Annotated[
        str, typer.Option(help="Numbers of agents to measure, comma-separated.")
    ] = DEFAULT_AGENTS,
    seconds: Annotated[float, typer.Option(help="Seconds of each measurement.", min=1.0)] = 10.0,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Also write all figures to FILE as JSON.", metavar="FILE"),
    ] = None,
    only: Annotated[str, typer.Option(help="Parts to run, comma-separated.")] = ",".join(PARTS),
    viewers: Annotated[int, typer.Option(help="Viewers of the page at once.", min=1)] = 500,
) -> None:
    """Measure turns per second, CPU per turn, latency, bytes and memory, the page, indicators.

    Takes about eight minutes; nothing else should run on the machine. The page alone takes two, or
    half a minute with `--only page --seconds 2`; `--only indicators,replay` takes half a minute and
    no broker.

    Example: arena bench --agents 1,3 --json bench.json
    """
    require_writable(json_file, "--json")
    counts = _counts(agents)
    parts = _parts(only)
    home = Path(tempfile.mkdtemp(prefix="arena-bench-"))
    try:
        results = _measure(home, counts, seconds, parts, viewers)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    _print_table(results)
    if json_file is not None:
        write_atomic(json_file, json.dumps(results, indent=2) + "\n")
        print(f"all figures: {json_file}")


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise UsageError(
            f"--agents was {text!r}", remedy="give numbers of agents, such as --agents 1,3,10"
        )
    return counts


def _parts(text: str) -> set[str]:
    parts = {part.strip() for part in text.split(",")}
    if unknown := parts - {*PARTS}:
        raise UsageError(
            f"--only was {text!r}: unknown part {', '.join(sorted(unknown))}",
            remedy=f"give some of {','.join(PARTS)}",
        )
    return parts


# Any: figures of mixed types, for JSON.
def _measure(
    home: Path, counts: list[int], seconds: float, parts: set[str], viewers: int
) -> dict[str, Any]:
    from arena.progress_bars import draw_progress
    from operations.bench import meter, page, scenarios
    from operations.localbroker.broker_lookup import find_or_start_broker

    results: dict[str, Any] = {"machine": dict(meter.machine()), "runs": []}
    if "indicators" in parts:
        from operations.bench.indicators import indicator_figures

        _print_measuring("indicators")
        results["indicators"] = indicator_figures()
    if "replay" in parts:
        from operations.bench.replay import replay_figures

        _print_measuring("a replay of candles")
        results["replay"] = replay_figures()
    if parts <= WITHOUT_BROKER:
        return results
    with (
        draw_progress() as progress,
        find_or_start_broker(home, port=0, progress=progress) as broker,
    ):
        results["broker"] = {"kind": broker.kind, "version": broker.version}
        settings = Settings(bootstrap_servers=broker.bootstrap, home=home)
        logs = home / "logs"
        if "relay" in parts:
            _print_measuring("raw relay of 4 hops")
            results["relay"] = asyncio.run(scenarios.relay_figures(settings, logs))
        if "floor" in parts:
            _print_measuring("one model call alone")
            results["floor"] = asyncio.run(scenarios.call_figures(settings, logs))
        for title, run in _runs(counts, parts):
            _print_measuring(title)
            figures = asyncio.run(
                scenarios.turn_figures(
                    settings, logs, seconds=seconds, data_dir=broker.data_dir, **run
                )
            )
            results["runs"].append(figures)
        if "orders" in parts:
            from operations.bench.orders import order_figures

            _print_measuring("the executor, with limits of risk and open exits")
            results["orders"] = asyncio.run(order_figures(settings, logs))
        if "page" in parts:
            _print_measuring("the page beside a demo")
            results["page"] = page.measure_page(settings, home, seconds=seconds, viewers=viewers)
    return results


def _runs(counts: list[int], parts: set[str]) -> list[tuple[str, dict[str, Any]]]:
    runs: list[tuple[str, dict[str, Any]]] = []
    for model in ("stub", "scripted"):
        if model not in parts:
            continue
        for n in counts:
            shared = n > PROCESS_EACH_MAX
            runs.append((f"{n} agents, {model}", {"agents": n, "model": model, "together": shared}))
    if "one-process" in parts:
        runs += [
            (f"{n} agents in one process", {"agents": n, "model": "stub", "together": True})
            for n in counts
            if 1 < n <= PROCESS_EACH_MAX
        ]
    if "two-tools" in parts:
        runs.append(("two tools at once", {"agents": 1, "model": "stub", "calls": 2}))
    return runs


def _print_measuring(text: str) -> None:
    print(f" measuring: {text}", file=sys.stderr, flush=True)


def _print_table(results: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    machine, broker = results["machine"], results.get("broker")
    console.print(
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, load {machine['load_1m']} at the "
        f"start, Python {machine['python']}"
        + (f", {broker['kind']} {broker['version'] or ''}" if broker else "")
    )
    if relay := results.get("relay"):
        console.print(
            f"raw relay, {relay['hops']} hops: "
            f"p50 {relay['p50_ms']:.1f} ms, p99 {relay['p99_ms']:.1f} ms"
        )
    if floor := results.get("floor"):
        for client, cost in floor.items():
            console.print(
                f"one call alone, {client}:  CPU {cost['cpu_ms']} ms, p50 {cost['p50_ms']} ms"
            )
    table = Table(title="one turn = event -> execute_trade -> fill -> end")
    for name in ("agents", "model", "tools", "processes"):
        table.add_column(name, no_wrap=True)
    for name in (
        "turns/s",
        "CPU ms/turn",
        "fill p50 ms",
        "fill p99 ms",
        "x relay+call",
        "turn p50 ms",
        "KB/turn",
        "agent MiB",
    ):
        table.add_column(name, justify="right")
    for run in results["runs"]:
        table.add_row(*_row(run, results))
    if results["runs"]:
        console.print(table)
    lines = page_lines(results.get("page", {})) + indicator_lines(results.get("indicators"))
    lines += replay_lines(results.get("replay"))
    for line in lines + order_lines(results.get("orders")):
        console.print(line)


def page_lines(found: dict[str, Any]) -> list[str]:
    """The figures of the page as text.

    Args:
        found: The figures of `operations.bench.page.page_figures`; none for no line.
    """
    if not found:
        return []
    many = found["viewers"]
    return [
        "page of arena web, beside a demo with six agents:",
        f"  topic to page: {_span(found, 'turn')}, leaderboard {_span(found, 'leaderboard')}",
        f"  REST at {found['rest_per_s']}/s: {_span(found, 'rest')},"
        f" {found['rest_cpu']:.0%} of a core",
        f"  memory {found['memory_mb']:.0f} MB; CPU {found['idle_cpu']:.1%} of a core without"
        f" viewers, {found['viewer_cpu']:.1%} with one",
        f"  {many} viewers: {found['viewers_memory_mb']:.0f} MB, {found['viewers_cpu']:.0%} of a"
        f" core, topic to page {_span(found, 'viewers_turn')}",
    ]


def indicator_lines(found: dict[str, Any] | None) -> list[str]:
    """The figures of indicators as text.

    Args:
        found: The figures of `operations.bench.indicators.indicator_figures`; None for no line.
    """
    if found is None:
        return []
    before, after = found["bytes"]
    plain_us, full_us = found["decode_us"]
    return [
        f"indicators, the standard set: {found['us']} us per product and snapshot",
        f"  a snapshot of {found['products']} products: {before:,} bytes without, {after:,} with:"
        f" {found['bytes_ratio']:.2f} x",
        f"  decoded in {plain_us:.0f} us without, {full_us:.0f} us with:"
        f" {found['decode_ratio']:.2f} x",
    ]


def replay_lines(found: dict[str, Any] | None) -> list[str]:
    """The figures of a replay as text.

    Args:
        found: The figures of `operations.bench.replay.replay_figures`; None for no line.
    """
    if found is None:
        return []
    speeds = ", ".join(
        f"{per_s:,} with a snapshot every {counted(int(bars), 'bar')}"
        for bars, per_s in found["bars_per_s"].items()
    )
    half = found["bars"] // 2
    return [
        f"replay of {found['products']} products, no agent due, no indicators: bars/s {speeds}",
        "  seeded prices: bars/s {whole:,}; in steps {steps:,}".format(
            **found["seeded_bars_per_s"]
        ),
        f"  {found['grown_blocks']:,} blocks of memory more after the second {half:,} bars of each",
    ]


def order_lines(found: dict[str, Any] | None) -> list[str]:
    """The figures of the executor as text.

    Args:
        found: The figures of `operations.bench.orders.order_figures`; None for no line.
    """
    if found is None:
        return []
    off, standard = found["per_s"]["off"], found["per_s"]["standard"]
    without, exits = found["us_per_ticker"]
    many = found["exits_per_agent"] * found["agents"]
    return [
        f"executor: {off:,} orders/s without limits, {standard:,} with the preset standard:"
        f" {found['ratio']:.2f} x",
        f"  CPU per order: {found['cpu_us']['off']} us and {found['cpu_us']['standard']} us",
        f"  CPU per ticker: {without:.1f} us without open exits, {exits:.1f} us with"
        f" {many} ({found['exits_per_agent']} of each of {found['agents']} agents)",
    ]


def _span(found: dict[str, Any], name: str) -> str:
    count = found[f"{name}_count"]
    if not count:
        return "nothing came"
    return f"p50 {found[f'{name}_p50_ms']:.0f} ms, p99 {found[f'{name}_p99_ms']:.0f} ms (n {count})"


def _row(run: dict[str, Any], results: dict[str, Any]) -> list[str]:
    call = results.get("floor", {}).get("openai_chat_node", {})
    limit = results.get("relay", {}).get("p50_ms", 0.0) + call.get("p50_ms", 0.0)
    routers = [m for name, m in run["memory"].items() if name.startswith("router")]
    stored = run.get("stored_bytes_per_turn")
    return [
        str(run["agents"]),
        run["model"],
        str(run["calls"]),
        "one for all" if run["together"] else "one each",
        f"{run['turns_per_s']:.0f}",
        f"{run['cpu_ms_per_turn']:.2f}",
        f"{run['fill_p50_ms']:.1f}" if "fill_p50_ms" in run else "-",
        f"{run['fill_p99_ms']:.1f}" if "fill_p99_ms" in run else "-",
        f"{run['fill_p50_ms'] / limit:.2f}" if limit and "fill_p50_ms" in run else "-",
        f"{run['turn_p50_ms']:.1f}" if "turn_p50_ms" in run else "-",
        f"{stored / 1000:.1f}" if stored else "-",
        f"{max(m['rss_mib'] for m in routers):.0f}" if routers else "-",
    ]
