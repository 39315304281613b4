"""The client adapts to a server once, for all its calls, and lets no secret out."""

import asyncio
from collections.abc import Callable

import orjson
import pytest

from arena.bus.memory import MemoryBus
from arena.chat_body import PLAIN, chat_body_sha256
from arena.errors import UsageError
from arena.messages import Cause, ChatRequest, Sampling
from chat_nodes.decode import decode_reply
from chat_nodes.model import CallFailed, ModelSettings, RawReply
from chat_nodes.node import ChatNodeSettings
from chat_nodes.providers.openai_compatible import OpenAICompatibleModel
from chat_nodes.request_handler import CallLimits
from tests.chat_nodes.example_errors import body, error
from tests.chat_nodes.example_requests import request
from tests.chat_nodes.running_node import calls, now, replies, send, serving
from tests.chat_nodes.stub_server import Behaviour, completion, http, stub_server

SEED = error("Unknown parameter: 'seed'", param="seed")
SEEDED = request(sampling=Sampling(seed=7, temperature=0.5, max_completion_tokens=90))


async def attempt_until_final(
    model: OpenAICompatibleModel, made: ChatRequest, tries: int = 9
) -> list[RawReply | CallFailed]:
    """Attempts until one is not an adaptation."""
    found = []
    for _ in range(tries):
        found.append(result := await model.complete(made, timeout_s=5))
        if isinstance(result, RawReply) or not result.adapted:
            break
    return found


async def attempt_outcomes(model: OpenAICompatibleModel, tries: int = 9) -> list[str]:
    """Attempts until one is an answer or final, and the outcome of each."""
    found: list[str] = []
    for _ in range(tries):
        result = await model.complete(SEEDED, timeout_s=5)
        if isinstance(result, RawReply):
            return [*found, "answer " + "; ".join(result.sent.adaptations)]
        found.append("adapted" if result.adapted else "again" if result.retryable else "final")
        if found[-1] == "final":
            break
    return found


async def attempts_on_server(
    *plan: Behaviour, settings: Callable[[str], ModelSettings] | None = None
) -> tuple[list[RawReply | CallFailed], list[tuple[str, bytes]]]:
    """The results of attempts on a server with these behaviours, and its requests."""
    make = settings or (lambda url: ModelSettings("m", url, "sk-planted-0123456789"))
    async with stub_server(*plan) as stub:
        model = OpenAICompatibleModel(make(stub.base_url))
        try:
            return await attempt_until_final(model, SEEDED), stub.requests
        finally:
            await model.close()


async def test_refusal_changes_the_next_request() -> None:
    """The second form is sent at once; its options and the reason are in the reply."""
    (failed, reply), made = await attempts_on_server(http(SEED, "400 Bad"), http(completion()))

    assert isinstance(failed, CallFailed)
    assert isinstance(reply, RawReply)
    assert (True, True, Cause.REFUSED_REQUEST) == (failed.adapted, failed.retryable, failed.cause)
    assert failed.reason.endswith("Unknown parameter: 'seed'; asked again: without seed")
    assert ("without seed",) == reply.sent.adaptations
    assert {"temperature": 0.5, "max_tokens": 90} == reply.sent.options
    assert "seed" not in orjson.loads(made[1][1])
    again = chat_body_sha256("m", SEEDED, reply.sent.options, reply.sent.wire)
    assert again == reply.sent.sha256


async def test_dialect_is_kept_for_the_process() -> None:
    """The next call has the accepted form from the start."""
    async with stub_server(http(SEED, "422 No"), http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        await attempt_until_final(model, SEEDED)
        assert isinstance(await model.complete(SEEDED, timeout_s=5), RawReply)
        await model.close()

    assert [True, False, False] == [b'"seed"' in sent for _, sent in stub.requests]


async def test_concurrent_refusals_all_succeed() -> None:
    """The first refused call changes the form; the others send it again in that form."""
    gate = asyncio.Barrier(4)

    async def refuse(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await http(SEED, "400 Bad")(writer)

    async with stub_server(*[refuse] * 4, http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        found = await asyncio.gather(*(attempt_until_final(model, SEEDED) for _ in range(4)))
        await model.close()

    assert [[True, False]] * 4 == [[isinstance(r, CallFailed) for r in each] for each in found]
    phrases = {r.sent.adaptations for each in found for r in each if isinstance(r, RawReply)}
    assert {("without seed",)} == phrases


async def test_refused_guess_is_reverted() -> None:
    """A 400 without a reason removes an option only if removing it has helped."""
    refuse = http(b"", "400 Bad")
    async with stub_server(*[refuse] * 5, http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        results = await attempt_outcomes(model)
        last = await model.complete(SEEDED, timeout_s=5)
        await model.close()

    assert ["again", "adapted", "adapted", "adapted", "final"] == results
    assert isinstance(last, RawReply)
    assert () == last.sent.adaptations
    assert stub.requests[0][1] == stub.requests[1][1] == stub.requests[5][1]


async def test_accepted_guess_is_kept() -> None:
    """The request without options was accepted, so the next one has none either."""
    refuse = http(b"{}", "400 Bad")
    async with stub_server(refuse, refuse, http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        results = [await attempt_outcomes(model), await attempt_outcomes(model)]
        await model.close()

    accepted = "answer without temperature, seed"
    assert [["again", "adapted", accepted], [accepted]] == results


async def test_refusal_without_a_reason_is_retried_once() -> None:
    """A transient fault costs no option: the same request is sent again before any guess."""
    refuse = http(b"{}", "400 Bad")
    plan = (refuse, http(completion())) * 2
    async with stub_server(*plan) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        results = [await attempt_outcomes(model), await attempt_outcomes(model)]
        await model.close()

    assert [["again", "answer "]] * 2 == results
    assert 1 == len({sent for _, sent in stub.requests})


async def test_guess_never_removes_the_cap_for_good() -> None:
    """The cap bounds the cost: an answer without it is used, the next request has it again."""
    refuse = http(b"{}", "400 Bad")
    async with stub_server(*[refuse] * 3, http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        results = [await attempt_outcomes(model), await attempt_outcomes(model)]
        await model.close()

    without = "answer without temperature, seed; without max_tokens"
    assert [["again", "adapted", "adapted", without], ["answer "]] == results
    assert [True, True, True, False, True] == [b'"max_tokens"' in s for _, s in stub.requests]


async def test_cap_is_restored_in_a_bare_form() -> None:
    """The other guesses made with it are kept."""
    refuse = http(b"{}", "400 Bad")
    async with stub_server(*[refuse] * 4, http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        results = [await attempt_outcomes(model), await attempt_outcomes(model)]
        await model.close()

    assert "answer without temperature, seed; without max_tokens; the barest form" == results[0][-1]
    assert ["answer without temperature, seed; the barest form"] == results[1]
    assert b'"max_tokens"' in stub.requests[-1][1]


async def test_cap_is_lowered_to_the_credit() -> None:
    """OpenRouter's 402 states the affordable tokens."""
    form = error("requires more credits, or fewer max_tokens. You can only afford 70", code=402)
    async with stub_server(http(form, "402 Pay"), http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        results = await attempt_outcomes(model)
        await model.close()

    assert ["adapted", "answer max_tokens at most 70"] == results
    assert 70 == orjson.loads(stub.requests[1][1])["max_tokens"]


async def test_limit_with_a_wait_header_is_retryable() -> None:
    """Its text alone would end the call."""
    form = error("spending limit reached")
    plan = http(form, "429 Slow", {"retry-after": "3"})

    (failed,), _ = await attempts_on_server(plan)

    assert isinstance(failed, CallFailed)
    assert (Cause.RATE_LIMIT, True, 3.0) == (failed.cause, failed.retryable, failed.retry_after_s)


@pytest.mark.parametrize(
    ("form", "cause", "retryable"),
    [
        (error("slow down", code=429), Cause.RATE_LIMIT, True),
        (error("Network connection lost.", code=502), Cause.SERVER_ERROR, True),
        (error("No auth", code=401), Cause.AUTH, False),
        (error("no credit", code=402), Cause.QUOTA, False),
        (b"<!DOCTYPE html><title>Just a moment</title>", Cause.SERVER_ERROR, True),
        (b"", Cause.SERVER_ERROR, True),
        (body({"choices": []}), Cause.SERVER_ERROR, True),
    ],
)
async def test_error_under_200_is_handled_by_its_implied_status(
    form: bytes, cause: Cause, retryable: bool
) -> None:
    """It is retried or given up as under the implied status."""
    (failed,), _ = await attempts_on_server(http(form))

    assert isinstance(failed, CallFailed)
    assert (cause, retryable) == (failed.cause, failed.retryable)
    assert "answered 200 with an error that means" in failed.reason


async def test_refusal_under_200_is_adapted_to() -> None:
    """As under the implied status."""
    form = error("Unknown parameter: 'seed'", param="seed", code=400)

    (failed, reply), _ = await attempts_on_server(http(form), http(completion()))

    assert isinstance(failed, CallFailed)
    assert isinstance(reply, RawReply)
    assert failed.adapted


async def test_refused_generation_is_an_answer() -> None:
    """Groq refuses its own model's call; it is recovered here."""
    written = '<function=execute_trade>{"product_id": "BTC-USD"}</function>'
    form = error("Failed to call a function.", code="tool_use_failed", failed_generation=written)

    (reply,), _ = await attempts_on_server(http(form, "400 Bad"))

    assert isinstance(reply, RawReply)
    call = decode_reply(reply.body, ("execute_trade",)).tool_calls[0]
    assert ("execute_trade", True) == (call.name, call.recovered)


async def test_stream_only_model_is_read_to_its_end() -> None:
    """A stream is requested after the refusal."""
    refuse = error("This model only supports streaming: stream must be true")
    delta = body({"choices": [{"index": 0, "delta": {"content": "I hold."}}]})
    last = body({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    stream = b"data: " + delta + b"\n\ndata: " + last + b"\n\ndata: [DONE]\n\n"

    (_, reply), made = await attempts_on_server(http(refuse, "400 Bad"), http(stream))

    assert isinstance(reply, RawReply)
    assert True is orjson.loads(made[1][1])["stream"]
    assert "I hold." == decode_reply(reply.body).text


async def test_adaptation_is_in_the_log_of_calls(memory_bus: MemoryBus) -> None:
    """The record has the change; the refused attempt is not a retry."""
    made = request(sampling=Sampling(seed=7), issued_at=now(), time_s=20)
    async with stub_server(http(SEED, "400 Bad"), http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        settings = ChatNodeSettings(1, CallLimits(max_retries=0))
        async with serving(memory_bus, model, settings) as node:
            await send(memory_bus, made)
            (reply,) = await replies(memory_bus)
            (call,) = await calls(memory_bus)

    assert ("ok", 2, ("without seed",)) == (reply.outcome, call.attempts, call.adaptations)
    assert (1, 0) == (node.counters["adapted"], node.counters["retries"])
    assert "Unknown parameter: 'seed'" in call.errors[0]
    assert call.request_sha256 == chat_body_sha256(
        "m", made, call.options or {}, call.wire or PLAIN
    )


@pytest.mark.parametrize(
    ("path", "hint"), [("", "need /v1? such as http"), ("/v1", "is the path of --base-url right?")]
)
async def test_wrong_path_shows_the_url(path: str, hint: str) -> None:
    """The whole URL, and what may be missing in it."""
    plan = http(body({"detail": "Not Found"}), "404 No")

    def settings(url: str) -> ModelSettings:
        return ModelSettings("m", url.removesuffix("/v1") + path)

    (failed,), _ = await attempts_on_server(plan, settings=settings)

    assert isinstance(failed, CallFailed)
    assert f"{path}/chat/completions answered 404; Not Found" in failed.reason
    assert hint in failed.reason
    assert (Cause.UNREACHABLE, False) == (failed.cause, failed.retryable)


async def test_headers_and_query_are_sent() -> None:
    """Azure's key is only in its header; no record has it, even if the server repeats it."""
    secret = "azure-secret-0123456789"

    def settings(url: str) -> ModelSettings:
        headers = {"api-key": secret, "X-Title": "arena contest"}
        return ModelSettings("m", f"{url}/chat/completions?api-version=7", headers=headers)

    echo = error(f"bad key {secret} of arena contest")
    (failed,), made = await attempts_on_server(http(echo, "401 No"), settings=settings)

    assert isinstance(failed, CallFailed)
    head = made[0][0].lower()
    assert "post /v1/chat/completions?api-version=7 http" in head
    assert f"api-key: {secret}" in head
    assert "x-title: arena contest" in head
    assert "authorization" not in head
    assert "bad key *** of arena contest" in failed.reason
    assert secret not in failed.reason + failed.body.decode()


async def test_small_context_has_a_remedy() -> None:
    """A context that is too small is not retried; the remedy is the next smaller prompt."""
    made = SEEDED.model_copy(update={"prompt_size": "compact"})
    form = error("x", type="exceed_context_size_error", n_prompt_tokens=3344, n_ctx=2048)
    async with stub_server(http(form, "400 Bad")) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url))
        (failed,) = await attempt_until_final(model, made)
        await model.close()

    assert isinstance(failed, CallFailed)
    assert (Cause.CONTEXT_LENGTH, False) == (failed.cause, failed.retryable)
    assert 'of 2,048 tokens; set prompt = "tiny"' in failed.reason


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("localhost:8080", "http://localhost:8080/v1"),
        ("localhost:8080/v1", "http://localhost:8080/v1"),
        ("//example.com/v1", "http://example.com/v1"),
        ("ftp://example.com/v1", "http://example.com/v1"),
        ("http://", "http://localhost:8080/v1"),
        ("http://me:secretword@example.com/v1", "http://example.com/v1"),
        ("http://example.com:99999/v1", "http://example.com:99999/v1"),
    ],
)
def test_invalid_address_is_refused(text: str, remedy: str) -> None:
    """The remedy is a valid address, without the login."""
    with pytest.raises(UsageError) as raised:
        OpenAICompatibleModel(ModelSettings("m", text))

    assert remedy in str(raised.value)
    assert "secretword" not in str(raised.value)
