"""The answers of the tools for technical metrics. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from pydantic import JsonValue

from arena.errors import UsageError
from arena.granularities import GRANULARITIES, find_granularity, granularity_of
from arena.indicators import (
    CATALOGUE,
    IndicatorSpec,
    Metric,
    parse_spec,
    spec_of,
)
from arena.indicators.bars import MINUTE_S
from arena.indicators.specs import find_metric
from arena.messages import IndicatorWindow
from trading_tools.candle_store import RECORDS_SEEN, CandleView
from trading_tools.context import Answer

COMPUTE: Final = "compute_technical_metrics"
LIST: Final = "list_technical_metrics"
TIME: Final = "%Y-%m-%d %H:%M"


def computed(
    view: CandleView, product_id: str, metric: str, granularity: str, length: int | None
) -> Answer:
    """The answer of `compute_technical_metrics`; every error has the value and the remedy."""
    code = "unknown_product"
    try:
        records = view.records(product_id)
        code = "unknown_granularity"
        granularity = granularity or granularity_of(view.bar_s)
        step_s = find_granularity(granularity)
        _require_bars(view, granularity, step_s)
        code = "unknown_metric"
        found = find_metric(_name_of(metric))
        code = "bad_length"
        spec = _spec(found, metric, length)
        _require_kept(spec, granularity, step_s, view.bar_s)
    except UsageError as error:
        return Answer(f"{COMPUTE}: {error.args[0]}; {error.remedy}.", error=code)
    window = view.indicators(product_id, granularity, spec)
    # Only the run that begins with the oldest kept record may have begun before it.
    truncated = len(records) >= RECORDS_SEEN and window.gap is None
    return _answer(view, product_id, spec, granularity, window, truncated=truncated)


def listed_metrics(
    view: CandleView, shown: Mapping[str, tuple[str, ...]], product_id: str
) -> Answer:
    """The answer of `list_technical_metrics`.

    Args:
        view: The candles.
        shown: Granularity -> names of the values that snapshots have.
        product_id: A product, or "" for none.
    """
    kept: dict[str, JsonValue] = {}
    lines = [
        f"{metric.name}: {metric.summary}. {_parameters(metric)}" for metric in CATALOGUE.values()
    ]
    if product_id:
        try:
            minutes = view.minutes(product_id)
        except UsageError as error:
            return Answer(f"{LIST}: {error.args[0]}; {error.remedy}.", error="unknown_product")
        first, last = (_text(bar.start_s) for bar in (minutes[0], minutes[-1]))
        unit = "minutes" if view.bar_s == MINUTE_S else "bars"
        kept = {"product_id": product_id, unit: len(minutes), "first": first, "last": last}
        lines.append(f"{product_id}: {len(minutes)} {unit}, {first} to {last} UTC.")
    for name, values in shown.items():
        lines.append(f"In the snapshot, {name}: {', '.join(values) or 'none'}.")
    lines.append(f"Granularities: {', '.join(_granularities(view))}.")
    value: dict[str, JsonValue] = {
        "metrics": [_described(metric) for metric in CATALOGUE.values()],
        "granularities": list[JsonValue](_granularities(view)),
        "in_snapshot": {name: list(values) for name, values in shown.items()},
        "candles": kept or None,
    }
    return Answer("\n".join(lines), value)


def _name_of(metric: str) -> str:
    """The metric's name in a text such as "rsi" or "macd_5_35_5"."""
    return metric.strip().lower().rstrip("0123456789._")


def _spec(metric: Metric, text: str, length: int | None) -> IndicatorSpec:
    """The metric with its parameters: from its text, from `length`, or the defaults.

    Raises:
        UsageError: They contradict each other, or are out of bounds.
    """
    text = text.strip().lower()
    if length is None:
        return parse_spec(text)
    if text != metric.name:
        raise UsageError(
            f"{text[:80]!r} has its numbers, and length is {length}",
            remedy=f"give {metric.name!r} with a length, or leave out length",
        )
    names = [one.name for one in metric.parameters]
    if "length" not in names:
        raise UsageError(
            f"{metric.name} has no length but {', '.join(names)}; length was {length}",
            remedy=f"leave out length, and write the numbers, such as {spec_of(metric.name).text}",
        )
    others = [one.default for one in metric.parameters[1:]]
    return spec_of(metric.name, [Decimal(length), *others])


def _require_bars(view: CandleView, granularity: str, step_s: int) -> None:
    if step_s < view.bar_s:
        raise UsageError(
            f"no bars of {granularity}: the market has bars of {granularity_of(view.bar_s)}",
            remedy=f"the granularities are {', '.join(_granularities(view))}",
        )


def _granularities(view: CandleView) -> list[str]:
    """The granularities that can be made of the market's candles."""
    return [name for name, step_s in GRANULARITIES.items() if step_s >= view.bar_s]


def _require_kept(spec: IndicatorSpec, granularity: str, step_s: int, bar_s: int) -> None:
    count, unit = spec.bars * step_s // bar_s, "minutes"
    if bar_s != MINUTE_S:
        unit = f"bars of {granularity_of(bar_s)}"
    if count > RECORDS_SEEN:
        raise UsageError(
            f"{spec.text} needs {spec.bars} bars of {granularity}: {count:,} {unit}"
            + (" of candles" if bar_s == MINUTE_S else ""),
            remedy=f"use a shorter length or granularity; {RECORDS_SEEN:,} {unit} are kept",
        )


def _answer(
    view: CandleView,
    product_id: str,
    spec: IndicatorSpec,
    granularity: str,
    window: IndicatorWindow,
    *,
    truncated: bool,
) -> Answer:
    missing = max(0, spec.bars - window.bars)
    values = ", ".join(
        f"{name} = {'none' if one is None else f'{one:.12g}'}"
        for name, one in window.values.items()
    )
    text = f"{product_id} {granularity}: {values}; {_bars_text(window, granularity, truncated)}"
    if missing:
        text += f"; it needs {spec.bars} bars, {missing} are missing"
    if window.gap is not None:
        text += f"; bars before {window.gap:{TIME}} are not used: there are none at that time"
    value: dict[str, JsonValue] = {
        "product_id": product_id,
        "granularity": granularity,
        "values": dict(window.values),
        "bars": window.bars,
        "bars_needed": spec.bars,
        "missing_bars": missing,
        "truncated": truncated,
        "gap": None if window.gap is None else window.gap.isoformat(),
        "newest_bar": _newest(view, product_id, granularity, window),
    }
    newest = value["newest_bar"]
    if isinstance(newest, dict):
        text += f"; newest bar {newest['start']} to {newest['end']}, close {newest['close']}"
    return Answer(f"{text}.", value)


def _bars_text(window: IndicatorWindow, granularity: str, truncated: bool) -> str:
    if window.since is None:
        return f"no bar of {granularity} has closed yet"
    text = f"computed from {window.bars} bars since {window.since:{TIME}} UTC"
    if truncated:
        text += ", as many as are kept: in the snapshot it may be computed from more"
    return text


def _newest(
    view: CandleView, product_id: str, granularity: str, window: IndicatorWindow
) -> JsonValue:
    """Start, end and close of the newest closed bar; None before the first."""
    if window.since is None:
        return None
    step_s = GRANULARITIES[granularity]
    start_s = int(window.since.timestamp()) + (window.bars - 1) * step_s
    inside = [bar for bar in view.minutes(product_id) if start_s <= bar.start_s < start_s + step_s]
    return {
        "start": _text(start_s),
        "end": _text(start_s + step_s),
        "close": f"{inside[-1].close:.12g}",
    }


def _parameters(metric: Metric) -> str:
    parts = [f"{p.name} {p.default} ({p.least} to {p.most})" for p in metric.parameters]
    spec = spec_of(metric.name)
    return f"Parameters: {', '.join(parts)}; {spec.text} needs {spec.bars} bars."


def _described(metric: Metric) -> JsonValue:
    spec = spec_of(metric.name)
    parameters: list[JsonValue] = [
        {
            "name": one.name,
            "default": float(one.default),
            "least": float(one.least),
            "most": float(one.most),
        }
        for one in metric.parameters
    ]
    return {
        "metric": metric.name,
        "summary": metric.summary,
        "parameters": parameters,
        "values": list(spec.names),
        "bars_needed": spec.bars,
    }


def _text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):{TIME}}"
