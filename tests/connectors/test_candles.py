"""The candle book: closed bars, gaps, windows without overlaps or holes."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from arena.granularities import BOOK_BARS
from arena.messages import Candle
from connectors.market.candles import (
    INTERVALS_MAX,
    MINUTE_S,
    TAIL_RETRY_S,
    CandleBook,
    floor_s,
    pages,
)
from connectors.market.candles_from_trades import TradeBars
from tests.connectors.builders import T0, candle, ticker

T0_S = int(T0.timestamp())
moments = st.integers(T0_S, T0_S + 3 * 86_400)


def at(seconds: float) -> datetime:
    """A venue time."""
    return datetime.fromtimestamp(seconds, UTC)


def filled_book(now_s: int, holes: frozenset[int] = frozenset()) -> CandleBook:
    """A book of five hours until `now_s`, without the minutes in `holes` (counted backwards)."""
    book = CandleBook()
    start_s, end_s = book.request(at(now_s))
    minutes = [m for m in range(start_s, end_s + 1, MINUTE_S) if (end_s - m) // 60 not in holes]
    book.merge([candle(m, close=str(1 + m % 97)) for m in reversed(minutes)], end_s, at(now_s))
    return book


@given(moments)
def test_windows_are_aligned_and_contiguous(now_s: int) -> None:
    """15m, 5m and 1m follow each other without overlap or hole, up to the last closed minute."""
    windows = filled_book(now_s).windows(at(now_s))
    covered: list[int] = []
    for name, granularity in (("15m", 900), ("5m", 300), ("1m", 60)):
        window = windows[name]
        starts = [int(c.start.timestamp()) for c in window.candles]
        assert granularity == window.granularity_s
        assert all(start % granularity == 0 for start in starts)
        assert ((), False) == (window.gaps, window.stale)
        covered += [m for start in starts for m in range(start, start + granularity, MINUTE_S)]

    end_s = now_s - now_s % MINUTE_S
    assert list(range(covered[0], end_s, MINUTE_S)) == covered
    assert 20 <= len(windows["1m"].candles) < 25
    assert end_s - 4 * 3600 >= covered[0] > end_s - 5 * 3600


@given(moments, st.frozensets(st.integers(0, 298), max_size=250))
def test_every_bucket_is_a_candle_or_a_gap(now_s: int, holes: frozenset[int]) -> None:
    """Missing buckets are named, never filled."""
    windows = filled_book(now_s, holes).windows(at(now_s))
    whole = filled_book(now_s).windows(at(now_s))
    for name, window in windows.items():
        named = sorted([*(c.start for c in window.candles), *window.gaps])
        assert [c.start for c in whole[name].candles] == named


@given(moments)
def test_open_bucket_is_omitted(now_s: int) -> None:
    """The venue sends the bucket in progress, but no window shows it."""
    book = filled_book(now_s)
    newest = max(c.start for w in book.windows(at(now_s)).values() for c in w.candles)

    assert newest.timestamp() + MINUTE_S <= now_s


def test_longer_bar_combines_its_minutes() -> None:
    """First open, highest high, lowest low, last close, summed volume."""
    book = CandleBook()
    now = at(T0_S + 5 * 3600)
    start_s, end_s = book.request(now)
    book.merge(
        [
            Candle(
                start=at(m),
                open=Decimal(m // 60),
                high=Decimal(m // 60 + 5),
                low=Decimal(m // 60 - 5),
                close=Decimal(m // 60 + 1),
                volume=Decimal("0.1"),
            )
            for m in range(start_s, end_s, MINUTE_S)
        ],
        end_s,
        now,
    )
    bar = book.windows(now)["15m"].candles[0]
    first = int(bar.start.timestamp()) // 60

    prices = [int(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    assert [first, first + 19, first - 5, first + 15] == prices
    assert Decimal("1.5") == bar.volume


def test_first_request_covers_history_and_later_ones_the_newest_buckets() -> None:
    """The first request covers the book; later the newest three buckets are requested again."""
    book = CandleBook()
    start_s, end_s = book.request(at(T0_S + 30))
    assert BOOK_BARS * MINUTE_S == end_s - start_s

    book.merge([], end_s, at(T0_S + 30))
    assert (T0_S - 3 * MINUTE_S, T0_S + 2 * MINUTE_S) == book.request(at(T0_S + 150))
    assert start_s + 10 * 86_400 == book.request(at(T0_S + 30 + 10 * 86_400))[0]


def test_newer_response_overwrites() -> None:
    """The venue corrects its newest buckets; the last response counts."""
    book = filled_book(T0_S)
    book.merge([candle(T0_S - MINUTE_S, "7", volume="9")], T0_S, at(T0_S))
    last = book.windows(at(T0_S))["1m"].candles[-1]

    assert (Decimal(7), Decimal(9)) == (last.close, last.volume)


def test_poll_is_due_when_a_minute_has_closed() -> None:
    """A poll is due once a minute, and once more if the newest bucket was missing."""
    book = CandleBook()
    assert book.due(at(T0_S))

    book.merge([], T0_S, at(T0_S + 1))
    assert not book.due(at(T0_S + 1 + TAIL_RETRY_S - 1))
    assert book.due(at(T0_S + 1 + TAIL_RETRY_S))
    book.merge([], T0_S, at(T0_S + 25))
    assert not book.due(at(T0_S + 59))
    assert book.due(at(T0_S + 60))


def test_lagging_source_is_stale() -> None:
    """A window is stale after two missing buckets; an empty book is stale in every window."""
    windows = filled_book(T0_S, frozenset({1, 2, 3})).windows(at(T0_S))
    assert (True, False) == (windows["1m"].stale, windows["5m"].stale)
    assert not filled_book(T0_S, frozenset({1, 2})).windows(at(T0_S))["1m"].stale
    assert all(window.stale for window in CandleBook().windows(at(T0_S)).values())


def test_book_is_bounded() -> None:
    """Of a day of minutes the newest five hours are kept."""
    book = CandleBook()
    book.merge([candle(T0_S + m * 60) for m in range(1440)], T0_S + 86_400, at(T0_S + 86_400))

    assert BOOK_BARS == len(book)


def test_book_keeps_as_many_minutes_as_indicators_need() -> None:
    """The first request, and what is kept, follow the number that the book was made with."""
    book = CandleBook(1_000)
    start_s, end_s = book.request(at(T0_S))
    book.merge([candle(T0_S - m * 60) for m in range(1, 1441)], T0_S, at(T0_S))

    assert (1_000 * MINUTE_S, 1_000) == (end_s - start_s, len(book))


@given(st.integers(0, 5_000))
def test_pages_cover_a_range_once(minutes: int) -> None:
    """Each minute is in one page, in order, and no page has more than one response gives."""
    found = pages(T0_S, T0_S + minutes * MINUTE_S)
    covered = [m for first, last in found for m in range(first, last + 1, MINUTE_S)]

    assert list(range(T0_S, T0_S + minutes * MINUTE_S + 1, MINUTE_S)) == covered
    assert all((last - first) // MINUTE_S < INTERVALS_MAX for first, last in found)


def test_trades_are_folded_to_minutes() -> None:
    """Each trade id counts once; a new minute is a new bar."""
    bars = TradeBars()
    first = ticker("10", trade_id=1, at=at(T0_S + 1))
    later = [("12", 2, 30), ("9", 3, 59), ("9", 3, 59), ("11", 4, 61)]
    assert bars.add(first) is None

    def sized(price: str, trade_id: int, second: int) -> Candle | None:
        event = ticker(price, trade_id=trade_id, at=at(T0_S + second))
        object.__setattr__(event, "last_size", Decimal(2))
        return bars.add(event)

    folded = [sized(*trade) for trade in later]
    assert folded[2] is None
    assert [(12, 12, 12, 2), (12, 12, 9, 4), (11, 11, 11, 2)] == [
        tuple(map(int, (b.open, b.high, b.close, b.volume))) for b in folded if b
    ]
    assert floor_s(at(T0_S + 61), MINUTE_S) == T0_S + 60
