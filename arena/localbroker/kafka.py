"""Prepares Apache Kafka: jars, Java, configuration, formatted storage.

Reads the jar lock and the cache; writes `server.properties`, `log4j.properties` and, once, the
formatted storage below `BrokerFiles.root`.
"""

import os
import subprocess
from pathlib import Path

from arena.localbroker import config
from arena.localbroker.cache import require_space
from arena.localbroker.config import BrokerFiles
from arena.localbroker.diagnose import explain_exit
from arena.localbroker.jars import ensure_jars
from arena.localbroker.java import Java, ensure_java
from arena.localbroker.launch import APACHE_KAFKA, Launch
from arena.localbroker.lock import load_lock
from arena.localbroker.ports import Ports
from arena.localbroker.progress import Progress, Step

FORMAT_DEADLINE_S = 60.0
FREE_BYTES_MIN = 256_000_000


def prepare_kafka(
    files: BrokerFiles, host: str, ports: Ports, *, cache: Path | None, progress: Progress
) -> Launch:
    """Everything Apache Kafka needs on this machine, ready to run.

    Raises:
        FetchFailed: The jars or a Java cannot be had.
        FileRefused: Something fetched is not what the locks name.
        DependencyMissing: The disk is full, or the storage cannot be formatted.
    """
    lock = load_lock()
    jars = ensure_jars(lock, cache=cache, progress=progress)
    java = ensure_java(cache=cache, progress=progress)
    files.root.mkdir(parents=True, exist_ok=True)
    require_space(files.root, FREE_BYTES_MIN)
    files.server_properties.write_text(config.server_properties(host, ports))
    files.log4j_properties.write_text(config.LOG4J_PROPERTIES)
    cluster_id = _formatted_cluster_id(files, java, jars, progress)
    return Launch(
        kind=APACHE_KAFKA,
        version=lock.kafka_version,
        command=config.java_command(
            java.path, jars, config.SERVER_CLASS, config.SERVER_PROPERTIES_NAME
        ),
        cwd=files.root,
        cluster_id=cluster_id,
        durable=True,
        log_file=files.server_log,
    )


def _formatted_cluster_id(files: BrokerFiles, java: Java, jars: Path, progress: Progress) -> str:
    """The cluster id of the storage, which is formatted where it never was.

    Formatting twice with another id is an error in Kafka, so only a missing file asks for it.
    """
    if files.meta_properties.exists():
        found = config.read_cluster_id(files.meta_properties.read_text())
        if found is not None:
            return found
    progress(Step("broker", "formatting its storage"))
    cluster_id = config.cluster_id_from(os.urandom(16))
    command = config.java_command(
        java.path,
        jars,
        config.STORAGE_CLASS,
        *("format", "--cluster-id", cluster_id, "--config", config.SERVER_PROPERTIES_NAME),
    )
    answer = subprocess.run(
        command,
        cwd=files.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=FORMAT_DEADLINE_S,
        check=False,
    )
    if answer.returncode != 0:
        raise explain_exit(
            answer.stdout + answer.stderr,
            exit_code=answer.returncode,
            bootstrap="",
            data_dir=str(files.log_dirs),
            log_file=str(files.console_log),
        )
    return cluster_id
