"""Prepares Apache Kafka: jars, Java, configuration, formatted storage.

Reads the jar lock and the cache; writes `server.properties`, `log4j.properties` and, once, the
formatted storage below `BrokerFiles.root`.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from arena.broker_files import SERVER_PROPERTIES_NAME, BrokerFiles
from arena.broker_state import Ports
from arena.credentials import PLAINTEXT
from arena.progress import Progress, Step
from operations.localbroker import config
from operations.localbroker.broker_spec import APACHE_KAFKA, BrokerSpec
from operations.localbroker.cache import cache_root, require_space
from operations.localbroker.class_archive import archive_flags, dump_flags
from operations.localbroker.config import Quorum
from operations.localbroker.external_listener import ExternalListener, require_free_port
from operations.localbroker.jar_lock import load_lock
from operations.localbroker.jars import ensure_jars, entry_name
from operations.localbroker.java import ensure_java
from operations.localbroker.security import DIRECTORY_MODE, Security, scram_arguments, write_private
from operations.localbroker.storage import FirstRecords, format_storage, read_formatted

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
        command = java_command(config.STORAGE_CLASS, *arguments, flags=with_archive)
        known = FirstRecords((cache or cache_root()) / f"storage-{entry_name(lock)}")
        node_id = quorum.node_id if quorum else 1
        format_storage(files, cluster_id, node_id, command, None if security else known)
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
