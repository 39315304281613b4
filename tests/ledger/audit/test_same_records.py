"""Two runs are compared record by record, but for what `IGNORED` lists."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena import topics
from arena.bus.base import Record
from ledger.audit.same_records import (
    IGNORED,
    TopicComparison,
    compare_records,
    compare_topic,
    first_difference,
)
from ledger.cli_audit import audit_app
from tests.ledger.audit.contest_log import (
    EVENTS,
    SNAPSHOTS,
    TURNS,
    ContestLog,
    Json,
    body_of,
    kind_of,
)


def compared(before: ContestLog, after: ContestLog, topic: str) -> TopicComparison:
    """Compare a topic of two logs."""
    return compare_topic(lambda: before.records[topic], lambda: after.records[topic])


def test_the_same_records_are_the_same(sound_log: ContestLog) -> None:
    """Every topic of a run with itself."""
    log = sound_log.records

    def read(topic: str) -> Callable[[], list[Record]]:
        return lambda: log[topic]

    found = compare_records(list(log), read, read)

    assert [topic for topic, one in found.items() if one.different] == []
    assert found[EVENTS].counts == (len(log[EVENTS]), len(log[EVENTS])) != (0, 0)


@pytest.mark.parametrize("ignored", [i for i in IGNORED if "/" not in i.path and not i.kind])
def test_ignored_fields_are_in_the_messages_of_their_topic(ignored: tuple[str, str, str]) -> None:
    """A field of the table that no message has any more would ignore nothing."""
    import arena.messages as messages

    topic, field = ignored[0], ignored[1]
    spec = topics.spec_of(f"{topic}x" if topic.endswith(".") else topic)
    assert any(field in getattr(messages, name).model_fields for name in spec.messages)


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        (SNAPSHOTS, {"published_at": "2030-01-01T00:00:00Z"}),
        (TURNS, {"started_at": "2030-01-01T00:00:00Z", "total_ms": 77.0}),
        (EVENTS, {"at": "2030-01-01T00:00:00Z", "owner": "another", "seq": 99, "prev": "f" * 64}),
    ],
)
def test_what_is_ignored_may_differ(log: ContestLog, topic: str, change: Json) -> None:
    """Wall time, durations, processes and places."""
    before = log.copy()
    body = body_of(log.change(topic, len(log.records[topic]) - 1, lambda body: None))
    log.change(topic, len(log.records[topic]) - 1, lambda body: body.update(change))

    assert set(change) <= set(body)
    assert compared(before, log, topic).different == 0


def test_a_changed_price_is_named(log: ContestLog) -> None:
    """The place in both runs, the agent, the field and both values."""
    before = log.copy()
    index = log.find(EVENTS, lambda _, body: body.get("outcome") == "filled")
    price = body_of(log.records[EVENTS][index])["price"]
    record = log.change(EVENTS, index, lambda body: body.update(price="1.5"))

    found = compared(before, log, EVENTS)

    assert found.different == 1
    (difference,) = found.differences
    assert difference.offsets == (record.offset, record.offset)
    assert difference.stream.name == body_of(record)["agent"]
    assert difference.text == f'value.price: "{price}", and "1.5"'


def test_the_order_counts_within_an_agent_only(log: ContestLog) -> None:
    """Turns of two agents may change places, those of one may not."""
    before = log.copy()
    turns = log.records[TURNS]
    index = next(
        n
        for n in range(len(turns) - 1)
        if body_of(turns[n])["agent"] != body_of(turns[n + 1])["agent"]
    )
    turns[index], turns[index + 1] = turns[index + 1], turns[index]
    assert compared(before, log, TURNS).different == 0

    agent = body_of(turns[0])["agent"]
    own = [n for n, r in enumerate(turns) if body_of(r)["agent"] == agent and kind_of(r) == "Turn"]
    turns[own[0]], turns[own[1]] = turns[own[1]], turns[own[0]]
    assert compared(before, log, TURNS).different == 2


def test_a_missing_record_is_named(log: ContestLog) -> None:
    """Either run may lack one."""
    before = log.copy()
    log.records[SNAPSHOTS].pop()

    for first, second, which in ((before, log, "first"), (log, before, "second")):
        found = compared(first, second, SNAPSHOTS)
        assert found.different == 1
        assert found.differences[0].text == f"only the {which} run has this MarketSnapshot"
        assert None in found.differences[0].offsets


def test_types_and_names_are_compared() -> None:
    """A number is not its text, and the order of fields counts: records are compared by bytes."""
    assert first_difference({"a": [1, 2]}, {"a": [1, 2]}) == ""
    assert first_difference({"a": [1, 2]}, {"a": [1, "2"]}) == 'a[1]: 2, and "2"'
    assert first_difference({"a": 1, "b": 2}, {"b": 2, "a": 1}).startswith("fields: ")
    assert first_difference({"a": 1}, {"a": 1.0}) == "a: 1, and 1.0"


def test_the_command_says_what_differs(
    sound_records: Path, log: ContestLog, tmp_path: Path
) -> None:
    """Exit code 0 and 1; a run without a judge can be compared with one that has it."""
    runner = CliRunner()
    same = runner.invoke(audit_app, ["compare", str(sound_records), str(sound_records)])
    assert same.exit_code == 0
    assert "The same " in same.stdout

    index = log.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    log.change(TURNS, index, lambda body: body.update(final_text="another word"))
    other = log.write(tmp_path / "records")
    outcome = runner.invoke(audit_app, ["compare", str(sound_records), str(other), "--json"])
    assert outcome.exit_code == 1
    document = json.loads(outcome.stdout)
    assert document["same"] is False
    assert [t for t, found in document["topics"].items() if found["different"]] == [TURNS]
    assert "another word" in document["topics"][TURNS]["differences"][0]["text"]
