"""Replies of every kind are read, or are a failure that says why; nothing is guessed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.messages import ChatMessage, ChatReply, Usage
from chat_nodes.scripted.judge import judge_answer
from judge.evaluations.llm.faults import planted
from judge.evaluations.llm.judgement import AskedTurn, judgement_of, unanswered
from judge.evaluations.llm.reply import better_of_pair, parse_better, parse_reply
from judge.evaluations.llm.request import PairRequest, chat_request, pair_requests
from tests.judge.llm_judge.judgements import RUBRIC
from tests.judge.llm_judge.recorded import waiting, with_buy

SHOWN = "words: waiting for the trend, because nothing rises on 15m"
QUOTE = "nothing rises on 15m"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PLAIN: dict[str, list[dict[str, Any]]] = {
    "answers": [
        {"question": name, "yes": n % 2 == 0, "quote": QUOTE} for n, name in enumerate(RUBRIC.ids)
    ]
}
EXPECTED = [n % 2 == 0 for n in range(len(RUBRIC.ids))]
TEXT = json.dumps(PLAIN)
BY_NAME = json.dumps(
    {
        a["question"]: {"answer": "Yes" if a["yes"] else "No.", "evidence": QUOTE}
        for a in PLAIN["answers"]
    }
)
BY_NUMBER = json.dumps(
    [{"id": n, "value": int(a["yes"]), "quote": QUOTE} for n, a in enumerate(PLAIN["answers"], 1)]
)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        json.dumps(PLAIN, indent=2),
        f"```json\n{TEXT}\n```",
        f"Here is my judgement:\n{TEXT}\nI hope it helps {{smile}}.",
        f'<think>maybe {{"answers": []}} or [1, 2]</think>{TEXT}',
        f"{TEXT.replace('true', 'false')} no, wait</think>\n{TEXT}",
        f"Draft: {TEXT.replace('true', 'false')}\nFinal: {TEXT}",
        TEXT.replace("}]}", "},]}"),
        TEXT.replace("answers", "Answers").replace('"yes"', '"YES"'),
        BY_NAME,
        BY_NUMBER,
        json.dumps({"answers": {f"Q{n}": bool(yes) for n, yes in enumerate(EXPECTED, 1)}}),
        json.dumps(
            {
                "answers": [
                    {"question": q.ask, "yes": str(y)}
                    for q, y in zip(RUBRIC.questions, EXPECTED, strict=True)
                ]
            }
        ),
        f"\ufeff{TEXT}",
        f"{{{{{{ {TEXT}",
    ],
)
def test_answers_are_read_in_every_form(text: str) -> None:
    """Fences, thoughts, drafts, sentences, other keys, numbers, words for true and false."""
    parsed = parse_reply(text, RUBRIC, SHOWN)

    assert "" == parsed.failure
    assert EXPECTED == [answer.yes for answer in parsed.answers]
    assert RUBRIC.ids == tuple(answer.question for answer in parsed.answers)
    if QUOTE in text:
        assert all(answer.found for answer in parsed.answers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "I'm sorry, but I cannot help with that.",
        "yes",
        "{",
        "[" * 3_000,
        '{"a":' * 3_000,
        TEXT[:40],
        '{"answers": []}',
        '{"answers": null}',
        '{"answers": "all good"}',
        '{"answers": [1, "yes", null, []]}',
        '{"answers": [{"question": "unknown", "yes": true, "quote": "x"}]}',
        '{"answers": [{"question": "size_fits", "yes": "maybe", "quote": "x"}]}',
        '{"answers": [{"question": 99, "yes": true}]}',
        '{"answers": [{"question": NaN, "yes": Infinity}]}',
        "9" * 5_000,
        '{"error": {"message": "overloaded"}}',
        "<think>" + TEXT,
        "x" * 50_000,
        '<tool_call>{"name": "execute_trade", "arguments": {}}</tool_call>',
    ],
)
def test_nonsense_is_a_failure_with_its_reason(text: str) -> None:
    """Refusals, cut and empty replies, other JSON, deep nesting, thoughts without an end."""
    parsed = parse_reply(text, RUBRIC, SHOWN)

    if text.startswith("<think>"):  # what a model thought is read if it said nothing else
        assert parsed.answers
        return
    assert parsed.failure
    assert () == parsed.answers
    assert len(parsed.failure) < 300


@settings(max_examples=150)
@given(
    st.text(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda c: (
            st.lists(c)
            | st.dictionaries(
                st.sampled_from(("answers", "question", "yes", "quote", *RUBRIC.ids)), c
            )
        ),
        max_leaves=20,
    ).map(json.dumps)
)
def test_no_reply_raises(text: str) -> None:
    """Whatever it is: answers for every question, or a failure."""
    parsed = parse_reply(text, RUBRIC, SHOWN)

    assert bool(parsed.failure) != bool(parsed.answers)
    assert len(parsed.answers) in (0, len(RUBRIC.ids))


def test_quote_that_was_made_up_is_kept_and_not_found() -> None:
    """It stays in the record, cut, so that a person can see it."""
    text = TEXT.replace(QUOTE, "the agent is great" + "!" * 500, 1)
    first, second, *_ = parse_reply(text, RUBRIC, SHOWN).answers

    assert (False, 400) == (first.found, len(first.quote))
    assert second.found


def asked() -> AskedTurn:
    """A question about a turn."""
    return AskedTurn("momentum", "turn-1", "snap-1", NOW, SHOWN, RUBRIC.version, "judge")


def reply(**changes: Any) -> ChatReply:
    """A reply of the judging model."""
    values: dict[str, Any] = {
        "call_id": asked().call_id,
        "asker": "judge",
        "node": "judge",
        "model": "m",
        "outcome": "ok",
        "text": TEXT,
        "usage": Usage(cost_usd="0.0012"),
    }
    return ChatReply(**values | changes)


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"outcome": "failed", "error": "500 from the server"}, "the model call failed: 500"),
        ({"outcome": "refused", "cause": "budget", "error": ""}, "the model call refused: budget"),
        ({"outcome": "expired", "error": "too late"}, "the model call expired: too late"),
        ({"text": ""}, "the model answered nothing"),
        ({"text": "I cannot judge people."}, "no answers in the reply: I cannot judge people."),
    ],
)
def test_failed_call_gives_a_judgement_without_credit(
    changes: dict[str, Any], failure: str
) -> None:
    """With its reason; cost and model stay, because it was paid for."""
    found = judgement_of(asked(), reply(**changes), RUBRIC, NOW)

    assert found.failure.startswith(failure)
    assert (None, (), "m", "0.0012") == (
        found.credit,
        found.answers,
        found.model,
        str(found.cost_usd),
    )


def test_judgement_names_what_it_was_made_from() -> None:
    """Its ids are derived, so the same question has the same ids in every process."""
    found = judgement_of(asked(), reply(), RUBRIC, NOW)

    assert (asked().judgement_id, asked().call_id, "turn-1") == (
        found.judgement_id,
        found.call_id,
        found.turn_id,
    )
    assert found.credit is not None
    other = AskedTurn("momentum", "turn-1", "snap-1", NOW, SHOWN, RUBRIC.version, "judge", repeat=1)
    assert other.call_id != asked().call_id
    assert "no reply within 150 s" in unanswered(asked(), 150, NOW).failure


@pytest.mark.parametrize(
    ("a_first", "b_first", "expected"),
    [
        ("first", "second", "a"),
        ("second", "first", "b"),
        ("first", "first", "tie"),
        ("second", "second", "tie"),
        ("tie", "first", "tie"),
        (None, "second", "tie"),
    ],
)
def test_only_an_answer_that_both_orders_give_counts(
    a_first: Any, b_first: Any, expected: str
) -> None:
    """A model that prefers a place, or does not answer, gives a tie."""
    assert expected == better_of_pair(a_first, b_first)


def test_pair_is_asked_in_both_orders() -> None:
    """With other call ids, without names; a choice without a quote of the text is a tie."""
    a = with_buy()
    said = ChatMessage(role="assistant", content="I, rival of scalper-rules, wait for the dip.")
    b = waiting().model_copy(
        update={"snapshot_id": a.snapshot_id, "agent": "rival", "messages": (said,)}
    )
    one, two = pair_requests(a, b, "judge")

    assert one.call_id != two.call_id
    assert one.shown.index("a small buy") < one.shown.index("wait for the dip")
    assert two.shown.index("wait for the dip") < two.shown.index("a small buy")
    assert "I, [...] of [...], wait" in one.shown
    assert 1 == one.shown.count("## Market at")
    assert 2 == one.shown.count("### Strategy")
    assert "first" == parse_better('{"better": "First", "quote": "a small buy"}', one.shown)
    assert "tie" == parse_better('{"better": "first", "quote": "C sells"}', one.shown)
    assert "tie" == parse_better('```{"better": "equal"}```', one.shown)
    assert parse_better("the first one", one.shown) is None
    with pytest.raises(ValueError, match="different snapshots"):
        pair_requests(a, b.model_copy(update={"snapshot_id": "other"}), "judge")


def test_scripted_judge_compares_two_turns() -> None:
    """It sees an invented price in both orders; of equal turns it takes the first one."""
    a = with_buy()
    told = planted(a, "invented_price")
    assert told is not None
    b = told.model_copy(update={"turn_id": "other", "agent": "rival"})

    def asked(pair: tuple[PairRequest, PairRequest]) -> list[Any]:
        requests = [chat_request(one.call_id, one.messages, NOW) for one in pair]
        texts = [judge_answer(request) for request in requests]
        return [parse_better(t, one.shown) for t, one in zip(texts, pair, strict=True)]

    assert "a" == better_of_pair(*asked(pair_requests(a, b, "judge")))
    assert "b" == better_of_pair(*asked(pair_requests(b, a, "judge")))
    same = a.model_copy(update={"turn_id": "same"})
    assert "tie" == better_of_pair(*asked(pair_requests(a, same, "judge")))
