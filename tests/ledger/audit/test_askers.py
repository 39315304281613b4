"""Requests of the judge: their replies are checked, and they do not count as an agent's calls."""

import pytest

from arena import ids, topics
from arena.exports import PartitionSpan
from ledger.audit.checker import InvariantStatus
from tests.ledger.audit.contest_log import ContestLog, Json, body_of, reports

INBOX = topics.JUDGE_INBOX.name


@pytest.fixture
def asked(log: ContestLog) -> tuple[ContestLog, str, Json]:
    """A sound log in which the judge asked a model; the topic, and the request."""
    log.records.setdefault(INBOX, [])
    log.spans.setdefault(INBOX, {0: PartitionSpan(first=0, end=0, count=0)})
    topic = next(t for t in log.records if t.startswith(topics.PROMPTED.name))
    first = next(r for r in log.records[topic] if r.partition == 0)
    request = question(body_of(first))
    log.append(topic, request, "ChatRequest", key="judge", at_ms=first.timestamp_ms)
    return log, topic, request


def question(agents: Json) -> Json:
    """The judge's request, with the time of an agent's; its deadline has passed."""
    times = {"issued_at": agents["issued_at"], "deadline_at": agents["issued_at"]}
    call_id = ids.derive("judge", "question", 1)
    own: Json = {"asker": "judge", "call_id": call_id, "reply_to": INBOX, "agent": ""}
    return {"messages": agents["messages"]} | times | own


def answer(log: ContestLog, request: Json) -> None:
    """Append the reply to the judge."""
    reply = {"asker": "judge", "call_id": request["call_id"], "node": "m", "model": "m"}
    log.append(INBOX, reply | {"outcome": "ok"}, "ChatReply")


def test_answered_request_of_the_judge_passes(asked: tuple[ContestLog, str, Json]) -> None:
    """It is counted apart, and every invariant holds."""
    log, _, request = asked
    answer(log, request)

    found = log.results()

    assert {InvariantStatus.PASS} == {result.status for result in found.values()}
    assert 1 == found[10].counts["of askers without a turn"]


def test_lost_reply_of_the_judge_is_reported(asked: tuple[ContestLog, str, Json]) -> None:
    """The deadline passed before the last record, and nothing answered."""
    log, topic, request = asked
    late = request | {"call_id": "later"}
    log.append(topic, late, "ChatRequest", key="judge")
    answer(log, late)

    failed = log.failed()

    offset = log.find(topic, lambda _, body: body["call_id"] == request["call_id"])
    place = f"{topic}[0]@{log.records[topic][offset].offset}"
    assert 10 in failed
    assert reports(failed[10], place)


def test_reply_in_an_inbox_of_another_does_not_count(asked: tuple[ContestLog, str, Json]) -> None:
    """The judge does not read the inboxes of agents."""
    log, topic, request = asked
    other = next(name for name in log.records if name.startswith(topics.INBOX.name))
    reply = {"asker": "judge", "call_id": request["call_id"], "node": "m", "model": "m"}
    log.append(other, reply | {"outcome": "ok"}, "ChatReply")
    later = request | {"call_id": "later"}
    log.append(topic, later, "ChatRequest", key="judge")
    answer(log, later)

    assert 10 in log.failed()


def test_reply_to_another_inbox_must_be_a_dead_letter(
    asked: tuple[ContestLog, str, Json],
) -> None:
    """The chat node refuses a request of the judge for an agent's inbox."""
    log, topic, request = asked
    answer(log, request)
    wrong = request | {"call_id": "wrong", "reply_to": "agent.inbox.momentum"}
    log.append(topic, wrong, "ChatRequest", key="judge")
    later = request | {"call_id": "later"}
    log.append(topic, later, "ChatRequest", key="judge")
    answer(log, later)

    assert {13} == log.failed().keys()
