"""Prepares Apache Kafka: jars, Java, configuration, formatted storage.

Reads the jar lock and the cache; writes `server.properties`, `log4j.properties` and, once, the
formatted storage below `BrokerFiles.root`.
"""

import os
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from arena.broker_files import SERVER_PROPERTIES_NAME, BrokerFiles
from arena.broker_state import Ports
from arena.credentials import PLAINTEXT
from arena.progress import Progress, Step
from operations.localbroker import config
from operations.localbroker.broker_spec import APACHE_KAFKA, BrokerSpec
from operations.localbroker.cache import require_space
from operations.localbroker.class_archive import archive_flags, dump_flags
from operations.localbroker.config import Quorum
from operations.localbroker.diagnose import explain_exit
from operations.localbroker.external_listener import ExternalListener, require_free_port
from operations.localbroker.jar_lock import load_lock
from operations.localbroker.jars import ensure_jars
from operations.localbroker.java import ensure_java
from operations.localbroker.security import DIRECTORY_MODE, Security, scram_arguments, write_private

FORMAT_DEADLINE_S = 60.0
FORMAT_ARGUMENTS_NAME = "format.args"
FREE_BYTES_MIN = 256_000_000


def prepare_kafka(
    files: BrokerFiles,
    host: str,
    ports: Ports,
    *,
    cache: Path | None,
    progress: Progress,
    quorum: Quorum | None = None,
    security: Security | None = None,
    external: ExternalListener | None = None,
    dump_classes: Path | None = None,
    java_flags: Sequence[str] = (),
) -> BrokerSpec:
    """Prepare everything that Apache Kafka needs on this machine.

    Args:
        files: The paths of this broker's files.
        host: The address to listen on.
        ports: The ports of this broker.
        cache: As for `LocalBroker`.
        progress: Called with each step.
        quorum: Its quorum in a cluster; None for a single broker.
        security: The accounts that may connect; None if every client may.
        external: The listener for other hosts; None for none.
        dump_classes: The file for a class archive, written when the broker ends; None for none.
        java_flags: More flags of the broker's Java; they count more than the usual ones.

    Raises:
        UsageError: The external listener is on an address that this machine does not have.
        PortTaken: Another process has its port.
        FetchFailed: The jars or Java cannot be fetched.
        FileRefused: A fetched file is not the one in the lock.
        DependencyMissing: The disk is full, or the storage cannot be formatted.
    """
    if external:
        require_free_port(external, quorum.node_id if quorum else 1, ports)
    lock = load_lock()
    jars = ensure_jars(lock, cache=cache, progress=progress)
    java = ensure_java(cache=cache, progress=progress)
    java_command = partial(config.java_command, java.path, jars)
    with_archive = archive_flags(java, lock, cache)
    flags = [*(dump_flags(dump_classes) if dump_classes else with_archive), *java_flags]
    files.root.mkdir(parents=True, exist_ok=True)
    if security:
        # The cluster's metadata has the verifiers of the passwords.
        files.root.chmod(DIRECTORY_MODE)
    require_space(files.root, FREE_BYTES_MIN)
    properties = config.server_properties(host, ports, quorum, security, external)
    write_private(files.server_properties, properties)
    files.log4j_properties.write_text(config.LOG4J_PROPERTIES)
    cluster_id = read_formatted(files)
    if cluster_id is None:
        progress(Step("broker", "formatting its storage"))
        cluster_id = quorum.cluster_id if quorum else config.cluster_id_from(os.urandom(16))
        arguments = ["format", "--cluster-id", cluster_id, "--config", SERVER_PROPERTIES_NAME]
        arguments += scram_arguments(security) if security else []
        _format(files, java_command(config.STORAGE_CLASS, *arguments, flags=with_archive))
    return BrokerSpec(
        kind=APACHE_KAFKA,
        version=lock.kafka_version,
        command=java_command(config.SERVER_CLASS, SERVER_PROPERTIES_NAME, flags=flags),
        cwd=files.root,
        cluster_id=cluster_id,
        durable=True,
        log_file=files.server_log,
        security=security.protocol if security else PLAINTEXT,
    )


def read_formatted(files: BrokerFiles) -> str | None:
    """Return the cluster id of the formatted storage; None if it is not formatted.

    Formatting again with another id is an error in Kafka, so only missing storage is formatted.
    """
    if not files.meta_properties.exists():
        return None
    return config.read_cluster_id(files.meta_properties.read_text())


def _format(files: BrokerFiles, command: list[str]) -> None:
    """Run the format command; Java reads its arguments from a file: they may have passwords."""
    arguments = files.root / FORMAT_ARGUMENTS_NAME
    write_private(arguments, config.argument_file(command))
    try:
        answer = subprocess.run(
            [command[0], f"@{FORMAT_ARGUMENTS_NAME}"],
            cwd=files.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=FORMAT_DEADLINE_S,
            check=False,
        )
    finally:
        arguments.unlink()
    if answer.returncode != 0:
        raise explain_exit(
            answer.stdout + answer.stderr,
            exit_code=answer.returncode,
            bootstrap="",
            data_dir=str(files.log_dirs),
            log_file=str(files.console_log),
        )
