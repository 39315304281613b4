"""Formats the storage of a broker: with Kafka's command, or with cached output of that command.

The command takes half a second, a third of a start. Without accounts it writes two files: the first
records of the cluster's metadata, which are the same in every home of a Kafka version, and
`meta.properties`, which has the ids. The cache keeps the records, with their digest. Writes
`<home>/kafka/data` and the cache.
"""

import contextlib
import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from arena.broker_files import BrokerFiles
from arena.draft_files import clear_drafts
from operations.localbroker import config
from operations.localbroker.diagnose import explain_exit
from operations.localbroker.security import write_private

FORMAT_DEADLINE_S = 60.0
FORMAT_ARGUMENTS_NAME = "format.args"
FIRST_RECORDS_NAME = "bootstrap.checkpoint"
DIGEST_BYTES = 32
DIRECTORY_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class FirstRecords:
    """The first records of a cluster's metadata, in a file of the cache, after their digest.

    Attributes:
        path: The file; it may be missing.
    """

    path: Path

    def read(self) -> bytes | None:
        """Return the records; None if the file is missing or damaged."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        digest, records = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        return records if hashlib.sha256(records).digest() == digest else None

    def save(self, records: bytes) -> None:
        """Write the file; a cache that cannot be written is not an error."""
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            clear_drafts(self.path)
            draft.write_bytes(hashlib.sha256(records).digest() + records)
            draft.replace(self.path)


def read_formatted(files: BrokerFiles) -> str | None:
    """Return the cluster id of the formatted storage; None if it is not formatted.

    Formatting again with another id is an error in Kafka, so only missing storage is formatted.
    """
    if not files.meta_properties.exists():
        return None
    return config.read_cluster_id(files.meta_properties.read_text())


def format_storage(
    files: BrokerFiles,
    cluster_id: str,
    node_id: int,
    command: list[str],
    known: FirstRecords | None,
) -> None:
    """Format the storage of a broker; without accounts, Java runs only if the cache is empty.

    Args:
        files: The paths of the broker's files.
        cluster_id: The cluster id.
        node_id: The broker's id.
        command: Kafka's command with these ids, and with the accounts if there are any.
        known: The cached first records; None for a broker with accounts, which are among them.

    Raises:
        DependencyMissing: The command failed.
        OSError: A file cannot be written.
    """
    path = files.log_dirs / FIRST_RECORDS_NAME
    # The command refuses storage with a damaged `meta.properties`, which may have topics.
    records = known.read() if known and not files.meta_properties.exists() else None
    if records is None:
        _run_command(files, command)
        if known:
            known.save(path.read_bytes())
        return
    files.log_dirs.mkdir(parents=True, exist_ok=True)
    _write_flushed(path, records)
    directory_id = config.cluster_id_from(os.urandom(DIRECTORY_ID_BYTES))
    # The last file: with it, the storage is formatted.
    meta = config.meta_properties(cluster_id, node_id, directory_id)
    draft = files.meta_properties.with_suffix(".draft")
    _write_flushed(draft, meta.encode())
    draft.replace(files.meta_properties)


def _run_command(files: BrokerFiles, command: list[str]) -> None:
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


def _write_flushed(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
