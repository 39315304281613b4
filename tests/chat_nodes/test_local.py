"""The small local model: its prompt, the bodies made from its answers, and a real call."""

import asyncio
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from arena.chat_body import chat_body_sha256
from arena.errors import DependencyMissing, UsageError
from arena.messages import Cause, ChatMessage, ChatRequest, JsonObject, RequestedCall, Sampling
from arena.model_prices import load_prices
from chat_nodes.decode import decode_reply
from chat_nodes.local import engine
from chat_nodes.local.answer import EngineAnswer, response_body
from chat_nodes.local.model import MODEL_ID, TOKENS_MAX, request_options
from chat_nodes.local.prompt import local_prompt, prompt_seed
from chat_nodes.model import CallFailed, ModelSettings, RawReply
from chat_nodes.model_types import open_model
from chat_nodes.seeds import call_seed
from operations.specs.arena_spec import parse_spec
from tests.chat_nodes.example_requests import FALLING, RISING, TOOLS, prompt, request

HOLDING = "cash_usd: 1000\nequity_usd: 1500\nposition: B quantity=4 average_cost=100 held=5m"
USAGE: JsonObject = {"prompt_tokens": 90, "completion_tokens": 30}
MARKET = {"A": RISING, "B": FALLING}


def prompt_text(made: ChatRequest) -> str:
    """The text of the model's prompt."""
    return "\n".join(str(m["content"]) for m in local_prompt(made).messages)


def round_of(tool: str, result: str) -> tuple[ChatMessage, ChatMessage]:
    """The messages of a round in which a tool was called and answered."""
    call = RequestedCall(model_call_id="call_0", name=tool, arguments="{}")
    return (
        ChatMessage(role="assistant", tool_calls=(call,)),
        ChatMessage(role="tool", content=result, tool_call_id="call_0"),
    )


def body_of(made: ChatRequest, answer: object, finish: str = "stop") -> bytes | None:
    """The response body for an answer of the model."""
    text = answer if isinstance(answer, str) else orjson.dumps(answer).decode()
    return response_body(MODEL_ID, local_prompt(made), EngineAnswer(text, finish, USAGE))


def test_prompt_has_moves_and_account() -> None:
    """A few lines made from the agent's prompt, far below the context of 2,048 tokens."""
    made = request(prompt(MARKET, account=HOLDING))

    text = prompt_text(made)

    assert "A: rose 0.9 % in 5 minutes, rose 3.7 % in an hour" in text
    assert "B: fell 1.0 % in 5 minutes, fell 3.8 % in an hour" in text
    assert "You have 1000 dollars. You hold B, which rose 1.0 %." in text
    assert text.startswith("You trade. Every fill costs")
    assert len(text) < 700


@pytest.mark.parametrize(
    ("account", "buyable", "sellable", "kinds"),
    [
        ("cash_usd: 1000\nposition: none", ("A", "B"), (), ["hold", "buy"]),
        (HOLDING, ("A", "B"), ("B",), ["hold", "buy", "sell"]),
        (HOLDING.replace("1000", "3"), (), ("B",), ["hold", "sell"]),
    ],
)
def test_schema_offers_possible_orders_only(
    account: str, buyable: tuple[str, ...], sellable: tuple[str, ...], kinds: list[str]
) -> None:
    """No sale of products that are not held, no buy without cash, products of the prompt only."""
    found = local_prompt(request(prompt(MARKET, account=account)))

    assert found.schema is not None
    choices = found.schema["anyOf"]
    assert isinstance(choices, list)
    properties = [c["properties"] for c in choices if isinstance(c, dict)]
    assert kinds == [p["action"]["const"] for p in properties]  # type: ignore[index,call-overload]
    assert (buyable, sellable) == (found.buyable, found.sellable)


def test_stale_products_are_not_offered() -> None:
    """At most six products are shown."""
    market = {f"P{i}": RISING for i in range(9)}

    found = local_prompt(request(prompt(market, stale=["P0"])))

    assert ("P1", "P2", "P3", "P4", "P5", "P6") == found.buyable


@pytest.mark.parametrize(
    ("answer", "quantity"),
    [
        ({"action": "buy", "product_id": "A", "size": "small"}, "0.45"),
        ({"action": "buy", "product_id": "A", "size": "large"}, "3.6"),
        ({"action": "sell", "product_id": "B", "size": "small"}, "1"),
        ({"action": "sell", "product_id": "B", "size": "large"}, "4"),
    ],
)
def test_size_becomes_a_quantity(answer: dict[str, str], quantity: str) -> None:
    """5, 15 or 40 % of the cash at the ask; a quarter, half or all of the position."""
    body = body_of(request(prompt(MARKET, account=HOLDING)), {**answer, "reason": "up"})

    assert body is not None
    decoded = decode_reply(body)
    (call,) = decoded.tool_calls
    arguments = orjson.loads(call.arguments)
    assert "execute_trade" == call.name
    assert (answer["action"], answer["product_id"]) == (
        arguments["action"],
        arguments["product_id"],
    )
    assert Decimal(quantity) == Decimal(arguments["quantity"])
    assert ("Reasoning: up", 90, 30) == (
        decoded.text,
        decoded.tokens.prompt,
        decoded.tokens.completion,
    )


@pytest.mark.parametrize(
    "answer",
    [
        "",
        '{"action":"buy","product_id":"A","si',
        "[]",
        "buy A",
        {"action": "buy", "product_id": "Z", "size": "small", "reason": "x"},
        {"action": "sell", "product_id": "A", "size": "small", "reason": "x"},
        {"action": "buy", "product_id": "A", "size": "huge", "reason": "x"},
        {"action": "short", "product_id": "A", "size": "small", "reason": "x"},
        {"action": "hold"},
    ],
)
def test_answer_in_another_form_is_not_a_hold(answer: object) -> None:
    """A cut answer, or one that names what was not offered, gives no body."""
    assert body_of(request(prompt(MARKET, account=HOLDING)), answer) is None


def test_turn_has_three_steps() -> None:
    """Look, decide, close: each step has its own schema, and the model's answer is the text."""
    first = request(prompt(MARKET, account=""))
    look = body_of(first, {"action": "look", "reason": "who am I?"})
    account_round = round_of("get_portfolio", "Cash 1000.00 USD, equity 1000.00 USD. No positions.")
    second = request(prompt(MARKET, account=""), later=account_round, round_=1)
    rounds = (*account_round, *round_of("execute_trade", "Bought 0.45 A."))
    third = request(prompt(MARKET, account=""), later=rounds, round_=2)
    close = body_of(third, {"reason": "A rises"})

    assert look is not None
    assert close is not None
    assert ["get_portfolio"] == [c.name for c in decode_reply(look).tool_calls]
    assert "decide" == local_prompt(second).step
    assert "Bought 0.45 A." in prompt_text(third)
    assert ("Reasoning: A rises", ()) == (decode_reply(close).text, decode_reply(close).tool_calls)


@pytest.mark.parametrize("user", ["what is the weather?", "1 " * 50_000, "ü" * 9_000, ""])
def test_other_request_is_cut_to_the_context(user: str) -> None:
    """It fits at one token per character, and the answer may be any text."""
    found = local_prompt(request(user))

    assert ("free", None) == (found.step, found.schema)
    assert len(prompt_text(request(user))) <= 1_201
    assert prompt_text(request(user)).isascii()


def test_other_tool_is_called() -> None:
    """As in the check of `arena doctor`: first a call with bounded arguments, then text."""
    (_, _, calculator) = TOOLS
    made = request("add", tools=[calculator])
    later = request("add", tools=[calculator], later=round_of("calculator", "3"), round_=1)

    body = body_of(made, {"product_id": "A"})

    assert body is not None
    (call,) = decode_reply(body).tool_calls
    assert ("calculator", '{"product_id":"A"}') == (call.name, call.arguments)
    assert local_prompt(made).schema == {
        "type": "object",
        "properties": {"product_id": {"type": "string", "maxLength": 24}},
        "required": ["product_id"],
        "additionalProperties": False,
    }
    assert "free" == local_prompt(later).step
    assert body_of(made, "no object") is None


def test_request_is_the_same_from_the_log() -> None:
    """The messages are part of the options, so the audit's hash matches."""
    made = request(prompt(MARKET), sampling=Sampling(max_completion_tokens=9_000))
    again = request(prompt(MARKET), sampling=Sampling(max_completion_tokens=9_000), turn="other")
    settings = ModelSettings("local", options={"temperature": 0.2})

    options = request_options(made, local_prompt(made), settings)

    assert options == request_options(again, local_prompt(again), settings)
    assert (0.2, TOKENS_MAX) == (options["temperature"], options["max_tokens"])
    assert prompt_seed(made) == options["seed"]
    seeded = request(prompt(MARKET), sampling=Sampling(seed=5))
    assert call_seed(seeded) == request_options(seeded, local_prompt(seeded), settings)["seed"]
    assert prompt_seed(seeded) != prompt_seed(made)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ModelSettings("local:llama"), "no local model 'local:llama'; use local"),
        (ModelSettings("local", options={"n": 2}), "no option n = 2; it takes a number"),
        (ModelSettings("local", options={"seed": "x"}), "no option seed = 'x'"),
        (ModelSettings("local", base_url="http://127.0.0.1:1/v1"), "not at http://127.0.0.1:1/v1"),
    ],
)
def test_invalid_settings_are_reported(settings: ModelSettings, message: str) -> None:
    """Before any weights are loaded."""
    with pytest.raises(UsageError, match=message):
        open_model(settings)


def test_missing_packages_have_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is one command."""
    monkeypatch.setattr(engine, "WEIGHTS_MODULE", "no_such_package")

    with pytest.raises(DependencyMissing, match="not installed; run `scripts/setup local-llm`"):
        open_model(ModelSettings("local"))


def test_spec_needs_no_key_for_it() -> None:
    """It needs no key and has a price of zero; an address for it is refused."""
    text = '[[chat_nodes]]\nname = "tiny"\nmodel_id = "local"\n'
    agents = '[[agents]]\nname = "a"\nstrategy = "scalper"\nchat_node = "tiny"\n'
    (node,) = parse_spec(text + agents, path="here").chat_nodes

    assert (True, False) == (node.keyless, node.scripted)
    price = load_prices().of(MODEL_ID)
    assert price is not None
    assert price.prompt == price.completion == Decimal(0)
    with pytest.raises(UsageError, match="remove base_url"):
        parse_spec(f'{text}base_url = "http://h/v1"\n{agents}', path="here")


def _installed() -> bool:
    try:
        return isinstance(engine.weights_path(), Path)
    except DependencyMissing:
        return False


@pytest.mark.skipif(not _installed(), reason="the packages of scripts/setup local-llm are absent")
async def test_real_model_decides() -> None:
    """It orders or holds, with real tokens, the same for a seed; late calls are stopped."""
    model = open_model(ModelSettings("local"))
    try:
        made = request(prompt(MARKET, account=HOLDING), sampling=Sampling(seed=3))
        first, second = await asyncio.gather(
            model.complete(made, timeout_s=60), model.complete(made, timeout_s=60)
        )
        late = await model.complete(made, timeout_s=0.001)
    finally:
        await model.close()

    assert isinstance(first, RawReply)
    assert isinstance(second, RawReply)
    assert first == second
    assert first.sent.sha256 == chat_body_sha256(MODEL_ID, made, first.sent.options)
    decoded = decode_reply(first.body, ("execute_trade",))
    assert "ok" == decoded.outcome
    assert decoded.text.startswith("Reasoning: ")
    assert all(c.name == "execute_trade" for c in decoded.tool_calls)
    assert decoded.tokens.reported
    assert 100 < decoded.tokens.prompt < 400
    assert 0 < decoded.tokens.completion <= TOKENS_MAX
    assert isinstance(late, CallFailed)
    assert Cause.TIMEOUT == late.cause
