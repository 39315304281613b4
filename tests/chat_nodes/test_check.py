"""`arena chat-node --check`: the conversation with a model, and the findings."""

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
class ScriptedAnswersModel:
    """Gives planned answers in order, and records the requests."""

    plan: list[dict[str, object] | CallFailed]
    model_id: str = "toy"
    scripted: bool = False
    host: str = "test"
    secrets: Secrets = NO_SECRETS
    adaptations: tuple[str, ...] = ()
    seeds: bool = True
    requests: list[ChatRequest] = field(default_factory=list)

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """The next planned answer; the last one is repeated."""
        found = self.plan[min(len(self.requests), len(self.plan) - 1)]
        self.requests.append(request)
        if isinstance(found, CallFailed):
            return found
        options = {"seed": request.sampling.seed} if self.seeds else {}
        sent = build_request("toy", request, options, adaptations=self.adaptations)
        return RawReply(json.dumps(found).encode(), sent)

    async def close(self) -> None:
        """Close nothing: no connection is open."""


def answer(text: str = "", calls: int = 0, usage: object = USAGE) -> dict[str, object]:
    """A response body."""
    made = [
        {"id": f"c{n}", "type": "function", "function": {"name": TOOL, "arguments": "{}"}}
        for n in range(calls)
    ]
    message = {"role": "assistant", "content": text, **({"tool_calls": made} if made else {})}
    finish = "tool_calls" if made else "stop"
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


async def findings_by_check(model: ScriptedAnswersModel) -> dict[str, Finding]:
    """The findings of a conversation, by their checks."""
    return {
        finding.check: finding for finding in conversation_findings(*await hold_conversation(model))
    }


async def test_capable_model_passes_all_checks() -> None:
    """The second request has the model's own calls and their results."""
    model = ScriptedAnswersModel([answer(calls=2), answer("67203.60 and 3120.05")])
    findings = await findings_by_check(model)

    assert {"ok"} == {finding.state.value for finding in findings.values()}
    assert {"tool call", "parallel calls", "seed", "usage", "latency"} == set(findings)
    roles = [message.role for message in model.requests[1].messages]
    assert ["system", "user", "assistant", "tool", "tool"] == roles
    assert ["c0", "c1"] == [m.tool_call_id for m in model.requests[1].messages[3:]]


@pytest.mark.parametrize(
    ("plan", "check", "state", "message"),
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
async def test_missing_capability_is_reported(
    plan: list[dict[str, object] | CallFailed], check: str, state: str, message: str
) -> None:
    """Broken if no agent could use the model; a warning if agents can use it nevertheless."""
    findings = await findings_by_check(ScriptedAnswersModel(plan))

    assert state == findings[check].state
    assert message in findings[check].text


async def test_adaptation_is_reported_as_ok() -> None:
    """A refusal that led to an accepted form is not a failure."""
    refused = CallFailed("seed is unknown", retryable=True, adapted=True)
    plan: list[dict[str, object] | CallFailed] = [refused, answer(calls=2), answer("5")]
    findings = await findings_by_check(
        ScriptedAnswersModel(plan, adaptations=("without seed",), seeds=False)
    )

    assert ("ok", "without seed") == (findings["adapted"].state, findings["adapted"].detail)
    assert "warning" == findings["seed"].state
    assert "ok" == findings["tool call"].state


async def test_endless_adaptation_is_broken() -> None:
    """The number of attempts is bounded."""
    refused = CallFailed("no", retryable=False, adapted=True)
    model = ScriptedAnswersModel([refused])
    findings = await findings_by_check(model)

    assert "broken" == findings["tool call"].state
    assert len(model.requests) < 20


def test_command_checks_without_a_broker() -> None:
    """The JSON has the four fields, and the exit code is 0."""
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


def test_quick_check_makes_no_paid_call() -> None:
    """A refused key is broken: exit code 1, and no call was made."""
    with serving_in_thread(ModelServer(models_status=401)) as server:
        flags = ["--name", "n", "--model-id", "toy", "--base-url", server.base_url]
        done = run(*flags, "--check", "--quick")

    assert 1 == done.returncode, done.stderr
    assert " broken   n: key " in done.stdout
    assert [] == server.bodies


@pytest.mark.parametrize(
    ("flags", "message"),
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
def test_invalid_flags_exit_with_2(flags: tuple[str, ...], message: str) -> None:
    """The message has the flag and the remedy."""
    url = () if "--base-url" in flags else ("--base-url", f"http://127.0.0.1:{closed_port()}")
    done = run("--name", "n", "--model-id", "m", *url, *flags)

    assert 2 == done.returncode
    assert message in done.stderr
    assert 1 == len(done.stderr.splitlines())


def other_call(name: str, arguments: str = "{}") -> dict[str, object]:
    """A response body with a call of another tool."""
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    return {"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": USAGE}


async def test_call_of_another_tool_is_reported() -> None:
    """A model that calls a tool that was not offered has not "called no tool"."""
    findings = await findings_by_check(
        ScriptedAnswersModel([other_call("web_search"), answer("5")])
    )

    assert "it called web_search, which was not offered" in findings["tool call"].detail


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
async def test_remedy_has_the_toml_key_and_the_flag(failed: CallFailed, remedy: str) -> None:
    """The remedy is its own field, with the key of an ARENA.toml beside the flag."""
    failed = replace(failed, remedy=failed.reason.partition("; ")[2])
    findings = await findings_by_check(ScriptedAnswersModel([failed]))

    assert ("a", "broken") == (findings["tool call"].detail, findings["tool call"].state)
    assert remedy in findings["tool call"].remedy


async def test_unanswered_question_times_out_once() -> None:
    """A server that never answers is given up after one wait, which is announced."""
    waits: list[str] = []
    model = ScriptedAnswersModel([CallFailed("late", True, cause=Cause.TIMEOUT)])
    await hold_conversation(model, waits.append)

    assert 1 == len(model.requests)
    assert ["asking toy for a tool call, at most 20 s"] == waits


def test_findings_are_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A finding is printed before the next check ends."""
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
