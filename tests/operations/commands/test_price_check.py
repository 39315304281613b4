"""Price files are checked before anything starts; `arena candles` checks them alone."""

import json
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.findings import FindingState
from arena.pricefiles.formats import FORMATS
from arena.settings import Settings
from operations.commands.candles import check_files, formats
from operations.commands.compete_spec import competition_toml, toml_with_flags
from operations.commands.compete_start import new_contest, split_arguments
from operations.commands.doctor_machine import spec_findings
from operations.commands.messages_text import file_lines
from operations.commands.price_check import check_prices
from operations.specs.arena_spec import load_spec, parse_spec
from tests.arena.price_shapes import FIRST_S, HEAD, REF, SHAPES, lines, put

HALVES = lines(HEAD, [f"{FIRST_S - 1_320 + 1_800 * half},1,1,1,1,1" for half in range(30)])
HOURS = lines(HEAD, [f"{FIRST_S - 1_320 + 3_600 * hour},1,1,1,1,1" for hour in range(30)])


def contest(folder: Path, *files: Path, snapshots: int = 4) -> Path:
    """A contest of a few minutes on price files."""
    text = competition_toml().replace("interval_s = 300", "interval_s = 60")
    path = folder / "c.toml"
    path.write_text(toml_with_flags(text, prices=files, snapshots=snapshots))
    return path


@pytest.mark.parametrize(
    ("content", "snapshots", "complaint"),
    [
        (HALVES, 4, "candles of 30 minutes; candles of 1m, 5m, 15m, 1h, 1d can be used"),
        (HOURS, 4, "candles of 1 hour; candles of 1 minute are needed for an interval of 60 s"),
        (REF, 99, "99 snapshots every 60 s do not fit: the prices are enough for 21"),
        (None, 4, "does not exist"),
    ],
)
def test_contest_on_invalid_price_files_does_not_start(
    content: bytes | None, snapshots: int, complaint: str, tmp_path: Path
) -> None:
    """No run folder is left, and nothing was started."""
    file = tmp_path / "BTC-USD.csv"
    if content is not None:
        file.write_bytes(content)
    spec, settings = contest(tmp_path, file, snapshots=snapshots), Settings(home=tmp_path / "home")

    with pytest.raises(UsageError, match=complaint) as caught:
        new_contest(spec, prices=(), snapshots=None, settings=settings)

    assert caught.value.exit_code == 2
    assert not settings.home.exists()


def hourly(folder: Path, market: str = "", interval_s: int = 3_600) -> Path:
    """A contest of hours on a file of hourly candles."""
    file = put(folder, "BTC-USD.csv", HOURS)
    path = contest(folder, file)
    text = path.read_text().replace("interval_s = 60", f"interval_s = {interval_s}")
    path.write_text(text.replace("[market]\n", f"[market]\n{market}\n"))
    return path


@pytest.mark.parametrize("interval_s", [3_600, 7_200])
def test_hourly_candles_are_played_at_intervals_of_whole_hours(
    interval_s: int, tmp_path: Path
) -> None:
    """Which is the right outcome of hourly files for contests in lock-step; others are refused."""
    spec = load_spec(hourly(tmp_path, interval_s=interval_s))

    (found,) = check_prices(spec, tmp_path)

    assert (3_600, 30) == (found.bar_s, found.bars)
    assert "30 bars of 1h 2025-10-29 04:00 UTC" in found.line


@pytest.mark.parametrize(
    ("market", "interval_s", "complaint", "remedy"),
    [
        ("", 5_400, "candles of 1 minute are needed for an interval of 5400 s", "to 3600 or a"),
        ('granularity = "1d"', 86_400, "has candles of 1h, the granularity is 1d", "leave out"),
        ('granularity = "1m"', 60, "has candles of 1h, the granularity is 1m", "leave out"),
    ],
)
def test_hourly_candles_that_do_not_fit_are_refused_with_the_remedy(
    market: str, interval_s: int, complaint: str, remedy: str, tmp_path: Path
) -> None:
    """The interval, or the stated granularity."""
    spec = load_spec(hourly(tmp_path, market, interval_s))

    with pytest.raises(UsageError, match=complaint) as caught:
        check_prices(spec, tmp_path)

    assert remedy in str(caught.value.remedy)


def test_simulated_exchange_refuses_hourly_candles(tmp_path: Path) -> None:
    """It plays in real time, and serves candles of a minute."""
    path = hourly(tmp_path)
    text = path.read_text().replace('source = "replay"', 'source = "exchange"')
    path.write_text(text.replace('pacing = "lock-step"', 'pacing = "real-time"'))

    with pytest.raises(UsageError, match=r"candles of 1h; a simulated exchange needs candles"):
        check_prices(load_spec(path), tmp_path)


def test_files_of_two_lengths_are_refused(tmp_path: Path) -> None:
    """A market has one."""
    put(tmp_path, "ETH-USD.csv", REF)
    path = contest(tmp_path, put(tmp_path, "BTC-USD.csv", HOURS), tmp_path / "ETH-USD.csv")

    with pytest.raises(UsageError, match=r"has candles of 1h, .*ETH-USD.csv has candles of 1m"):
        check_prices(load_spec(path), tmp_path)


def test_facts_of_price_files_are_printed_and_kept(tmp_path: Path) -> None:
    """A folder of price files, one of them a link with the product in its name."""
    folder = tmp_path / "prices"
    folder.mkdir()
    put(folder, "XDGUSD_1.csv", SHAPES["kraken"][2]())
    (folder / "BTC-USD.csv").symlink_to(put(tmp_path, "2025.csv", REF))
    spec, settings = contest(tmp_path), Settings(home=tmp_path / "home")

    found = new_contest(spec, prices=[folder], snapshots=4, settings=settings)

    assert found.spec.arena.products == ("BTC-USD", "DOGE-USD")
    first, second = file_lines(found.prices)
    assert "BTC-USD  BTC-USD.csv, 40 minutes 2025-10-29 04:22 UTC to 2025-10-29 05:02 UTC" in first
    assert f"no gaps; rows {found.prices[0].digest[:16]}" in first
    assert "DOGE-USD  XDGUSD_1.csv (Kraken), 40 minutes" in second
    assert found.prices[0].digest == found.prices[1].digest


def test_specification_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Windows editors write one."""
    path = contest(tmp_path, put(tmp_path, "BTC-USD.csv", REF))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert len(check_prices(load_spec(path), tmp_path)) == 1


def test_invalid_interval_is_refused_before_the_start(tmp_path: Path) -> None:
    """Also for a replay without files."""
    text = competition_toml().replace("interval_s = 300", "interval_s = 7")

    with pytest.raises(UsageError, match="multiple"):
        check_prices(parse_spec(text, path="c.toml"), tmp_path)


def test_doctor_reads_price_files(tmp_path: Path) -> None:
    """It reads whole files, as a start does."""
    file = put(tmp_path, "BTC-USD.csv", REF)
    spec = load_spec(contest(tmp_path, file))

    (fine,) = (f for f in spec_findings(spec, tmp_path, {}) if f.check == "prices")
    file.write_bytes(HALVES)
    (bad,) = (f for f in spec_findings(spec, tmp_path, {}) if f.check == "prices")

    assert (fine.state, fine.detail) == (FindingState.OK, "1 file read, 40 minutes")
    assert bad.state is FindingState.BROKEN
    assert "candles of 30 minutes" in bad.detail


def test_candles_check_prints_facts_and_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid file does not hide the next one, and the exit code is 2."""
    bad, good = put(tmp_path, "ETH-USD.csv", HALVES), put(tmp_path, "BTC-USD.csv", REF)

    with pytest.raises(SystemExit) as ended:
        check_files([bad, good])
    text = capsys.readouterr()
    with pytest.raises(SystemExit):
        check_files([bad, good], as_json=True)
    found = json.loads(capsys.readouterr().out)

    assert ended.value.code == 2
    assert text.err == f"arena: {found[0]['error']}\n"
    assert "format arena, prices with 2 decimals" in text.out
    assert found[1]["digest"] in text.out
    assert [one["ok"] for one in found] == [False, True]
    with pytest.raises(SystemExit):
        check_files([good], product="ltc-usd")
    assert "listed for LTC-USD" in capsys.readouterr().err


def test_candles_check_opens_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder means its price files, as for --prices; one without price files is refused."""
    prices, empty = tmp_path / "prices", tmp_path / "empty"
    prices.mkdir()
    empty.mkdir()
    for name in ("BTC-USD.csv", "ETH-USD.csv", ".hidden.csv", "notes.md"):
        put(prices, name, REF)

    check_files([prices], as_json=True)
    found = json.loads(capsys.readouterr().out)

    assert ["BTC-USD", "ETH-USD"] == [one["product"] for one in found]
    with pytest.raises(SystemExit) as refused:
        check_files([empty])
    assert 2 == refused.value.code
    assert f"{empty} has no price file" in capsys.readouterr().err


def test_candles_formats_lists_formats(capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON."""
    formats()
    text = capsys.readouterr().out
    formats(as_json=True)
    document = json.loads(capsys.readouterr().out)

    assert [one["name"] for one in document["formats"]] == [one.name for one in FORMATS]
    assert all(f"{one.name}: {one.made_by}" in text for one in FORMATS)
    assert ".feather" in str(document["files"])


def test_price_files_of_any_ending_are_found_among_arguments() -> None:
    """`SPEC --prices A B`: B is an argument."""
    words = [Path(name) for name in ("c.toml", "B.json", "C.FEATHER", "D.zip", "E.tsv", "F.csv.gz")]

    assert split_arguments(words) == (words[:1], words[1:])
