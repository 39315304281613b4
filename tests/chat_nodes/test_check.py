"""`arena chat-node --check`: the conversation with a model, and what is said of it."""

import json
from dataclasses import dataclass, field, replace

import pytest

from arena.findings import Finding, broken, ok
from arena.messages import Cause, ChatRequest
from arena.redaction import NO_SECRETS, Secrets
from chat_nodes.check import CheckReport
from chat_nodes.check_conversation import TOOL, conversation_findings, hold_conversation
from chat_nodes.model import CallFailed, RawReply, build_request
from tests.arena.model_server import ModelServer, closed_port, serving_in_thread
from tests.chat_nodes.test_cli import run

KEY = "sk-planted-0123456789"
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}


@dataclass
class TalkingModel:
    """Answers in order; what it was asked is kept."""

    plan: list[dict[str, object] | CallFailed]
    model_id: str = "toy"
    scripted: bool = False
    host: str = "test"
    secrets: Secrets = NO_SECRETS
    adaptations: tuple[str, ...] = ()
    seeds: bool = True
    asked: list[ChatRequest] = field(default_factory=list)

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """The next answer of the plan; the last one stays."""
        found = self.plan[min(len(self.asked), len(self.plan) - 1)]
        self.asked.append(request)
        if isinstance(found, CallFailed):
            return found
        options = {"seed": request.sampling.seed} if self.seeds else {}
        sent = build_request("toy", request, options, adaptations=self.adaptations)
        return RawReply(json.dumps(found).encode(), sent)

    async def close(self) -> None:
        """Nothing is open."""


def answer(text: str = "", calls: int = 0, usage: object = USAGE) -> dict[str, object]:
    """A response body."""
    made = [
        {"id": f"c{n}", "type": "function", "function": {"name": TOOL, "arguments": "{}"}}
        for n in range(calls)
    ]
    message = {"role": "assistant", "content": text, **({"tool_calls": made} if made else {})}
    finish = "tool_calls" if made else "stop"
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


async def found(model: TalkingModel) -> dict[str, Finding]:
    """The findings of a conversation, by their checks."""
    return {
        finding.check: finding for finding in conversation_findings(*await hold_conversation(model))
    }


async def test_a_model_that_does_all_of_it_is_ok() -> None:
    """The history with its own calls and their results goes back in the second round."""
    model = TalkingModel([answer(calls=2), answer("67203.60 and 3120.05")])
    seen = await found(model)

    assert {"ok"} == {finding.state.value for finding in seen.values()}
    assert {"tool call", "parallel calls", "seed", "usage", "latency"} == set(seen)
    roles = [message.role for message in model.asked[1].messages]
    assert ["system", "user", "assistant", "tool", "tool"] == roles
    assert ["c0", "c1"] == [m.tool_call_id for m in model.asked[1].messages[3:]]


@pytest.mark.parametrize(
    ("plan", "check", "state", "said"),
    [
        ([answer("It is 5.")], "tool call", "warning", "called no tool"),
        ([answer(calls=1), answer("5")], "parallel calls", "warning", "one call"),
        ([answer(calls=2), answer("5", usage=None)], "usage", "warning", "estimates"),
        ([CallFailed("host answered 404", retryable=False)], "tool call", "broken", "404"),
        (
            [CallFailed("slow down", retryable=False, cause=Cause.RATE_LIMIT)],
            "tool call",
            "warning",
            "slow down",
        ),
        (
            [answer(calls=2), CallFailed("unknown field", retryable=False)],
            "tool call there and back",
            "broken",
            "unknown field",
        ),
        ([{"choices": []}], "tool call", "broken", "choices"),
    ],
)
async def test_what_a_model_cannot_do_is_said(
    plan: list[dict[str, object] | CallFailed], check: str, state: str, said: str
) -> None:
    """Broken if no agent could use it; a warning if it works all the same."""
    seen = await found(TalkingModel(plan))

    assert state == seen[check].state
    assert said in seen[check].text


async def test_what_was_adapted_is_said() -> None:
    """A refusal that was learned from is not a failure."""
    refused = CallFailed("seed is unknown", retryable=True, adapted=True)
    plan: list[dict[str, object] | CallFailed] = [refused, answer(calls=2), answer("5")]
    seen = await found(TalkingModel(plan, adaptations=("without seed",), seeds=False))

    assert ("ok", "without seed") == (seen["adapted"].state, seen["adapted"].detail)
    assert "warning" == seen["seed"].state
    assert "ok" == seen["tool call"].state


async def test_a_model_that_never_stops_adapting_is_given_up() -> None:
    """The conversation is bounded."""
    refused = CallFailed("no", retryable=False, adapted=True)
    model = TalkingModel([refused])
    seen = await found(model)

    assert "broken" == seen["tool call"].state
    assert len(model.asked) < 20


def test_the_command_checks_and_ends() -> None:
    """No broker is needed; JSON has the four fields, and the exit code is 0."""
    with serving_in_thread(ModelServer()) as server:
        flags = ["--name", "n", "--model-id", "toy", "--base-url", server.base_url]
        flags += ["--api-key-env", "MY_KEY", "--price", "input=0.1,output=0.4"]
        flags += ["--option", "top_k=40", "--extra-header", "X-Org=env:MY_ORG"]
        done = run(*flags, "--check", "--json", MY_KEY=KEY, MY_ORG="acme")

    assert 0 == done.returncode, done.stderr
    rows = json.loads(done.stdout)
    assert [{"check", "state", "detail", "remedy"}] * len(rows) == [set(row) for row in rows]
    states = {row["check"]: row["state"] for row in rows}
    assert {"ok"} == set(states.values())
    assert {"n: key", "n: tool call", "n: parallel calls", "n: price"} < set(states)
    assert 2 == len(server.bodies)
    assert all("x-org: acme" in head.lower() for head in server.heads)


def test_the_quick_check_asks_for_nothing_that_is_paid() -> None:
    """A refused key is broken: exit code 1, and no call was made."""
    with serving_in_thread(ModelServer(models_status=401)) as server:
        flags = ["--name", "n", "--model-id", "toy", "--base-url", server.base_url]
        done = run(*flags, "--check", "--quick")

    assert 1 == done.returncode, done.stderr
    assert " broken   n: key " in done.stdout
    assert [] == server.bodies


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--base-url", "localhost:8080/v1"), "--base-url: 'localhost:8080/v1' has no scheme"),
        (("--option", "model=x"), "--option: model cannot be set"),
        (("--extra-header", "api-key=abc"), 'write api-key = "env:VARIABLE"'),
        (("--extra-header", "api-key=env:NOT_SET_HERE"), "NOT_SET_HERE is not set"),
        (("--price", "input=1"), "--price: output is missing"),
        (("--daily-token-budget", "5", "--max-completion-tokens", "9"), "cannot hold"),
        (("--quick",), "can only be used with --check"),
    ],
)
def test_flags_that_cannot_be_used_end_with_two(flags: tuple[str, ...], said: str) -> None:
    """The message names the flag and the remedy."""
    url = () if "--base-url" in flags else ("--base-url", f"http://127.0.0.1:{closed_port()}")
    done = run("--name", "n", "--model-id", "m", *url, *flags)

    assert 2 == done.returncode
    assert said in done.stderr
    assert 1 == len(done.stderr.splitlines())


def other_call(name: str, arguments: str = "{}") -> dict[str, object]:
    """A response body with a call of a tool."""
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    return {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": USAGE}


async def test_a_call_of_another_tool_is_named() -> None:
    """A model that calls what was not offered has not "called no tool"."""
    seen = await found(TalkingModel([other_call("web_search"), answer("5")]))

    assert "it called web_search, which was not offered" in seen["tool call"].detail


@pytest.mark.parametrize(
    ("failed", "remedy"),
    [
        (
            CallFailed("a; is the key right? see --api-key-env", False),
            "api_key_env (--api-key-env)",
        ),
        (
            CallFailed("a; name it: api_key_env in TOML, --api-key-env", False),
            "api_key_env in TOML",
        ),
        (CallFailed("a; is --base-url right?", False), "is base_url (--base-url) right?"),
        (CallFailed("a", False, cause=Cause.TIMEOUT), "is the server overloaded"),
    ],
)
async def test_a_remedy_has_a_field_of_its_own(failed: CallFailed, remedy: str) -> None:
    """In the words of an ARENA.toml as well as of the flags."""
    failed = replace(failed, remedy=failed.reason.partition("; ")[2])
    seen = await found(TalkingModel([failed]))

    assert ("a", "broken") == (seen["tool call"].detail, seen["tool call"].state)
    assert remedy in seen["tool call"].remedy


async def test_a_question_has_a_short_bound() -> None:
    """A server that never answers is given up in seconds, and waited for in plain sight."""
    waits: list[str] = []
    model = TalkingModel([CallFailed("late", True, cause=Cause.TIMEOUT)])
    await hold_conversation(model, waits.append)

    assert 1 == len(model.asked)
    assert ["asking toy for a tool call, at most 20 s"] == waits


def test_checks_are_shown_as_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    """What was found so far does not wait for the rest."""
    report = CheckReport("n", as_json=False)
    report.add([ok("address", "answers")])
    first = capsys.readouterr()
    report.wait("asking")
    report.add([broken("tool call", "no answer", "wait")])
    code = report.end()
    last = capsys.readouterr()

    assert "n: address" in first.out
    assert "asking" in last.err
    assert "-> wait" in last.out
    assert "2 checks: 1 ok, 1 broken" in last.out
    assert 1 == code
