"""The mail of a turn: the first answer to a call counts, whenever it comes."""

from arena.messages import ChatReply, Heartbeat, ToolResult
from routers.reply_buffer import REPLIES_MAX, ReplyBuffer
from tests.routers.builders import WALL


def result(call_id: str, text: str = "", turn_id: str = "turn") -> ToolResult:
    """A tool's answer."""
    return ToolResult(
        call_id=call_id,
        agent="alpha",
        turn_id=turn_id,
        round=0,
        index=0,
        tool="get_portfolio",
        ok=True,
        text=text,
    )


def reply(call_id: str) -> ChatReply:
    """A model's answer."""
    return ChatReply(
        call_id=call_id,
        agent="alpha",
        turn_id="turn",
        round=0,
        node="model",
        model="m",
        outcome="ok",
    )


def mail() -> ReplyBuffer:
    """The mail of a turn that was begun."""
    found = ReplyBuffer()
    found.begin("turn")
    return found


def test_an_answer_waits_until_its_call_is_made() -> None:
    """One that came early is not lost; others stay where they are."""
    found = mail()
    assert found.put(result("early"))
    assert found.put(reply("asked"))

    assert reply("asked") == found.take({"asked"})
    assert None is found.take({"asked"})
    assert result("early") == found.take({"early", "asked"})
    assert not found


def test_a_second_answer_is_refused() -> None:
    """Whether the first one waits or was taken."""
    found = mail()

    assert [True, False] == [found.put(result("a", text)) for text in ("first", "second")]
    assert result("a", "first") == found.take({"a"})
    assert not found.put(result("a", "third"))


def test_what_stood_in_the_inbox_counts_before_what_came_since() -> None:
    """The first of several answers in the inbox is the one that counts."""
    found = mail()
    found.put(result("a", "since"))
    found.put(result("b", "since"))
    found.put_earlier([result("a", "older"), result("a", "later"), result("c", turn_id="other")])

    assert ["older", "since", None] == [
        answer.text if (answer := found.take({call})) else None for call in "abc"
    ]


def test_nobody_waits_for_other_turns_or_other_messages() -> None:
    """Nor for anything while no turn is played, nor beyond the bound."""
    beat = Heartbeat(node="n", kind="k", name="n", host="h", pid=1, started_at=WALL, at=WALL)
    found = mail()

    assert not found.put(result("a", turn_id="other"))
    assert not found.put(beat)
    assert [True] * REPLIES_MAX == [found.put(result(str(n))) for n in range(REPLIES_MAX)]
    assert not found.put(result("one more"))
    assert REPLIES_MAX == found.end()
    assert not found.put(result("a"))
