"""Words that look like a call are carried out only if they are meant, else reported."""

import json
from time import process_time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.decode import Decoded, decode_reply

TOOLS = ("execute_trade", "get_portfolio")
BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'
NAMED = f'{{"name": "execute_trade", "arguments": {BUY}}}'
LOOK = '{"name": "get_portfolio", "arguments": {}}'
CALL = f"<tool_call>{NAMED}</tool_call>"
ELEMENT = f"<function=execute_trade>{BUY}</function>"
PYTHON = 'execute_trade(product_id="BTC-USD", quantity="0.01", action="buy")'
POSITIONAL = 'execute_trade("BTC-USD", "0.01", "buy")'
YAML = "execute_trade:\n  product_id: BTC-USD\n  quantity: 0.01\n  action: buy"


def decoded(text: str, *called: tuple[str, str]) -> Decoded:
    """The answer with a text, and with tool calls."""
    calls = [
        {"id": f"c{i}", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(called)
    ]
    message = {"content": text} | ({"tool_calls": calls} if calls else {})
    choice = {"message": message, "finish_reason": "stop"}
    return decode_reply(orjson.dumps({"choices": [choice]}), TOOLS)


@pytest.mark.parametrize(
    "text",
    [
        f"If it falls I would answer with {CALL}, but for now I hold.",
        f"If it falls I would answer with\n{CALL}\nbut for now I hold.",
        f"If it falls:\n{CALL}\nFor now I hold.",
        f"I would answer with {CALL}",
        f"I do not send this call: {CALL}",
        f"For example:\n{ELEMENT}",
        f"{CALL} is what I would send.",
        f"{CALL}\nThat is an example.",
        f"{CALL}\n但我现在持有。",
        f"{CALL}\n{'It rises. ' * 40}",
        f"{ELEMENT}, perhaps.",
        f"[TOOL_CALLS][{NAMED}] comes later.",
        f"I could send `{CALL}`.",
        f'I could send "{CALL}"',
        f"“{CALL}”",
        f"`{CALL}`",
        f"I hold; a buy:\n```xml\n{CALL}\n```",
        f"```xml\n{CALL}\n```\nI hold.",
        f"```tool_call\n{NAMED}\n```\nbut I hold.",
        f"{CALL}\n<tool_call>{LOOK}</tool_call> would be my calls.",
    ],
)
def test_quoted_or_retracted_call_is_reported(text: str) -> None:
    """Words after it, quotation marks, or a condition before it: not an order, not a hold."""
    answer = decoded(text)

    assert ("ok", ()) == (answer.outcome, answer.tool_calls)
    assert "is not carried out" in answer.unreadable


@pytest.mark.parametrize(
    "text",
    [
        f"I buy.\n{CALL}",
        f"I would like to buy: {CALL}",
        f"If it fell, I waited. Now I buy.\n{CALL}",
        f"{CALL}.",
        f"{CALL}\nI buy because momentum is up.",
        f"{CALL}\n\nLet me wait for the result.",
        f'{CALL}<tool_response>{{"status": "filled"}}</tool_response>\nI hold now.',
        f"Action: execute_trade\nAction Input: {BUY}\nObservation: bought, so I hold",
        f"```xml\n{CALL}\n```",
        f"```\n{CALL}\n```",
        f"```{CALL}```",
        f"I buy:\n```tool_call\n{NAMED}\n```\nDone.",
        f"{CALL}\n{CALL}\nDone.",
        f"I call it:\n```json\n{NAMED}\n```\n{CALL}",
        f'<tool_call name="execute_trade">{BUY}</tool_call>',
        f"<tool_call name='execute_trade'>\n{BUY}",
        '<tool_call name="execute_trade"><parameter name="product_id">BTC-USD</parameter>'
        '<parameter name="quantity">0.01</parameter><parameter name="action">buy</parameter>'
        "</tool_call>",
    ],
)
def test_intended_call_is_carried_out_once(text: str) -> None:
    """With words before it, a short remark after it, and a result that the model made up."""
    answer = decoded(text)

    assert [json.loads(BUY)] == [json.loads(call.arguments) for call in answer.tool_calls]
    assert "" == answer.unreadable


@pytest.mark.parametrize(
    "text",
    [
        f"&lt;tool_call&gt;{NAMED}&lt;/tool_call&gt;",
        "&lt;function=execute_trade&gt;...",
        f"＜tool_call＞{NAMED}＜/tool_call＞",
        f"<tool_call name=\"execute_trade\" arguments='{BUY}'/>",
        f'<tool_call id="1">{NAMED}</tool_call>',
        f'{{"thought": "up", "actions": [{{"tool": "execute_trade", "args": {BUY}}}]}}',
        f'{{"execute_trade": {BUY}}}',
        "{'name': 'execute_trade', 'arguments': {'quantity': '0.01'}}",
        json.dumps(NAMED),
        YAML,
        f"I buy.\n\n```yaml\n{YAML}\n```",
        "tool: execute_trade\nargs:\n  quantity: 0.01",
        "Tool: execute_trade, Arguments: quantity 0.01",
        f"```execute_trade\n{BUY}\n```",
        f"I buy.\n\n{POSITIONAL}",
        f"I buy: {PYTHON}",
        "I buy: execute_trade(BTC-USD, 0.01, buy)",
        f"I buy.\n\nexecute_trade {BUY}",
        "execute_trade product_id=BTC-USD quantity=0.01 action=buy",
        BUY,
        f"[{BUY}]",
        f"My decision:\n```json\n{BUY}\n```",
        f"My decision: {BUY}.",
        BUY.replace('"', "'"),
        BUY[:-10],
        '{"decision": {"action": "BUY", "product": "BTC-USD", "amount": 0.01}}',
        '{"action": "sell", "order": {"product_id": "BTC-USD", "quantity": "0.01"}}',
        '{"product_id": "BTC-USD", "quantity": "0.01"}',
        "product_id: BTC-USD\nquantity: 0.01\naction: buy",
    ],
)
def test_call_in_an_unknown_shape_is_reported(text: str) -> None:
    """It is neither carried out on a guess nor taken for a hold."""
    answer = decoded(text)

    assert ("ok", ()) == (answer.outcome, answer.tool_calls)
    assert answer.unreadable.endswith("this one was not carried out")


@pytest.mark.parametrize(
    "text",
    [
        '{"action": "hold", "product_id": "BTC-USD", "quantity": 0}',
        '{"decision": "hold", "confidence": 0.9, "reason": "the product is flat"}',
        '{"positions": [{"product_id": "BTC-USD", "quantity": "0.5"}], "cash": "10"}',
        '{"action": "buy", "product_id": "BTC-USD", "quantity": "0.01", "status": "filled"}',
        'Summary: {"tool": "execute_trade", "status": "filled"}',
        "execute_trade: I do not use it.",
        "execute_trade:\n- bought 0.01 BTC",
        "execute_trade:\n  status: filled",
        "Tool: execute_trade\nResult: bought",
        "Based on get_portfolio() I hold.",
        "I used `get_portfolio` and `execute_trade`: all done.",
        "| product_id | quantity |\n|---|---|\n| BTC-USD | 0.5 |",
        "I would buy BTC-USD if it fell, but I hold.",
    ],
)
def test_summary_is_not_a_call(text: str) -> None:
    """Decisions to hold, positions, reports and mentions stay text."""
    answer = decoded(text)

    assert ((), "", text) == (answer.tool_calls, answer.unreadable, answer.text)


ORDER = ("execute_trade", BUY)
LOOKED = ("get_portfolio", "{}")


@pytest.mark.parametrize(
    ("text", "called", "reported"),
    [
        (CALL, LOOKED, "as text beside calls of the tool interface"),
        (f"I hold; a buy:\n```json\n{NAMED}\n```", LOOKED, "a fence among other words"),
        (f"I buy: {POSITIONAL}", LOOKED, "a call in Python"),
        (f"I buy: {BUY}", LOOKED, "without the name of a tool"),
        ('<tool_call>{"name": "execute_trade", "argu', LOOKED, "it is cut"),
        (CALL.replace("0.01", "0.5"), ORDER, "as text beside calls of the tool interface"),
        (CALL, ORDER, ""),
        (CALL.replace('"0.01"', "0.01"), ORDER, ""),
        (f"I hold; a buy:\n```json\n{NAMED}\n```", ORDER, ""),
        (f"I buy: {POSITIONAL}", ORDER, ""),
        (f"I buy: {BUY}", ORDER, ""),
        ('<tool_call>{"name": "execute_trade", "argu', ORDER, ""),
        ("<tool_call>", LOOKED, ""),
        ("[TOOL_CALLS]", ORDER, ""),
        ("I buy.", ORDER, ""),
        (f"<think>{CALL}</think>I look.", LOOKED, ""),
    ],
)
def test_text_call_beside_tool_calls_is_reported(
    text: str, called: tuple[str, str], reported: str
) -> None:
    """The tool call counts; another order in the text is reported, the same order is not."""
    answer = decoded(text, called)

    assert [called] == [(call.name, call.arguments) for call in answer.tool_calls]
    assert bool(reported) == bool(answer.unreadable)
    assert reported in answer.unreadable


PIECES = [CALL, ELEMENT, NAMED, BUY, PYTHON, POSITIONAL, YAML, "&lt;tool_call&gt;", "`", '"', "\n"]
PIECES += ["```json\n", "```", "<tool_call>", "{", "}", '"tool": "execute_trade"', "(", " I hold. "]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=16).map("".join))
def test_written_order_is_never_a_hold(text: str) -> None:
    """A complete call is one order or one reported sentence, whatever is around it."""
    answer = decoded(f"{text}{CALL}")

    assert len(answer.tool_calls) == len({call.arguments for call in answer.tool_calls})
    assert answer.tool_calls or answer.unreadable or "</think>" in text


@pytest.mark.parametrize(
    "piece",
    [
        *PIECES,
        '{"name": ',
        '{"name": "execute_trade", "arguments": {"a": [1',
        '\n{"name": "execute_trade", "arguments": {"a": [1',
        "{'tool': 'execute_trade', ",
        '{"action": "buy", "product_id": ',
        '"action": "buy" ',
        "execute_trade(a={",
        "execute_trade:\n ",
        "a-",
        "tool: execute_trade\n",
        "<tool ",
        "{" + "a" * 599,
        f"`{CALL}",
        f"{CALL} x ",
    ],
)
def test_long_texts_are_searched_quickly(piece: str) -> None:
    """64 KB of one piece take less than a second of CPU."""
    text = piece * (65_536 // len(piece))
    began_s = process_time()
    decoded(text)
    decoded(f"product_id execute_trade {text}", LOOKED)

    assert process_time() - began_s < 1.0
