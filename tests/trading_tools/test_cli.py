"""The command `arena tools`, used by a person and as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import Heartbeat
from arena.settings import Settings
from tests.trading_tools.helpers import product, read_until, ticker
from tests.warm_commands import run_arena
from trading_tools.registry import load_catalogue

TIMEOUT_S = 60


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a process of this test's arena."""
    return os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
        "ARENA_HEARTBEAT_INTERVAL_S": "0.5",
    }


def arena(*arguments: str, **kwargs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return run_arena(*arguments, env=kwargs.get("env"), timeout_s=TIMEOUT_S)


def start(*arguments: str, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command that runs until it is stopped."""
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-m", "arena", *arguments], env=env, stderr=file)


def test_list_for_people_and_programs() -> None:
    """Every tool with its schema."""
    found = json.loads(arena("tools", "list", "--json").stdout)

    assert list(load_catalogue()) == [tool["name"] for tool in found]
    words = " ".join(arena("tools", "list").stdout.split())
    assert "execute_trade executor (product_id, quantity, action, limit_price?, " in words


def test_stateless_tool_needs_no_broker() -> None:
    """It runs in the command's process; an error of the tool gives exit code 1."""
    env = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    fine = arena("tools", "call", "calculator", '{"expression": "2 * 3"}', env=env)
    bad = arena("tools", "call", "calculator", '{"expression": "9**9**9"}', "--json", env=env)
    unknown = arena("tools", "call", "oracle", env=env)

    assert (0, "2 * 3 = 6\n") == (fine.returncode, fine.stdout)
    assert (1, "bad_expression") == (bad.returncode, json.loads(bad.stdout)["error"])
    assert (
        1,
        f"There is no tool 'oracle'; there are {', '.join(load_catalogue())}.",
    ) == (
        unknown.returncode,
        unknown.stdout.strip(),
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fees", "free"],
        ["--slippage-bps", "-1"],
        ["--starting-cash", "lots"],
        ["--price-age-s", "0"],
        ["--only", "half"],
        ["call", "calculator", "{}", "--agent", "a b"],
    ],
)
def test_usage_errors_give_exit_code_2(arguments: list[str]) -> None:
    """A flag that cannot be used is named on stderr."""
    ended = arena("tools", *arguments)

    assert 2 == ended.returncode
    assert arguments[-1] in ended.stderr


async def test_person_trades_through_a_process(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """`arena tools` serves, `arena tools call` trades and reads, SIGTERM ends it cleanly."""
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    env = environment(settings)
    order = '{"product_id": "BTC-USD", "quantity": "0.1", "action": "buy"}'
    process = start(
        "tools", "--fees", "none", "--log-level", "debug", env=env, log=tmp_path / "log"
    )
    try:
        bought = arena("tools", "call", "execute_trade", order, "--agent", "me", env=env)
        portfolio = arena("tools", "call", "get_portfolio", "--agent", "me", env=env)
        short = arena("tools", "call", "execute_trade", order.replace("buy", "sell"), env=env)
        beats = await read_until(bus, topics.HEARTBEATS.name, Heartbeat, 3)
        process.send_signal(signal.SIGTERM)
        code = process.wait(15)
    finally:
        process.kill()
        process.wait()

    assert "Bought 0.1 BTC-USD at 67217 for 6721.70 USD plus 0.00 fee. Cash 93278.30 USD.\n" == (
        bought.stdout
    )
    assert "BTC-USD | 0.1 | 67217 | 67201.1 |" in portfolio.stdout
    assert "Rejected: insufficient position: selling 0.1 BTC-USD, has 0." in short.stdout
    assert (0, 0, 1, 0) == (bought.returncode, portfolio.returncode, short.returncode, code)
    assert "tools" in {beat.kind for beat in beats}
    assert b'"command"' in (tmp_path / "log").read_bytes()


def test_missing_executor_gives_exit_code_3(broker_address: str) -> None:
    """Without an executor a call ends at its deadline and says what is missing."""
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": broker_address,
        "ARENA_PREFIX": f"nobody{time.time_ns()}.",
    }
    ended = arena("tools", "call", "get_portfolio", "--timeout-s", "0.5", env=env)

    assert 3 == ended.returncode
    assert "is an executor running?" in ended.stderr


def test_importing_the_command_is_cheap(broker_address: str) -> None:
    """It loads neither Kafka's client nor another heavy library."""
    program = "import sys, trading_tools.cli; print(sorted({'aiokafka', 'rich', 'numpy', 'pandas',"
    program += " 'openai', 'uvloop'} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    assert "[]\n" == found.stdout
