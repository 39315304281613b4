"""Checks this machine: Python, Java, Kafka, ports, disk, memory, clocks, price files.

Changes nothing; uses the network only to read the venue's time, if prices come from the live venue.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from arena.errors import ArenaError, UsageError
from arena.findings import Finding, broken, ok, warning
from arena.plural import counted, noun
from arena.settings import BOOTSTRAP_VARIABLE, Settings
from operations.commands.context_check import context_findings
from operations.commands.gate_check import gate_faults
from operations.commands.price_check import check_prices
from operations.localbroker.broker_lookup import probe_address
from operations.localbroker.cache import cache_root
from operations.localbroker.jar_lock import load_lock
from operations.localbroker.java import JAVA_MAJOR_MIN, JAVA_WHEEL, find_system_java
from operations.localbroker.ports import DEFAULT_PORT, can_bind, choose_ports
from operations.localbroker.status import read_status
from operations.specs.arena_spec import ArenaSpec
from operations.specs.venues import by_venue, load_venue

PYTHON_MIN = (3, 11)
DISK_BYTES_OK = 2_000_000_000
DISK_BYTES_MIN = 200_000_000
MEMORY_KB_OK = 1_000_000
MEMORY_KB_MIN = 300_000
MEMINFO = Path("/proc/meminfo")
FEED_TIMEOUT_S = 5.0
CLOCK_S_OK = 1.0
CLOCK_S_MAX = 30.0
NTP_TIMEOUT_S = 2.0
GIGA = 1e9
ERRNO = re.compile(r"^\[Errno -?\d+\] ")
"""The start of the message of a system error in Python."""


def machine_findings(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Check what needs no ARENA.toml."""
    found = [_python(), *broker_findings(settings, environ), *disk_finding(settings.home)]
    return [*found, *_memory(), _clock_sync()]


def spec_findings(spec: ArenaSpec, folder: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Check what an ARENA.toml needs besides its chat nodes.

    Args:
        spec: The arena.
        folder: The folder to which its paths are relative.
        environ: The variables with its keys.
    """
    found = [_price_files(spec, folder)] if spec.market.prices else []
    found += context_findings(spec, folder)
    files = {a.strategy for a in spec.agents if a.strategy.endswith((".py", ".toml"))}
    missing = sorted(name for name in files if not (folder / name).is_file())
    if missing:
        remedy = f"paths are relative to {folder}"
        found.append(broken("strategies", f"not found: {', '.join(missing)}", remedy))
    elif files:
        there = noun(len(files), "is there", "are there")
        found.append(ok("strategies", f"{counted(len(files), 'file')} {there}"))
    found += [broken("gates", fault) for fault in gate_faults(spec, folder)]
    if spec.market.is_live:
        for venue in by_venue(spec.arena.products):
            found += feed_findings(venue)
    return found + _variables(spec, environ)


def disk_finding(home: Path) -> list[Finding]:
    """Check the free space where the arena writes; empty if it cannot be read."""
    folder = next((p for p in (home.resolve(), *home.resolve().parents) if p.is_dir()), None)
    if folder is None:
        return []
    free = shutil.disk_usage(folder).free
    detail = f"{free / GIGA:.1f} GB free for {home}"
    if not os.access(folder, os.W_OK):
        return [broken("disk", f"{folder} cannot be written", "choose a folder with ARENA_HOME")]
    if free < DISK_BYTES_MIN:
        return [broken("disk", detail, "free some space, or choose a folder with ARENA_HOME")]
    if free < DISK_BYTES_OK:
        return [warning("disk", detail, "a long contest writes gigabytes; see ARENA_HOME")]
    return [ok("disk", detail)]


def broker_findings(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Check the broker that the environment names, or what the arena's own broker needs."""
    if servers := environ.get(BOOTSTRAP_VARIABLE, "").strip():
        is_answering = [address for address in servers.split(",") if _answers(address)]
        if is_answering:
            return [ok("broker", f"{is_answering[0].strip()} answers ({BOOTSTRAP_VARIABLE})")]
        remedy = f"start it, or unset {BOOTSTRAP_VARIABLE} for a broker of the arena's own"
        return [broken("broker", f"{servers} does not answer ({BOOTSTRAP_VARIABLE})", remedy)]
    return [_java(environ), _jars(environ), *_own_broker(settings.home)]


def feed_findings(name: str, url: str = "") -> list[Finding]:
    """Check that a live venue answers, and compare its clock with this machine's.

    Args:
        name: The venue.
        url: URL of its REST API; "" for the public one.
    """
    import httpx  # here: nothing else needs it

    venue = load_venue(name)
    url = f"{url or venue.rest_url}{venue.time_path}"
    sent = datetime.now(UTC)
    try:
        answer = httpx.get(url, timeout=FEED_TIMEOUT_S)
        answer.raise_for_status()
        venue_time: datetime = venue.read_time(answer.content)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        cause = ERRNO.sub("", " ".join(str(error).split())) or type(error).__name__
        text = f"{url}: {cause[:160]}"
        remedy = 'is there a network? source = "exchange" and "replay" need none'
        return [broken("feed", text, remedy)]
    took_s = (datetime.now(UTC) - sent).total_seconds()
    off_s = (venue_time - sent).total_seconds() - took_s / 2
    found = ok("feed", f"{venue.title} answers in {took_s * 1000:.0f} ms")
    text = f"this machine is {abs(off_s):.1f} s {'behind' if off_s > 0 else 'ahead of'} the venue"
    if abs(off_s) > CLOCK_S_MAX:
        return [found, broken("clock", text, "set the clock: prices would count as stale")]
    if abs(off_s) > CLOCK_S_OK:
        return [found, warning("clock", text, "enable NTP")]
    return [found, ok("clock", text)]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_MIN:
        return broken("python", version, "use Python 3.11 or newer")
    return ok("python", version)


def _java(environ: Mapping[str, str]) -> Finding:
    java, too_old = find_system_java(environ)
    if java is not None:
        return ok("java", f"{java.version}, {java.path}")
    old = f"; {too_old[0].path} is {too_old[0].version}" if too_old else ""
    if (cache_root(environ) / JAVA_WHEEL.entry).is_dir():
        return ok("java", f"no system Java{old}; the downloaded one is used")
    return warning(
        "java",
        f"no version {JAVA_MAJOR_MIN} or newer{old}",
        f"the first start downloads one (about {JAVA_WHEEL.size_mb} MB), or install a JRE",
    )


def _jars(environ: Mapping[str, str]) -> Finding:
    from operations.localbroker.jars import jars_directory

    lock = load_lock()
    directory = jars_directory(lock, cache_root(environ))
    name = f"Apache Kafka {lock.kafka_version}"
    if directory.is_dir():
        return ok("kafka jars", f"{name} in {directory}")
    size = f"{lock.size_bytes / 1e6:.0f} MB"
    remedy = f"the first start downloads {size}; `arena broker start` does it now"
    return warning("kafka jars", f"{name} is not downloaded yet", remedy)


def _own_broker(home: Path) -> list[Finding]:
    """Check the broker of this home, and the ports that it needs."""
    status = read_status(home)
    if status.condition == "running" and status.broker is not None:
        return [ok("broker", f"runs on {status.broker.bootstrap}")]
    found = [ok("broker", "not running; `arena up` and `arena compete run` start one")]
    if status.condition not in ("running", "stopped"):
        text = f"{status.condition}: {status.reason}".rstrip(": ")
        found = [warning("broker", text, "`arena broker stop`, then start again")]
    try:
        choose_ports(0)
    except ArenaError as error:
        return [*found, broken("ports", str(error))]
    except OSError as error:
        return [*found, broken("ports", f"no port is free on loopback ({error})")]
    if can_bind(DEFAULT_PORT):
        return [*found, ok("ports", f"{DEFAULT_PORT} and others are free")]
    text = f"{DEFAULT_PORT} is in use; the arena's broker takes another port"
    remedy = f"if it is a Kafka broker to use, set {BOOTSTRAP_VARIABLE}=127.0.0.1:{DEFAULT_PORT}"
    return [*found, warning("ports", text, remedy)]


def _answers(address: str) -> bool:
    """True if a broker answers, or at least accepts the connection (TLS, a login)."""
    import socket

    host, _, port = address.strip().rpartition(":")
    try:
        if probe_address(address.strip()) is not None:
            return True
        with socket.create_connection((host, int(port)), timeout=2.0):
            return True
    except (OSError, ValueError, ArenaError):
        return False


def _memory() -> list[Finding]:
    """Check the available memory; empty if the system does not report it."""
    try:
        rows = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        free_kb = int(rows["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):
        return []
    detail = f"{free_kb / 1e6:.1f} GB available"
    remedy = "a broker needs about 0.4 GB, each process about 0.1 GB"
    if free_kb < MEMORY_KB_MIN:
        return [broken("memory", detail, remedy)]
    if free_kb < MEMORY_KB_OK:
        return [warning("memory", detail, remedy)]
    return [ok("memory", detail)]


def _clock_sync() -> Finding:
    """Check that NTP sets the clock; containers often cannot tell."""
    command = ["timedatectl", "show", "-p", "NTPSynchronized", "--value"]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=NTP_TIMEOUT_S, check=False
        )
        answer = ended.stdout.strip() if ended.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    if answer == "yes":
        return ok("time", "NTP sets the clock")
    if answer == "no":
        return warning("time", "NTP does not set the clock", "timedatectl set-ntp true")
    return ok(
        "time", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; it is unknown whether NTP sets it"
    )


def _price_files(spec: ArenaSpec, folder: Path) -> Finding:
    try:
        files = check_prices(spec, folder)
    except UsageError as error:
        return broken("prices", str(error.args[0]), error.remedy or "arena candles check FILE")
    minutes = sum(file.bars * file.bar_s // 60 for file in files)
    if left_out := [file.line for file in files if file.left_out]:
        return warning("prices", "; ".join(left_out), "set another [rules] starting_cash")
    return ok("prices", f"{counted(len(files), 'file')} read, {minutes:,} minutes")


def _variables(spec: ArenaSpec, environ: Mapping[str, str]) -> list[Finding]:
    """Check the variables of keys; a server with an address may need none."""
    if spec.competition and spec.competition.replies == "replay":
        return []
    nodes = [node for node in spec.chat_nodes if not node.keyless]
    named = sorted({variable for node in nodes for variable in node.variables})
    unset = [name for name in named if not environ.get(name, "").strip()]
    if unset:
        remedy = f"export {unset[0]}=..., unless the server needs no key"
        return [warning("keys", f"not set: {', '.join(unset)}", remedy)]
    return [ok("keys", f"{', '.join(named)} set")] if named else []
