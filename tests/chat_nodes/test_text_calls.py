"""Calls written as text are recovered, reported to the model, or left as text."""

import json
from time import process_time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.decode import decode_reply
from chat_nodes.text_calls import RecoveredCalls, recover
from chat_nodes.thoughts import split_thoughts

TOOLS = ("execute_trade", "get_portfolio")
BUY = '{"product_id": "BTC-USD", "quantity": "0.010"}'
BOUGHT = ("execute_trade", json.loads(BUY))
LOOKED: tuple[str, object] = ("get_portfolio", {})
NAMED = f'{{"name": "execute_trade", "arguments": {BUY}}}'
LOOK = '{"name": "get_portfolio", "arguments": {}}'
XML = "<parameter=product_id>\nBTC-USD\n</parameter><parameter=quantity>0.010</parameter>"
ATTRIBUTES = (
    '<parameter name="product_id">BTC-USD</parameter>\n<parameter name="quantity">0.010</parameter>'
)
GLM = (
    "<arg_key>product_id</arg_key>\n<arg_value>BTC-USD</arg_value>\n"
    "<arg_key>quantity</arg_key>\n<arg_value>0.010</arg_value>"
)
DEEPSEEK = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
KIMI = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.execute_trade:0"
    f"<|tool_call_argument_begin|>{BUY}<|tool_call_end|><|tool_calls_section_end|>"
)
DSML = (
    '<｜DSML｜function_calls><｜DSML｜invoke name="execute_trade">'
    '<｜DSML｜parameter name="product_id" string="true">BTC-USD</｜DSML｜parameter>'
    '<｜DSML｜parameter name="quantity" string="true">0.010</｜DSML｜parameter>'
    "</｜DSML｜invoke></｜DSML｜function_calls>"
)
GEMMA = '<|tool_call>call:execute_trade{product_id:<|"|>BTC-USD<|"|>,quantity:<|"|>0.010<|"|>}'
ESCAPED = "call:execute_trade{product_id:<escape>BTC-USD<escape>,quantity:<escape>0.010<escape>}"
HARMONY = (
    "<|channel|>analysis<|message|>It rises.<|end|><|start|>assistant<|channel|>commentary "
    f"to=functions.execute_trade <|constrain|>json<|message|>{BUY}<|call|>"
)
PYTHON = "execute_trade(product_id=\"BTC-USD\", quantity='0.010')"


def recover_calls(text: str, tools: tuple[str, ...] = TOOLS) -> RecoveredCalls:
    """The calls recovered from a text with its thoughts."""
    return recover(split_thoughts(text), tools)


def calls(recovered: RecoveredCalls) -> list[tuple[str, object]]:
    """Names and parsed arguments."""
    return [(call.name, json.loads(call.arguments)) for call in recovered.calls]


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>\n{NAMED}\n</tool_call>",
        f"<tool_call>{NAMED}",
        f"<tool_call>{NAMED}</tool_call><|im_end|>",
        f"<TOOLCALL>[{NAMED}]</TOOLCALL>",
        f"<tool_calls>[{NAMED}]</tool_calls>",
        f"<|tool_call|>[{NAMED}]<|/tool_call|>",
        f"<function_call>{NAMED}</function_call>",
        f"<tool_call>\n<function=execute_trade>\n{XML}\n</function>\n</tool_call>",
        f"<function=execute_trade>{XML}</function>",
        f"<tool_call>execute_trade\n{GLM}\n</tool_call>",
        f"<function=execute_trade>{BUY}</function>",
        f"<function=execute_trade{BUY}>",
        f"<function=execute_trade({BUY})</function>",
        f"<|python_tag|>{NAMED}<|eom_id|>",
        f'{{"type": "function", "name": "execute_trade", "parameters": {BUY}}}',
        f'{{"function": {{"name": "execute_trade", "arguments": {json.dumps(BUY)}}}}}',
        f'{{"tool_calls": [{{"id": "1", "type": "function", "function": {NAMED}}}]}}',
        f'{{"tool": "execute_trade", "args": {BUY}}}',
        f"[{PYTHON}]",
        PYTHON,
        f"<|python_tag|>[{PYTHON}]",
        f"<|tool_call_start|>[{PYTHON}]<|tool_call_end|>",
        f"```tool_code\nprint(default_api.{PYTHON})\n```",
        f"[TOOL_CALLS][{NAMED}]</s>",
        f"[TOOL_CALLS]execute_trade[ARGS]{BUY}",
        f"[TOOL_CALLS]execute_trade[CALL_ID]a1b2c3d4e[ARGS]{BUY}",
        f"[TOOL_CALLS]execute_trade{BUY}",
        f"[TOOL_REQUEST]{NAMED}[END_TOOL_REQUEST]",
        KIMI,
        f"execute_trade:0<|tool_call_argument_begin|>{BUY}<|tool_call_end|>",
        DEEPSEEK.format(f"execute_trade<｜tool▁sep｜>{BUY}"),
        DEEPSEEK.format(f"function<｜tool▁sep｜>execute_trade\n```json\n{BUY}\n```"),
        DSML,
        HARMONY,
        f"{GEMMA}<tool_call|>",
        f"<start_function_call>{ESCAPED}<end_function_call>",
        f'<invoke name="execute_trade">\n{ATTRIBUTES}\n</invoke>',
        f'<function_calls><invoke name="execute_trade">{ATTRIBUTES}</invoke></function_calls>',
        ']<]minimax[>[<minimax:tool_call>\n<invoke name="execute_trade">'
        f"{ATTRIBUTES}</invoke></minimax:tool_call>",
        f"```json\n{NAMED}\n```",
        f"```tool_call\n{NAMED}\n```",
        f"```\n[{NAMED}]\n```",
        f"```xml\n<tool_call>{NAMED}</tool_call>\n```",
        f"Action: execute_trade\nAction Input: {BUY}",
        f'<|START_ACTION|>[{{"tool_name": "execute_trade", "parameters": {BUY}}}]<|END_ACTION|>',
    ],
)
def test_call_is_recovered_from_every_shape(text: str) -> None:
    """Each shape gives one order, exactly as written, and no text remains."""
    recovered = recover_calls(text)

    assert [BOUGHT] == calls(recovered)
    assert ("", "") == (recovered.text, recovered.unreadable)


@pytest.mark.parametrize(
    ("text", "expected", "rest"),
    [
        (f"Now.\n<tool_call>{NAMED}</tool_call>\nDone.", [BOUGHT], "Now.\nDone."),
        (f"<tool_call>{NAMED}</tool_call><tool_call>{LOOK}</tool_call>", [BOUGHT, LOOKED], ""),
        (f"<tool_call>{NAMED}\n{LOOK}</tool_call>", [BOUGHT, LOOKED], ""),
        (f"{NAMED}; {LOOK}", [BOUGHT, LOOKED], ""),
        (f"[{NAMED}, {LOOK}]", [BOUGHT, LOOKED], ""),
        (f"[{PYTHON}, get_portfolio()]", [BOUGHT, LOOKED], ""),
        (f"<function_calls>\n{PYTHON}\nget_portfolio()\n</function_calls>", [BOUGHT, LOOKED], ""),
        ("<tool_call>get_portfolio</tool_call>", [LOOKED], ""),
        (f"[TOOL_CALLS]execute_trade[ARGS]{BUY}get_portfolio[ARGS]{{}}", [BOUGHT, LOOKED], ""),
        (f"<tool_call>{LOOK}</tool_call>\n{NAMED}", [LOOKED], NAMED),
        (f"<tool_call>{LOOK}</tool_call> {PYTHON}", [LOOKED], PYTHON),
        (f"I buy:\n```tool_call\n{NAMED}\n```", [BOUGHT], "I buy:"),
        (f"```json\n{NAMED}\n```\n```json\n{LOOK}\n```", [BOUGHT, LOOKED], ""),
        (f"<think>Hm.</think>I buy.\n<tool_call>{NAMED}</tool_call>", [BOUGHT], "I buy."),
    ],
)
def test_several_calls_keep_order_and_text(
    text: str, expected: list[tuple[str, object]], rest: str
) -> None:
    """Text after a closed call is not a call by itself."""
    recovered = recover_calls(text)

    assert expected == calls(recovered)
    assert rest == recovered.text


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{NAMED}</tool_call>\n<tool_call>{NAMED}</tool_call>",
        f"<tool_call>{NAMED}</tool_call>\n<function=execute_trade>{XML}</function>",
        f"<tool_call>{NAMED}</tool_call>\n<function=execute_trade>{BUY[:-9]} 0.010}}</function>",
        f"[{NAMED}, {NAMED}]",
        f"```json\n{NAMED}\n```\n```json\n{NAMED}\n```",
        f"{HARMONY}<|start|>assistant<|channel|>final<|message|><tool_call>{NAMED}</tool_call>",
    ],
)
def test_call_written_twice_is_one_order(text: str) -> None:
    """In one shape or in two, with a number or its digits as text."""
    recovered = recover_calls(text)

    assert ["execute_trade"] == [call.name for call in recovered.calls]
    assert ("", "") == (recovered.text, recovered.unreadable)


@pytest.mark.parametrize(
    "text",
    [
        "I could call execute_trade (a buy), but I hold.",
        "execute_trade is not needed now.",
        "Use `<tool_call>` to call execute_trade.",
        "1 < 2, [hold], {hold} and `execute_trade`.",
        '{"decision": "hold", "confidence": 0.9}',
        '{"name": "BTC", "type": "coin"}',
        '```json\n{"decision": "hold"}\n```',
        "```python\nprint(1)\n```",
        "[hold]",
    ],
)
def test_mention_of_a_tool_is_not_a_call(text: str) -> None:
    """Nothing is recovered and nothing is reported."""
    assert RecoveredCalls(text) == recover_calls(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('<tool_call>{"name": "execute_trade", "arguments": {"q', "it is cut"),
        ('<tool_call>{"name": "buy", "arguments": {}}</tool_call>', "there is no tool 'buy'"),
        ('{"name": "buy", "arguments": {}}', "there is no tool 'buy'"),
        ("<tool_call></tool_call>", "no call follows"),
        ("[TOOL_CALLS] of course", "no arguments follow the name"),
        ('<tool_call>{"name": "execute_trade", "arguments": 7}', "are not an object"),
        ('<tool_call>{"name": "execute_trade", "arguments": {"q": NaN}}', "NaN is not a number"),
        (f'<tool_call>{NAMED[:-2]}, "quantity": "9"}}}}', "a key is given twice"),
        ("<tool_call>{'name': 'execute_trade'}</tool_call>", "it is not JSON"),
        ("<function=execute_trade><parameter=quantity>0.0", "quantity is cut"),
        ("<function=execute_trade><parameter=quantity>1</parameter>", "closing tag is missing"),
        ("<tool_call>execute_trade<arg_key>quantity</arg_key><arg_value>0.0", "quantity is cut"),
        ('{"name": "execute_trade", "arguments": {"quantity": }}', "it is not JSON"),
        (f"{NAMED} is what I would send", "more follows the call"),
        (f"I do not send this:\n{NAMED}", "among other words is not carried out"),
        (f"For example [{PYTHON}].", "among other words is not carried out"),
        (f"I hold; a buy would be:\n```json\n{NAMED}\n```", "a fence among other words"),
        ('execute_trade(product_id="BTC', "is not what the notation asks for"),
        ('[execute_trade("BTC-USD", 1)]', "is not what the notation asks for"),
        ("<execute_trade><quantity>1</quantity></execute_trade>", "is not a call"),
        (f"<|channel|>analysis to=functions.execute_trade<|message|>{BUY}<|call|>", "a thought"),
        ("```tool_call\nbuy some\n```", "its content is not a call"),
        (
            "<|channel|>commentary to=python<|message|>{}<|call|>",
            "there is no tool 'python'; the tools are execute_trade, get_portfolio",
        ),
    ],
)
def test_unreadable_call_is_reported(text: str, why: str) -> None:
    """The sentence has the start of the call, the reason, and that it was not carried out."""
    recovered = recover_calls(text)

    assert () == recovered.calls
    assert why in recovered.unreadable
    assert recovered.unreadable.startswith("your answer holds ")
    assert recovered.unreadable.endswith("this one was not carried out")


def test_second_unreadable_call_is_reported() -> None:
    """One call is carried out; the other one is reported."""
    text = f'<tool_call>{LOOK}</tool_call><tool_call>{{"name": "execute_trade", "arg</tool_call>'
    decoded = decode_reply(answer(text), TOOLS)

    assert ["get_portfolio"] == [c.name for c in decoded.tool_calls]
    assert "it is cut" in decoded.unreadable


def test_values_keep_digits_and_text() -> None:
    """Tags hold texts, objects or lists; numbers of JSON and Python keep every digit."""
    tags = "".join(
        f"<parameter={k}>{v}</parameter>"
        for k, v in {"q": "0.0100", "yes": "true", "list": "[0.10]", "odd": "{1"}.items()
    )
    digits = '{"q": 0.12345678901234567890123, "n": 1e-07}'
    texts = [
        f"<function=execute_trade>{tags}</function>",
        f'{{"name": "execute_trade", "arguments": {digits}}}',
        "execute_trade(q=0.0100, d={'a': [True, None]}, e=-1E5)",
    ]

    assert [
        '{"q":"0.0100","yes":"true","list":[0.10],"odd":"{1"}',
        '{"q":0.12345678901234567890123,"n":1e-07}',
        '{"q":0.0100,"d":{"a":[true,null]},"e":-1E5}',
    ] == [call.arguments for text in texts for call in recover_calls(text).calls]


def answer(content: str, finish: str = "stop", **message: object) -> bytes:
    """A response body with a text."""
    choice = {"message": {"content": content, **message}, "finish_reason": finish}
    return orjson.dumps({"choices": [choice]})


def test_recovered_call_is_marked() -> None:
    """The record says that the call was text; without offered tools the text is unchanged."""
    raw = answer(f"Now. <tool_call>{NAMED}</tool_call>")
    decoded, plain = decode_reply(raw, TOOLS), decode_reply(raw)

    assert [("call_0", True, "")] == [
        (c.model_call_id, c.recovered, c.problem) for c in decoded.tool_calls
    ]
    assert "Now." == decoded.text
    assert () == plain.tool_calls


def test_tool_calls_count_more_than_text() -> None:
    """The text of an answer with tool calls is not searched for more calls."""
    call = {"id": "a", "function": {"name": "get_portfolio", "arguments": "{}"}}
    decoded = decode_reply(answer(f"<tool_call>{NAMED}</tool_call>", tool_calls=[call]), TOOLS)

    assert ["get_portfolio"] == [c.name for c in decoded.tool_calls]


@pytest.mark.parametrize(
    ("raw", "report"),
    [
        (answer(f"<think><tool_call>{NAMED}</tool_call>"), "inside a thought"),
        (answer("", reasoning_content=f"<tool_call>{NAMED}</tool_call>"), "inside a thought"),
        (answer("I buy.", "tool_calls"), "ended with 'tool_calls' but holds no tool call"),
        (answer("", "tool_calls", tool_calls=["buy!"]), "1 tool calls have no function"),
    ],
)
def test_lost_calls_are_reported(raw: bytes, report: str) -> None:
    """A call inside a thought, or one that the server lost, is not a hold."""
    decoded = decode_reply(raw, TOOLS)

    assert ("ok", ()) == (decoded.outcome, decoded.tool_calls)
    assert report in decoded.unreadable


def test_text_call_at_the_token_limit_is_not_carried_out() -> None:
    """It could be read, but a part of it may be missing."""
    decoded = decode_reply(answer(f"<tool_call>{NAMED}", "length"), TOOLS)

    assert "cut at the token limit" in decoded.tool_calls[0].problem


TOKENS = ["<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "execute_trade", "```json\n"]
TOKENS += [NAMED, BUY, "<function=execute_trade>", "</function>", "<parameter=a>", "</parameter>"]
TOKENS += ["<arg_key>a</arg_key>", "<arg_value>1</arg_value>", "call:", "(", ")", "a=", '"', "'"]
TOKENS += ["{", "}", "[", "]", ",", ":", "\n", "`", "```", "<|tool_call_argument_begin|>", "word "]


@given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=5), max_size=25).map("".join))
def test_arbitrary_tokens_give_calls_of_offered_tools_only(text: str) -> None:
    """A call has an offered name and an object as arguments, and no text is made up."""
    recovered = recover_calls(text)

    assert all(name in TOOLS and isinstance(value, dict) for name, value in calls(recovered))
    assert len(recovered.unreadable) < 400
    assert len(recovered.text) <= len(text)


@pytest.mark.parametrize("token", [t for t in TOKENS if t != NAMED])
def test_long_text_is_searched_quickly(token: str) -> None:
    """16 KB of one token take less than half a second of CPU."""
    text = token * (16_384 // len(token))
    started = process_time()
    recover_calls(text)
    recover_calls(f"<tool_call>{text}")

    assert process_time() - started < 0.5
