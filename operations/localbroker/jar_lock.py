"""The committed lock file of the broker's jars, and the command that rewrites it.

`deploy/kafka.lock.json` names every jar by its Maven coordinate, SHA-256 and size in bytes.
Only these files are put on the broker's class path.

    python -m operations.localbroker.jar_lock --write     resolve again and rewrite the lock
"""

import argparse
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

KAFKA_VERSION = "4.3.1"
SCALA_VERSION = "2.13"
ROOT_COORDINATES = (
    f"org.apache.kafka:kafka_{SCALA_VERSION}:{KAFKA_VERSION}",
    "org.slf4j:slf4j-reload4j:1.7.36",
)
DEPLOY_DIR = Path(__file__).resolve().parents[2] / "deploy"
LOCK_PATH = DEPLOY_DIR / "kafka.lock.json"
HASH_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of the class path.

    Attributes:
        coordinate: "group:artifact:version".
        sha256: Hexadecimal digest of the file.
        size_bytes: Length of the file.
    """

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        """The name the jar has in a Maven repository: "artifact-version.jar"."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


@dataclass(frozen=True, slots=True)
class KafkaLock:
    """All jars of one Kafka version.

    Attributes:
        kafka_version: The version of Apache Kafka.
        jars: Sorted by coordinate.
    """

    kafka_version: str
    jars: tuple[Jar, ...]

    @property
    def size_bytes(self) -> int:
        """Length of all jars together."""
        return sum(jar.size_bytes for jar in self.jars)

    @property
    def digest(self) -> str:
        """A short name for exactly this set of jars; part of the name of the cache entry."""
        text = "\n".join(f"{jar.file_name} {jar.sha256}" for jar in self.jars)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_lock(path: Path = LOCK_PATH) -> KafkaLock:
    """Read a lock file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a lock file.
    """
    raw = json.loads(path.read_text(encoding="utf-8"))
    try:
        jars = tuple(Jar(**jar) for jar in raw["jars"])
        return KafkaLock(kafka_version=raw["kafka_version"], jars=jars)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a lock of jars: {error!r}") from error


def dump_lock(lock: KafkaLock) -> str:
    """Return the text of a lock file: stable order, one jar per line."""
    rows = ",\n".join(f"    {json.dumps(asdict(jar))}" for jar in lock.jars)
    return f'{{\n  "kafka_version": "{lock.kafka_version}",\n  "jars": [\n{rows}\n  ]\n}}\n'


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def resolve_lock(scratch: Path) -> KafkaLock:
    """Resolve `ROOT_COORDINATES` and their dependencies, fetch every jar, and hash it."""
    from jgo.maven import MavenContext  # not needed if the broker is cached

    context = MavenContext(repo_cache=scratch, local_repos=[], timeout=60)
    roots = [context.create_dependency(coordinate) for coordinate in ROOT_COORDINATES]
    inputs, transitive = context.resolver.resolve(roots)
    jars = []
    for dependency in [*inputs, *transitive]:
        path = dependency.artifact.resolve()
        coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
        jars.append(Jar(coordinate, sha256_of(path), path.stat().st_size))
    return KafkaLock(KAFKA_VERSION, tuple(sorted(jars, key=lambda jar: jar.coordinate)))


def main() -> None:
    """Resolve the lock and print it, or write it with `--write`."""
    parser = argparse.ArgumentParser(prog="python -m operations.localbroker.jar_lock")
    parser.add_argument("--write", action="store_true", help=f"rewrite {LOCK_PATH.name}")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory(prefix="arena-lock-") as scratch:
        text = dump_lock(resolve_lock(Path(scratch)))
    if write:
        LOCK_PATH.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
