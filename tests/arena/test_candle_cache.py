"""The cache of candles: days and their manifest, changed files, killed and parallel writers."""

import errno
import multiprocessing
import os
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.candle_cache import store as store_module
from arena.candle_cache.day_file import decode_day
from arena.candle_cache.manifest import decode_manifest, encode_manifest
from arena.candle_cache.series import DAY_S, Series, checked_series, read_day_name
from arena.candle_cache.spans import missing, spans_text, union, within, without
from arena.candle_cache.store import CandleStore, DayState, NewDay, by_day
from arena.errors import UsageError

DAY = 1_767_225_600
"""2026-01-01."""
NOW = datetime(2026, 2, 1, tzinfo=UTC)
SERIES = Series("coinbase", "BTC-USD")
DAY_TEXT = (
    b'{"format":1,"venue":"coinbase","product":"BTC-USD","granularity":"1m","days":{"2026-01-01":'
    b'{"rows":0,"sha256":"' + b"a" * 64 + b'","covers":[{"from":"%s","to":"%s"}],"gaps":[],'
    b'"source":"x","fetched_at":"2026-01-02T00:00:00Z"}}}'
)
"""A manifest whose day covers something else."""


def lines_of(day_s: int, *, price: int = 100, without_minutes: range = range(0)) -> dict[int, str]:
    """A day of minutes, some of them missing."""
    return {
        day_s + 60 * n: f"{price}.000000000000000001,{price + 1},{price}.0,{price}.5,3.25,,"
        for n in range(1_440)
        if n not in without_minutes
    }


def whole(day_s: int, lines: dict[int, str]) -> NewDay:
    """Candles for which the whole day was asked."""
    return NewDay(lines, ((day_s, day_s + DAY_S),), "test")


def test_spans_are_sets_of_seconds() -> None:
    """Union, difference, cut and missing candles agree with sets of numbers."""
    rng = random.Random(5)

    def some() -> list[tuple[int, int]]:
        starts = [rng.randrange(60) for _ in range(rng.randrange(5))]
        return [(start, start + rng.randrange(12)) for start in starts]

    def seconds(spans: tuple[tuple[int, int], ...] | list[tuple[int, int]]) -> set[int]:
        return {second for first, last in spans for second in range(first, last)}

    for _ in range(300):
        one, other = some(), some()
        assert seconds(one) == seconds(union(one))
        assert seconds(one) - seconds(other) == seconds(without(one, other))
        assert seconds(one) & set(range(10, 40)) == seconds(within(one, 10, 40))
        starts = {rng.randrange(60) for _ in range(20)}
        assert seconds(one) - starts == seconds(missing(starts, union(one), 1))


def test_spans_are_named() -> None:
    """Whole days are dates; times of one day name it once."""
    assert "2026-01-01 00:04 to 00:05 UTC" == spans_text([(DAY + 240, DAY + 300)])
    assert "2026-01-01, 2026-01-03 to 2026-01-04" == spans_text(
        [(DAY, DAY + DAY_S), (DAY + 2 * DAY_S, DAY + 4 * DAY_S)]
    )
    assert "and 2 more" in spans_text([(DAY + n * 120, DAY + n * 120 + 60) for n in range(7)])


def test_day_is_kept_digit_by_digit(tmp_path: Path) -> None:
    """A day comes back as it was stored, with its gaps; the same rows give the same bytes."""
    store = CandleStore(tmp_path)
    lines = lines_of(DAY, without_minutes=range(7, 9))
    store.replace(SERIES, {DAY: whole(DAY, lines)}, NOW)

    manifest = store.manifest(SERIES)
    first = store.file(SERIES, DAY).read_bytes()
    store.replace(SERIES, {DAY: whole(DAY, dict(reversed(lines.items())))}, NOW)

    assert lines == store.read_day(SERIES, DAY, manifest.days[DAY])
    assert list(lines) == list(decode_day(store.file(SERIES, DAY)))
    assert (1_438, ((DAY + 420, DAY + 540),)) == (manifest.days[DAY].rows, manifest.gaps)
    assert first == store.file(SERIES, DAY).read_bytes()
    assert [SERIES] == store.all_series()
    assert manifest == decode_manifest(encode_manifest(manifest), SERIES)


def test_day_without_a_candle_is_a_gap(tmp_path: Path) -> None:
    """It is stored, named and whole."""
    store = CandleStore(tmp_path)
    store.replace(SERIES, {DAY: whole(DAY, {})}, NOW)
    manifest = store.manifest(SERIES)

    assert ((DAY, DAY + DAY_S),) == manifest.gaps
    assert [] == manifest.missing(DAY, DAY + DAY_S)
    assert {} == store.read_day(SERIES, DAY, manifest.days[DAY])


def test_part_of_a_day_is_missing(tmp_path: Path) -> None:
    """A day that was asked for to noon is whole to noon; the rest joins it."""
    store, noon = CandleStore(tmp_path), DAY + DAY_S // 2
    lines = lines_of(DAY)
    morning = {ts: line for ts, line in lines.items() if ts < noon}
    store.replace(SERIES, {DAY: NewDay(morning, ((DAY, noon),), "test")}, NOW)
    manifest = store.manifest(SERIES)

    assert [] == manifest.missing(DAY, noon)
    assert [DAY, DAY + DAY_S] == manifest.missing(DAY, DAY + DAY_S + 60)

    rest = {ts: line for ts, line in lines.items() if ts >= noon}
    store.replace(SERIES, {DAY: NewDay(rest, ((noon, DAY + DAY_S),), "test")}, NOW)

    assert [] == store.manifest(SERIES).missing(DAY, DAY + DAY_S)
    assert lines == store.read_day(SERIES, DAY, store.manifest(SERIES).days[DAY])


@pytest.mark.parametrize("change", ["byte", "other rows", "cut"])
def test_changed_file_is_found(tmp_path: Path, change: str) -> None:
    """A file that is not the one of the manifest is named, with the remedy; never read or lost."""
    store = CandleStore(tmp_path)
    store.replace(SERIES, {DAY: whole(DAY, lines_of(DAY))}, NOW)
    path = store.file(SERIES, DAY)
    content = bytearray(path.read_bytes())
    if change == "byte":
        content[100] ^= 1
    elif change == "cut":
        del content[-10:]
    else:
        other = CandleStore(tmp_path / "other")
        other.replace(SERIES, {DAY: whole(DAY, lines_of(DAY, price=7))}, NOW)
        content = bytearray(other.file(SERIES, DAY).read_bytes())
    path.write_bytes(content)
    manifest = store.manifest(SERIES)

    assert {DAY: DayState.CHANGED} == store.states(manifest, [DAY])
    for action in (
        lambda: store.read_day(SERIES, DAY, manifest.days[DAY]),
        lambda: store.whole_days(SERIES, DAY, DAY + 1),
        lambda: store.replace(SERIES, {DAY: whole(DAY, {})}, NOW),
    ):
        with pytest.raises(UsageError, match=r"2026-01-01\.parquet .* remove it, and fetch"):
            action()
    assert bytes(content) == path.read_bytes()

    path.unlink()
    assert [DAY] == store.whole_days(SERIES, DAY, DAY + 1).missing(DAY, DAY + 1)


@pytest.mark.parametrize("steps", range(4))
@pytest.mark.parametrize("replaced", [False, True])
def test_killed_writer_leaves_a_usable_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, replaced: bool
) -> None:
    """Wherever a writer of two days is killed, each day is the old one, the new one or missing."""
    store, second = CandleStore(tmp_path), DAY + DAY_S
    old, new = lines_of(DAY), lines_of(DAY, price=200)
    if replaced:
        store.replace(SERIES, {DAY: whole(DAY, old)}, NOW)
    left = [steps]
    rename = Path.replace

    class Killed(BaseException):
        pass

    def replace(path: Path, target: Path) -> Path:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    days = {DAY: whole(DAY, new), second: whole(second, lines_of(second))}
    if steps < 3:
        with pytest.raises(Killed):
            store.replace(SERIES, days, NOW)
    else:
        store.replace(SERIES, days, NOW)
    monkeypatch.undo()

    manifest = store.whole_days(SERIES, DAY, second + DAY_S)
    for day, entry in manifest.days.items():
        wanted = (old, new) if day == DAY else (lines_of(second),)
        assert store.read_day(SERIES, day, entry) in wanted
    assert {0: replaced, 1: False, 2: True, 3: True}[steps] == (DAY in manifest.days)
    store.replace(SERIES, days, NOW)
    assert [] == store.manifest(SERIES).missing(DAY, second + DAY_S)
    assert [] == list(store.folder_of(SERIES).glob(".*.draft"))


def test_full_disk_leaves_the_cache_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the file; no draft is left, and the day can be read."""
    store = CandleStore(tmp_path)
    store.replace(SERIES, {DAY: whole(DAY, lines_of(DAY))}, NOW)
    before = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*2026-01-01\.parquet"):
        store.replace(SERIES, {DAY: whole(DAY, {})}, NOW)
    monkeypatch.undo()

    assert before == {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}


def write_days(home: Path, price: int) -> None:
    """Write ten days, one after another, several times."""
    store = CandleStore(home)
    for _ in range(3):
        for n in range(10):
            day = DAY + n * DAY_S
            store.replace(SERIES, {day: whole(day, lines_of(day, price=price))}, NOW)


def test_writers_at_once_do_not_damage_the_cache(tmp_path: Path) -> None:
    """Days of processes that write at the same time are whole, and those of one of them."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_days, args=(tmp_path, price)) for price in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    store = CandleStore(tmp_path)
    manifest = store.whole_days(SERIES, DAY, DAY + 10 * DAY_S)

    assert [0, 0] == [writer.exitcode for writer in writers]
    assert [] == manifest.missing(DAY, DAY + 10 * DAY_S)
    for day, entry in manifest.days.items():
        assert store.read_day(SERIES, day, entry) in [lines_of(day, price=p) for p in (1, 2)]


def test_reader_sees_days_before_or_after_a_change(tmp_path: Path) -> None:
    """While a process replaces days, a reader finds each of them whole, and none missing."""
    store, end = CandleStore(tmp_path), DAY + 3 * DAY_S
    days = {DAY + n * DAY_S: whole(DAY + n * DAY_S, lines_of(DAY + n * DAY_S)) for n in range(10)}
    store.replace(SERIES, days, NOW)
    writer = multiprocessing.get_context("spawn").Process(target=write_days, args=(tmp_path, 2))
    writer.start()
    reads = 0
    while writer.is_alive():
        with store.reading(SERIES):
            manifest = store.whole_days(SERIES, DAY, end)
            found = {day: store.read_day(SERIES, day, e) for day, e in manifest.days.items()}
        assert [] == manifest.missing(DAY, end)
        assert all(len(lines) == 1_440 for lines in found.values())
        reads += 1
    writer.join()

    assert 0 == writer.exitcode
    assert reads > 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"format": 2}',
        b'{"format":1,"venue":"coinbase","product":"ETH-USD","granularity":"1m","days":{}}',
        b'{"format":1,"venue":"coinbase","product":"BTC-USD","granularity":"1m","days":{"x":{}}}',
        b'{"format":1,"venue":"coinbase","product":"BTC-USD","granularity":"1m",'
        b'"days":{"2026-01-01":{"rows":-1}}}',
        DAY_TEXT % (b"2026-01-01T00:00:00Z", b"9999-01-01T00:00:00Z"),
        DAY_TEXT % (b"2026-01-01T00:00:00", b"2026-01-02T00:00:00"),
        DAY_TEXT % (b"2025-12-31T00:00:00Z", b"2026-01-01T00:00:00Z"),
    ],
)
def test_damaged_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file and the remedy."""
    store = CandleStore(tmp_path)
    store.replace(SERIES, {DAY: whole(DAY, {})}, NOW)
    (store.folder_of(SERIES) / store_module.MANIFEST_FILE).write_bytes(content)

    with pytest.raises(UsageError, match=r"manifest\.json cannot be read.*remove the folder"):
        store.manifest(SERIES)


@pytest.mark.parametrize(
    "names",
    [
        ("..", "BTC-USD", "1m"),
        ("coinbase", "../x", "1m"),
        ("coinbase", "BTC-USD", "2m"),
        ("Coinbase", "BTC-USD", "1m"),
        ("coinbase", "btc", "1m"),
    ],
)
def test_names_that_are_no_series_are_refused(names: tuple[str, str, str]) -> None:
    """Nothing but names of venues, products and granularities becomes a path."""
    with pytest.raises(UsageError):
        checked_series(*names)


def test_days_have_names() -> None:
    """A name that is not a day is refused; rows are grouped by their day."""
    assert DAY == read_day_name("2026-01-01")
    assert {DAY: {DAY: "a"}, DAY + DAY_S: {DAY + DAY_S: "b"}} == by_day(
        {DAY + DAY_S: "b", DAY: "a"}
    )
    for name in ("20260101", "2026-1-1", "2026-02-30", ""):
        with pytest.raises(ValueError, match="."):
            read_day_name(name)
