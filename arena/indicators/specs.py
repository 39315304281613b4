"""Texts such as `rsi_14`: one metric with its parameters. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arena.errors import UsageError
from arena.indicators.bars import Indicator
from arena.indicators.catalogue import CATALOGUE, METRIC_OF_OUTPUT, Metric, Parameter, Parameters
from arena.unknown_names import closest_first, listed

_SPEC: Final = re.compile(r"(?P<name>[a-z][a-z_]*?)(?P<numbers>(?:_[0-9]+(?:\.[0-9]+)?)*)")
_TEXT_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """A metric with its parameters.

    Attributes:
        metric: Name in the catalogue.
        parameters: Values, in the metric's order.
    """

    metric: str
    parameters: Parameters

    @property
    def text(self) -> str:
        """The full name, such as "macd_12_26_9"."""
        return self.metric + self._suffix

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values, such as "macd_signal_12_26_9"."""
        return tuple(output + self._suffix for output in CATALOGUE[self.metric].outputs)

    @property
    def bars(self) -> int:
        """Bars until every value is there."""
        return CATALOGUE[self.metric].warm(self.parameters)

    @property
    def bars_that_count(self) -> int:
        """Bars after which older ones change no value by more than about 1e-9 of their effect."""
        return self.bars * (1 + CATALOGUE[self.metric].fades)

    def make(self) -> Indicator:
        """A new indicator."""
        return CATALOGUE[self.metric].make(self.parameters)

    @property
    def _suffix(self) -> str:
        return "".join(f"_{number}" for number in self.parameters)


def find_metric(name: str) -> Metric:
    """The metric of a name.

    Raises:
        UsageError: It is not in the catalogue.
    """
    metric = CATALOGUE.get(name)
    if metric is not None:
        return metric
    if name in METRIC_OF_OUTPUT:
        owner = METRIC_OF_OUTPUT[name]
        raise UsageError(f"{name!r} is a value of the metric {owner}", remedy=f"ask for {owner!r}")
    known = closest_first(name[:_TEXT_MAX], [*CATALOGUE, *METRIC_OF_OUTPUT])
    names = list(dict.fromkeys(METRIC_OF_OUTPUT.get(one, one) for one in known))
    raise UsageError(
        f"unknown metric {name[:_TEXT_MAX]!r}", remedy=f"the metrics are {listed(names)}"
    )


def spec_of(name: str, numbers: Sequence[Decimal] = ()) -> IndicatorSpec:
    """A metric with the given parameters, or with the defaults if there are none.

    Raises:
        UsageError: An unknown metric, or parameters that it cannot have.
    """
    metric = find_metric(name)
    wanted = metric.parameters
    if not numbers:
        return IndicatorSpec(metric.name, tuple(one.default for one in wanted))
    if len(numbers) != len(wanted):
        raise UsageError(
            f"{metric.name} has {_count(wanted)}, got {len(numbers)}",
            remedy=f"for example {spec_of(name).text}",
        )
    checked = tuple(_checked(metric, *pair) for pair in zip(wanted, numbers, strict=True))
    if metric.name == "macd" and checked[0] >= checked[1]:
        raise UsageError(
            f"the fast length of macd must be less than the slow one, got {checked[0]} and "
            f"{checked[1]}",
            remedy="for example macd_12_26_9",
        )
    return IndicatorSpec(metric.name, checked)


def parse_spec(text: str) -> IndicatorSpec:
    """A metric from its text: `rsi_14`, or `rsi` for the default.

    Raises:
        UsageError: The text cannot be read, or names something that does not exist.
    """
    match = _SPEC.fullmatch(text) if len(text) <= _TEXT_MAX else None
    if match is None:
        raise UsageError(
            f"{text[:_TEXT_MAX]!r} is not an indicator",
            remedy="write a metric and its numbers, for example rsi_14 or macd_12_26_9",
        )
    numbers = [Decimal(one) for one in match["numbers"].split("_")[1:]]
    return spec_of(match["name"], numbers)


def _checked(metric: Metric, parameter: Parameter, number: Decimal) -> Decimal:
    label = f"{parameter.name} of {metric.name}"
    bounds = f"{parameter.least} to {parameter.most}"
    if parameter.whole and number != number.to_integral_value():
        raise UsageError(f"{label} must be a whole number, got {number}", remedy=f"use {bounds}")
    if not parameter.least <= number <= parameter.most:
        raise UsageError(f"{label} must be {bounds}, got {number}", remedy=f"use {bounds}")
    return Decimal(int(number)) if number == number.to_integral_value() else number.normalize()


def _count(parameters: Sequence[Parameter]) -> str:
    names = ", ".join(one.name for one in parameters)
    return f"{len(parameters)} parameter{'s' if len(parameters) > 1 else ''} ({names})"
