"""The reply buffer of a turn: the first reply to a call counts, whenever it comes."""

from arena.messages import ChatReply, Heartbeat, ToolResult
from routers.reply_buffer import REPLIES_MAX, ReplyBuffer
from tests.routers.builders import WALL


def result(call_id: str, text: str = "", turn_id: str = "turn") -> ToolResult:
    """A tool's result."""
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
    """A model's reply."""
    return ChatReply(
        call_id=call_id,
        agent="alpha",
        turn_id="turn",
        round=0,
        node="model",
        model="m",
        outcome="ok",
    )


def buffer() -> ReplyBuffer:
    """The buffer of a turn that has started."""
    found = ReplyBuffer()
    found.begin("turn")
    return found


def test_reply_waits_until_its_call_is_made() -> None:
    """An early reply is not lost; others stay in the buffer."""
    found = buffer()
    assert found.put(result("early"))
    assert found.put(reply("asked"))

    assert reply("asked") == found.take({"asked"})
    assert None is found.take({"asked"})
    assert result("early") == found.take({"early", "asked"})
    assert not found


def test_second_reply_is_dropped() -> None:
    """Whether the first one is still waiting or was taken."""
    found = buffer()

    assert [True, False] == [found.put(result("a", text)) for text in ("first", "second")]
    assert result("a", "first") == found.take({"a"})
    assert not found.put(result("a", "third"))


def test_replies_from_the_inbox_count_before_newer_ones() -> None:
    """The first of several replies in the inbox counts."""
    found = buffer()
    found.put(result("a", "since"))
    found.put(result("b", "since"))
    found.put_earlier([result("a", "older"), result("a", "later"), result("c", turn_id="other")])

    assert ["older", "since", None] == [
        answer.text if (answer := found.take({call})) else None for call in "abc"
    ]


def test_other_turns_and_messages_are_dropped() -> None:
    """So is everything without a turn, and beyond the bound."""
    beat = Heartbeat(node="n", kind="k", name="n", host="h", pid=1, started_at=WALL, at=WALL)
    found = buffer()

    assert not found.put(result("a", turn_id="other"))
    assert not found.put(beat)
    assert [True] * REPLIES_MAX == [found.put(result(str(n))) for n in range(REPLIES_MAX)]
    assert not found.put(result("one more"))
    assert REPLIES_MAX == found.end()
    assert not found.put(result("a"))
