"""The commands on the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.errors import UsageError
from connectors import cli
from connectors.cli_markets import PRODUCTS_MAX, read_products
from connectors.market.options import ConnectorOptions, PlaybackOptions
from connectors.market.recorded_venue import venue_of_recording
from connectors.venues.coinbase.venue import VENUE as COINBASE
from tests.connectors.builders import FIXTURES
from tests.warm_commands import run_arena

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30


def arena(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return run_arena(*words, env=os.environ | environment, timeout_s=DEADLINE_S)


def test_only_a_replay_takes_products_of_several_venues() -> None:
    """A connector of one venue refuses an id that names another."""
    mixed = ["BTC-USD,coinbase:ETH-USD,binance:BTC-USDT"]

    with pytest.raises(UsageError, match="not a product id"):
        read_products(COINBASE, mixed, None)
    assert ("BTC-USD", "ETH-USD", "binance:BTCUSDT") == read_products(
        COINBASE, mixed, None, of_any_venue=True
    )


@pytest.mark.parametrize(
    ("words", "products"),
    [
        (["--frames", "f.jsonl"], ()),
        (["--frames", "f.jsonl", "--products", "btc-usdt"], ("binance:BTCUSDT",)),
    ],
)
def test_playback_is_of_the_named_products(
    words: list[str], products: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All products of the recording without any."""
    seen: list[PlaybackOptions] = []
    monkeypatch.setattr(cli, "_run", lambda name, settings, options: seen.append(options))

    result = CliRunner().invoke(cli.connector_app, ["binance", *words])

    assert (0, [products]) == (result.exit_code, [options.products for options in seen])


@pytest.mark.parametrize(
    ("words", "minutes"),
    [
        (["coinbase"], 314),
        (["markets", "--market", "binance=BTCUSDT", "--historical-minutes", "900"], 900),
        (["coinbase", "--features", "none"], 300),
        (["coinbase", "--features", "ema_50@1h"], 3_059),
    ],
)
def test_connector_keeps_the_minutes_that_its_indicators_need(
    words: list[str], minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least what windows need, and what the operator asks for."""
    seen: list[ConnectorOptions] = []
    monkeypatch.setattr(cli, "_run", lambda name, settings, options: seen.append(options))

    result = CliRunner().invoke(cli.connector_app, words)

    assert (0, [minutes]) == (result.exit_code, [options.history_minutes for options in seen])


@pytest.mark.parametrize(
    ("words", "environment", "complaint"),
    [
        (["--features", "rsl_14"], {}, "unknown metric 'rsl'; the metrics are rsi"),
        (["--features", "ema_80@1h"], {}, "needs 80 bars of 1h: 4800 minutes of candles"),
        (["--historical-minutes", "4321"], {}, "--historical-minutes"),
        ([], {"HISTORICAL_MINUTES": "an hour"}, "HISTORICAL_MINUTES is 'an hour'; set whole"),
    ],
)
def test_set_that_cannot_be_computed_is_refused(
    words: list[str], environment: dict[str, str], complaint: str
) -> None:
    """Before a broker is needed, with the value and the remedy."""
    ended = arena("connector", "coinbase", *words, **environment)

    assert 2 == ended.returncode
    assert complaint in ended.stderr


@pytest.mark.parametrize(
    ("file", "words", "venue", "products"),
    [
        ("frames.jsonl", [], "coinbase", ()),
        ("binance_frames.jsonl", [], "binance", ()),
        ("binance_frames.jsonl", ["--products", "aaausdt"], "binance", ("binance:AAAUSDT",)),
        ("frames.jsonl", ["--venue", "binance"], "binance", ()),
    ],
)
def test_replay_finds_the_venue_of_a_recording(
    file: str,
    words: list[str],
    venue: str,
    products: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its frames; a named venue is believed."""
    seen: list[PlaybackOptions] = []
    monkeypatch.setattr(cli, "_run", lambda name, settings, options: seen.append(options))

    asked = ["replay", "--frames", str(FIXTURES / file), *words]
    result = CliRunner().invoke(cli.connector_app, asked)

    assert (0, [(venue, products, 1.0)]) == (
        result.exit_code,
        [(options.venue.name, options.products, options.speed) for options in seen],
    )


def test_recording_of_no_known_venue_is_refused(tmp_path: Path) -> None:
    """The remedy is to name it."""
    path = tmp_path / "frames.jsonl"
    path.write_text('{"t": "1789000000.1", "conn": 1, "data": "{}"}\n')

    with pytest.raises(UsageError, match="no frame of a known venue") as caught:
        venue_of_recording(path)

    assert "--venue: binance, coinbase" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "is empty"), ("\n\n", "is empty"), ('{"products": 1}\n', "has no recorded frame")],
)
def test_file_without_frames_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    """The remedy is another file, not another venue."""
    path = tmp_path / "frames.jsonl"
    path.write_text(content)

    with pytest.raises(UsageError, match=complaint) as caught:
        venue_of_recording(path)

    assert "--record FILE" in str(caught.value.remedy)


def test_replay_of_an_empty_venue_is_refused() -> None:
    """An empty variable in a script is not the same as leaving the flag out."""
    words = ["replay", "--frames", str(FIXTURES / "frames.jsonl"), "--venue", ""]
    result = CliRunner().invoke(cli.connector_app, words)

    assert isinstance(result.exception, UsageError)
    assert "unknown venue ''" in str(result.exception)


def test_frames_are_printed_without_a_broker() -> None:
    """`--frames FILE --print` prints JSON lines and needs no other process."""
    done = arena(
        *("connector", "coinbase", "--frames", str(FIXTURES / "frames.jsonl"), "--print"),
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
    )

    assert (0, 11) == (done.returncode, len([json.loads(x) for x in done.stdout.splitlines()]))


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("connector", "coinbase", "--print"), 2, "--frames"),
        (("connector", "coinbase", "--frames", "nowhere.jsonl", "--print"), 2, "does not exist"),
        (("connector", "coinbase", "--products", "bitcoin"), 2, "not a product id"),
        (("connector", "binance", "--products", "bitcoin"), 2, "quote currency"),
        (("exchange", "--venue", "nyse"), 2, "unknown venue"),
        (("connector", "replay"), 2, "--lock-step"),
        (("connector", "replay", "--lock-step", "--frames", "x.jsonl"), 2, "--frames"),
        (("connector", "replay", "--lock-step", "--snapshots", "5"), 2, "--agents"),
        (("connector", "replay", "--lock-step", "--agents", "a"), 2, "--snapshots"),
        (("connector", "replay", "--lock-step", "--agents", "a b", "--snapshots", "5"), 2, "a b"),
        (
            ("connector", "replay", "--lock-step", "--agents", "a", "AA-USD.csv"),
            2,
            "does not exist",
        ),
        (("exchange", "--port", "x"), 2, "'--port': it must be a valid integer; see"),
        (("exchange", "--port", "-1"), 2, "'--port': it must be greater than or equal to 0; see"),
        (("exchange", "--faults", "explode"), 2, "unknown fault"),
        (("exchange", "--prices", "nowhere.csv"), 2, "does not exist"),
        (("exchange", "--log-level", "loud"), 2, "--log-level"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    words: tuple[str, ...], code: int, complaint: str
) -> None:
    """The line names the problem and the remedy, without a traceback."""
    done = arena(*words)

    assert code == done.returncode
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [("connector", "coinbase"), ("connector", "replay"), ("exchange",)]
)
def test_help_ends_with_an_example(words: tuple[str, ...]) -> None:
    """Each help text shows a command line that works."""
    text = arena(*words, "--help").stdout

    assert f"Example: arena {' '.join(words)}" in " ".join(text.split())


def test_products_in_every_form() -> None:
    """Ids may be separate, comma-separated or repeated; they become unique, upper case, bounded."""
    read = read_products(COINBASE, ["btc-usd,SOL-USD"], ["ETH-USD,BTC-USD"])

    assert ("BTC-USD", "SOL-USD", "ETH-USD") == read
    assert () == read_products(COINBASE, None, None)
    with pytest.raises(UsageError, match="at most"):
        read_products(COINBASE, [f"P{n}-USD" for n in range(PRODUCTS_MAX + 1)], None)


def test_exchange_exits_when_its_file_ends() -> None:
    """It prints its addresses, plays eight minutes in a second and exits with 0."""
    path = FIXTURES / "AAA-USD_1m.csv"
    done = arena("exchange", "--port", "0", "--speed", "600", "--prices", str(path))
    about = json.loads(done.stdout)

    assert 0 == done.returncode
    assert (["AAA-USD"], 600.0) == (about["products"], about["speed"])
    assert about["ws_url"].startswith("ws://127.0.0.1:")
    assert "prices ended" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_exchange_stops_at_a_signal(number: int, code: int) -> None:
    """It exits at once and without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "arena", "exchange", "--port", "0", "--products", "BTC-USD"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "listening" in process.stdout.readline()
        process.send_signal(number)
        started_s = time.monotonic()
        _, err = process.communicate(timeout=DEADLINE_S)

    assert code == process.returncode
    assert time.monotonic() - started_s < 5
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("connector", "replay", "--start", "9999-12-30"), "9999-12-30 is not from 2000 to 2100"),
        (("connector", "replay", "--end", "1800-01-02"), "1800-01-02 is not from 2000 to 2100"),
        (("exchange", "--start", "1999-12-31"), "1999-12-31 is not from 2000 to 2100"),
        (
            ("candles", "fetch", "--venue", "coinbase", "--from", "1800-01-02", "BTC-USD"),
            "1800-01-02 is not from 2000 to 2100, as prices are; choose a day from 2000-01-01",
        ),
        (
            ("candles", "fetch", "--venue", "coinbase", "--from", "yesterday", "BTC-USD"),
            "'yesterday' is not a time; write it like 2026-01-31 or 2026-01-31T12:00 or",
        ),
    ],
)
def test_times_that_no_price_has_are_refused(words: tuple[str, ...], complaint: str) -> None:
    """The error names the flag, the bounds and the remedy, in the arena's own words."""
    ended = arena(*words)
    assert 2 == ended.returncode
    assert complaint in ended.stderr
    assert "Value error" not in ended.stderr
    assert 1 == ended.stderr.count("\n")
