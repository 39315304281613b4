"""Every change of a record in a sealed bundle is found, and the record is named."""

import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena import topics
from arena.errors import UsageError
from arena.runs import RECORDS
from ledger.audit.seal import HASHES, SIGNATURE_FILE, read_seal, seal
from ledger.audit.seal_check import check_seal
from ledger.audit.signing import Signer, is_signed, new_key
from ledger.audit.sources import SEAL_FILE, RecordSource
from tests.ledger.audit.contest_log import EVENTS, TICKERS, ContestLog

SEALED = (EVENTS, TICKERS, topics.TURNS.name, topics.ROSTER.name)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key to sign with."""
    path = tmp_path_factory.mktemp("key") / "audit.pem"
    new_key(path)
    return path


@pytest.fixture(scope="module")
def bundle(sound_log: ContestLog, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle of a few topics; tests change a copy."""
    folder = tmp_path_factory.mktemp("bundle")
    records_by_topic = {topic: sound_log.records[topic] for topic in SEALED}
    log = ContestLog(records_by_topic, {topic: sound_log.spans[topic] for topic in SEALED})
    records = log.write(folder / RECORDS)
    seal(RecordSource("a contest", records), folder / "sealed", signer=Signer.read(key))
    return folder / "sealed"


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A bundle to change."""
    return Path(shutil.copytree(bundle, tmp_path / "sealed"))


def change_rows(bundle: Path, topic: str, rows: list[dict[str, object]]) -> None:
    """Write other rows into the file of a topic, with the same schema."""
    path = bundle / RECORDS / f"{topic}.parquet"
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")


def rows_of(bundle: Path, topic: str) -> list[dict[str, object]]:
    """Return the rows of a topic's file."""
    found: list[dict[str, object]] = pq.read_table(
        bundle / RECORDS / f"{topic}.parquet"
    ).to_pylist()
    return found


def location_of_row(topic: str, row: dict[str, object]) -> str:
    """Return the location of a row."""
    return f"{topic}[{row['partition']}]@{row['offset']}"


def test_unchanged_bundle_passes(bundle: Path, key: Path) -> None:
    """There are no faults, and the lines name the signer and the number of records."""
    found = check_seal(bundle, public_hex=Signer.read(key).public_hex)

    assert [] == found.broken
    assert read_seal(bundle)[0].count == found.records
    assert any("signed by ed25519" in line for line in found.lines)


def test_same_records_give_the_same_seal(sound_log: ContestLog, tmp_path: Path) -> None:
    """No wall time is sealed: two seals of a log are the same bytes."""
    log = ContestLog({EVENTS: sound_log.records[EVENTS]}, {EVENTS: sound_log.spans[EVENTS]})
    records = log.write(tmp_path / RECORDS)

    digests = {seal(RecordSource("it", records), tmp_path / name)[1] for name in ("one", "two")}

    assert 1 == len(digests)


@pytest.mark.parametrize("how", ["value", "key", "header", "timestamp_ms", "missing", "added"])
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(topic=st.sampled_from(SEALED), chance=st.integers(min_value=0, max_value=10**6))
def test_any_changed_record_is_named(
    bundle: Path, tmp_path_factory: pytest.TempPathFactory, how: str, topic: str, chance: int
) -> None:
    """A changed byte, an added or a missing row is reported with its location."""
    changed = Path(shutil.copytree(bundle, tmp_path_factory.mktemp("one") / "sealed"))
    rows = rows_of(changed, topic)
    index = chance % len(rows)
    row = rows[index]
    location = location_of_row(topic, row)
    match how:
        case "value":
            value = row["value"] or b""
            assert isinstance(value, bytes)
            position = chance % max(1, len(value))
            row["value"] = (
                value[:position] + bytes([(value + b"\0")[position] ^ 1]) + value[position + 1 :]
            )
        case "key":
            row["key"] = b"somebody"
        case "header":
            row["headers"] = [("type", b"Forged")]
        case "timestamp_ms":
            row["timestamp_ms"] = int(str(row["timestamp_ms"])) + 1
        case "missing":
            del rows[index]
        case "added":
            last = max(int(str(r["offset"])) for r in rows if r["partition"] == row["partition"])
            added = row | {"offset": last + 1}
            rows.insert(index + 1, added)
            location = location_of_row(topic, added)
    change_rows(changed, topic, rows)

    found = check_seal(changed)

    assert any(line.startswith(f"{location} ") for line in found.broken), found.broken


def test_swapped_records_are_both_named(copy: Path) -> None:
    """Swapped records are distinguished from changed ones."""
    rows = rows_of(copy, EVENTS)
    locations = [location_of_row(EVENTS, rows[i]) for i in (3, 5)]
    for name in ("timestamp_ms", "key", "headers", "value"):
        rows[3][name], rows[5][name] = rows[5][name], rows[3][name]
    change_rows(copy, EVENTS, rows)

    found = check_seal(copy)

    expected = [
        f"{one} swapped with the record of {other}" for one, other in (locations, locations[::-1])
    ]
    assert expected == found.broken


def test_reordered_rows_are_named(copy: Path) -> None:
    """Every record is unchanged, but not at its place in the file."""
    rows = rows_of(copy, EVENTS)
    rows[3], rows[4] = rows[4], rows[3]
    change_rows(copy, EVENTS, rows)

    found = check_seal(copy)

    assert [f"{location_of_row(EVENTS, rows[4])} not in its order in the file"] == found.broken


def test_truncated_file_is_named(copy: Path) -> None:
    """The fault names the last location that could be read."""
    path = copy / RECORDS / f"{EVENTS}.parquet"
    path.write_bytes(path.read_bytes()[:-40])

    found = check_seal(copy)

    assert any("nothing can be read" in line and EVENTS in line for line in found.broken)


@pytest.mark.parametrize("name", [f"{HASHES}/{EVENTS}.parquet", SEAL_FILE, SIGNATURE_FILE])
def test_changed_seal_is_found(copy: Path, name: str) -> None:
    """The hashes, the seal and the signature prove each other."""
    path = copy / name
    content = path.read_bytes()
    position = content.rindex(b"sha256") + 12 if name == SEAL_FILE else len(content) // 2
    other = b"0" if content[position : position + 1] != b"0" else b"1"
    path.write_bytes(content[:position] + other + content[position + 1 :])

    broken = check_seal(copy).broken

    assert any(name in line or "signed" in line for line in broken), broken


def test_missing_signature_is_found(copy: Path) -> None:
    """A seal that names its signer must have a signature."""
    (copy / SIGNATURE_FILE).unlink()

    assert [f"{SIGNATURE_FILE} is missing, but seal.json says it is signed"] == (
        check_seal(copy).broken
    )


def test_bundle_sealed_again_is_found_by_key_and_digest(
    bundle: Path, key: Path, tmp_path: Path
) -> None:
    """A forger who seals again has another key, and gets another digest."""
    digest = hashlib.sha256((bundle / SEAL_FILE).read_bytes()).hexdigest()
    new_key(tmp_path / "forger.pem")
    forger = Signer.read(tmp_path / "forger.pem")
    seal(RecordSource("a contest", bundle / RECORDS), tmp_path / "forged", signer=forger)

    public_hex = Signer.read(key).public_hex
    assert [] == check_seal(tmp_path / "forged").broken
    assert [f"seal.json is signed by {forger.public_hex}, not by {public_hex}"] == (
        check_seal(tmp_path / "forged", public_hex=public_hex).broken
    )
    assert 1 == len(check_seal(tmp_path / "forged", sha256=digest).broken)


def test_key_file_is_private(tmp_path: Path) -> None:
    """It is created with mode 0600, never overwritten, and refused if others can read it."""
    path = tmp_path / "audit.pem"
    public = new_key(path)

    assert 0o600 == path.stat().st_mode & 0o777
    assert is_signed(b"text", Signer.read(path).sign(b"text").hex(), public)
    assert not is_signed(b"texT", Signer.read(path).sign(b"text").hex(), public)
    with pytest.raises(UsageError, match="already exists"):
        new_key(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        Signer.read(path)


def test_folder_with_files_is_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    """Nothing is overwritten."""
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(UsageError, match="already exists"):
        seal(RecordSource("it", bundle / RECORDS), tmp_path)
