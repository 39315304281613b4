"""The scripted model answers like an LLM: in rounds, with tools, in the same format."""

import orjson
import pytest

from arena.errors import UsageError
from arena.messages import ChatMessage, ChatRequest, RequestedCall
from chat_nodes.decode import Decoded, decode_reply
from chat_nodes.model import CallFailed, ModelSettings, RawReply
from chat_nodes.model_types import ModelType, model_type, open_model
from chat_nodes.providers import provider_names, provider_of
from chat_nodes.providers._template import open_model as open_template
from chat_nodes.scripted.strategies import SCRIPTED_STRATEGIES
from tests.chat_nodes.example_requests import RISING, TOOLS, prompt, request

PORTFOLIO = "Cash 100000.00 USD, equity 100000.00 USD. No positions."


async def answer(made: ChatRequest, model_id: str = "scripted") -> Decoded:
    """The decoded answer of the scripted model."""
    raw = await open_model(ModelSettings(model_id)).complete(made, timeout_s=1.0)
    assert isinstance(raw, RawReply)
    return decode_reply(raw.body)


def round_of(tool: str, result: str) -> tuple[ChatMessage, ChatMessage]:
    """The messages of a round in which a tool was called and answered."""
    call = RequestedCall(model_call_id="call_0", name=tool, arguments="{}")
    return (
        ChatMessage(role="assistant", content="let me see", tool_calls=(call,)),
        ChatMessage(role="tool", content=result, tool_call_id="call_0"),
    )


async def test_unknown_account_is_requested_first() -> None:
    """As an LLM does in its first round."""
    decoded = await answer(request(prompt({"B": RISING}, account="")))

    assert ["get_portfolio"] == [c.name for c in decoded.tool_calls]
    assert "tool_calls" == decoded.finish_reason


async def test_portfolio_result_leads_to_a_trade() -> None:
    """The tool's result is parsed like the prompt, and the order has JSON arguments."""
    later = round_of("get_portfolio", PORTFOLIO)
    decoded = await answer(request(prompt({"B": RISING}, account=""), later=later, round_=1))
    (call,) = decoded.tool_calls

    assert "execute_trade" == call.name
    assert {"product_id": "B", "quantity": "225", "action": "buy"} == orjson.loads(call.arguments)
    assert decoded.text.startswith("Reasoning: B is 5.21 % over")


async def test_exits_are_sent_if_the_tool_takes_them() -> None:
    """A strategy that is not offered exits sends a plain order."""
    parameters = {"type": "object", "properties": {"stop_loss_pct": {"type": "number"}}}
    taking = tuple(
        tool.model_copy(update={"parameters": parameters}) if tool.name == "execute_trade" else tool
        for tool in TOOLS
    )
    (call,) = (await answer(request(prompt({"B": RISING}), tools=taking))).tool_calls

    assert {
        "product_id": "B",
        "quantity": "225",
        "action": "buy",
        "stop_loss_pct": "2",
        "take_profit_pct": "6",
    } == orjson.loads(call.arguments)


async def test_trade_ends_the_turn() -> None:
    """The last round is one line that repeats the result."""
    later = round_of("execute_trade", "Bought 225 B.\nCash 70 USD.")
    decoded = await answer(request(prompt({"B": RISING}), later=later, round_=1))

    assert ((), "stop") == (decoded.tool_calls, decoded.finish_reason)
    assert "Reasoning: done for now. Last result: Bought 225 B. Cash 70 USD." == decoded.text


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("what is the weather?", "shows no market that can be read"),
        ("", "shows no market that can be read"),
        (prompt({"B": RISING}, account="cash_usd: lots"), "First a look at the account"),
    ],
)
async def test_unreadable_prompt_is_reported(user: str, message: str) -> None:
    """Nothing is guessed."""
    assert message in (await answer(request(user))).text


async def test_unreadable_portfolio_ends_the_turn() -> None:
    """It does not ask for the portfolio forever."""
    later = round_of("get_portfolio", "error: no account")
    decoded = await answer(request(prompt({"B": RISING}, account=""), later=later, round_=1))

    assert ((), "Reasoning: the account is unknown: holding.") == (
        decoded.tool_calls,
        decoded.text,
    )


async def test_only_offered_tools_are_called() -> None:
    """Without `execute_trade` it cannot trade."""
    decoded = await answer(request(prompt({"B": RISING}), tools=TOOLS[1:]))

    assert "Reasoning: there is no tool to trade with: holding." == decoded.text


async def test_strategy_without_rules_holds() -> None:
    """The answer says that the strategy has no rules."""
    decoded = await answer(request(prompt({"B": RISING}), strategy="astrology"))

    assert ((), True) == (decoded.tool_calls, "no scripted rules for 'astrology'" in decoded.text)


@pytest.mark.parametrize("strategy", sorted(SCRIPTED_STRATEGIES))
async def test_same_prompt_gives_the_same_answer(strategy: str) -> None:
    """Every strategy is deterministic, with either spelling of its name."""
    made = request(prompt({"B": RISING, "C": RISING}), strategy=strategy.replace("_", "-"))

    assert await answer(made) == await answer(made, f"scripted:{strategy}")


async def test_no_tokens_are_reported() -> None:
    """Rules use no tokens; a count of zero is not a provider's count."""
    tokens = (await answer(request(prompt({"B": RISING})))).tokens

    assert (False, 0) == (tokens.reported, tokens.total)


async def test_provider_template_works_unchanged() -> None:
    """A copy of it answers and closes."""
    model = open_template(ModelSettings("template"))
    raw = await model.complete(request(), timeout_s=1.0)
    late = await model.complete(request(), timeout_s=0.0)
    await model.close()

    assert isinstance(raw, RawReply)
    assert ("ok", "I hold.") == (decode_reply(raw.body).outcome, decode_reply(raw.body).text)
    assert isinstance(late, CallFailed)


def test_unknown_scripted_strategy_is_refused_at_start() -> None:
    """The error lists the known strategies."""
    with pytest.raises(UsageError, match="brainrot"):
        open_model(ModelSettings("scripted:astrology"))


@pytest.mark.parametrize(
    ("model_id", "kind"),
    [
        ("scripted", ModelType.SCRIPTED),
        ("scripted:cash", ModelType.SCRIPTED),
        ("local", ModelType.LOCAL),
        ("local:smollm2", ModelType.LOCAL),
        ("gpt-5-nano", ModelType.PROVIDER),
        ("llama3:8b", ModelType.PROVIDER),
        ("base:x", ModelType.PROVIDER),
        ("_template", ModelType.PROVIDER),
        ("provider", ModelType.PROVIDER),
        ("meta/scripted", ModelType.PROVIDER),
    ],
)
def test_model_id_selects_type(model_id: str, kind: ModelType) -> None:
    """Scripted and local models are named by the part before the colon; the rest have providers."""
    assert kind is model_type(model_id)
    assert "openai_compatible" == provider_of(model_id)


def test_every_provider_module_is_listed() -> None:
    """The folder holds providers and nothing else; the template is skipped."""
    assert ("openai_compatible",) == provider_names()
    assert "openai_compatible" == provider_of("openai_compatible:gpt-5-nano")
