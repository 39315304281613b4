"""The state file: valid, stale, or with the pid of another process."""

import os
from dataclasses import replace
from pathlib import Path

from arena.broker_state import BrokerState, read_state, remove_state, write_state
from arena.processes import started_at

STATE = BrokerState(
    kind="apache-kafka",
    version="4.3.1",
    bootstrap="127.0.0.1:1",
    controller_port=2,
    cluster_id="id",
    durable=True,
    pid=os.getpid(),
    start_time_s=started_at(os.getpid()) or 0.0,
    data_dir="/d",
    log_file="/l",
)


def test_state_survives_writing_and_reading(tmp_path: Path) -> None:
    """The written state is read, and no temporary file is left."""
    path = tmp_path / "broker.json"

    write_state(path, STATE)

    assert STATE == read_state(path)
    assert [path] == list(tmp_path.iterdir())


def test_running_means_the_same_process() -> None:
    """This process is running; one that had its pid an hour ago is not."""
    assert STATE.is_running()
    assert not replace(STATE, start_time_s=STATE.start_time_s - 3600).is_running()


def test_unreadable_states_are_none(tmp_path: Path) -> None:
    """A missing, incomplete or other file is not a state."""
    path = tmp_path / "broker.json"

    for text in ("", "{", "[]", '{"pid": 1}'):
        path.write_text(text)
        assert read_state(path) is None
    assert read_state(tmp_path / "none") is None


def test_only_its_own_state_is_removed(tmp_path: Path) -> None:
    """A broker that ended does not remove the state of a later one."""
    path = tmp_path / "broker.json"
    write_state(path, STATE)

    remove_state(path, STATE.pid + 1)
    assert STATE == read_state(path)

    remove_state(path, STATE.pid)
    assert not path.exists()
