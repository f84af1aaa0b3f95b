"""Round numbers: the range and step of a slider for numbers that were seen."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from math import isfinite

from kserve_client.catalog.sample.columns import EXACT_IN_FLOAT, Numbers

STEPS_ON_A_SLIDER = 1_000
# More of them for integers: a coarse step hides numbers that are not its multiples.
INTEGERS_ON_A_SLIDER = 10_000
UNITS_IN_A_RANGE = 10
REFERENCE_DIGITS = 8
_DIGITS = 60


def nice_range(numbers: Numbers, *, is_whole: bool) -> Mapping[str, int | float]:
    """Min, max, step and default: round bounds that hold all numbers, and their median.

    The step is 1, 2 or 5 times a power of ten: what the decimals of the numbers need, but not more
    than a thousand in the range, of integers ten thousand. Only a default where integers are too
    large for a slider.
    """
    if is_whole and not numbers.is_whole:
        return {}
    with localcontext() as context:
        context.prec = _DIGITS
        return _range(numbers, is_whole=is_whole)


def rounded(number: float) -> int | float:
    """With 8 digits: a reference is looked at, not computed with."""
    return _plain(Decimal(f"{number:.{REFERENCE_DIGITS}g}"))


def _range(numbers: Numbers, *, is_whole: bool) -> Mapping[str, int | float]:
    if is_whole and max(abs(numbers.least), abs(numbers.greatest)) >= EXACT_IN_FLOAT:
        return {"default": numbers.median}
    least, greatest = Decimal(repr(numbers.least)), Decimal(repr(numbers.greatest))
    low, high = _widened(least, greatest)
    smallest = Decimal(1).scaleb(-(numbers.decimals or 0)) if numbers.decimals is not None else None
    steps = INTEGERS_ON_A_SLIDER if is_whole else STEPS_ON_A_SLIDER
    step = _largest(_below((high - low) / steps), smallest)
    unit = _largest(_above((high - low) / UNITS_IN_A_RANGE), smallest)
    low, high = _multiple(low, unit, ROUND_FLOOR), _multiple(high, unit, ROUND_CEILING)
    default = _multiple(Decimal(repr(numbers.median)), step, ROUND_HALF_EVEN)
    default = min(max(default, low), high)
    found = {"min": low, "max": high, "step": step, "default": default}
    return {name: _plain(value) for name, value in found.items() if _is_float(name, value)}


def _widened(least: Decimal, greatest: Decimal) -> tuple[Decimal, Decimal]:
    """Room around the one value of a constant column; never below 0 if it is not."""
    if least < greatest:
        return least, greatest
    room = Decimal(1).scaleb(least.adjusted()) if least else Decimal(1)
    low = least - room
    return (max(low, Decimal(0)) if least >= 0 else low), least + room


def _below(number: Decimal) -> Decimal:
    """The next of 1, 2 and 5 times a power of ten, downwards."""
    power = Decimal(1).scaleb(number.adjusted())
    return next(power * factor for factor in (5, 2, 1) if power * factor <= number)


def _above(number: Decimal) -> Decimal:
    """The next of 1, 2 and 5 times a power of ten, upwards."""
    power = Decimal(1).scaleb(number.adjusted())
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= number)


def _largest(one: Decimal, other: Decimal | None) -> Decimal:
    return one if other is None else max(one, other)


def _multiple(number: Decimal, unit: Decimal, rounding: str) -> Decimal:
    return (number / unit).to_integral_value(rounding) * unit


def _is_float(name: str, value: Decimal) -> bool:
    return isfinite(float(value)) and (name != "step" or float(value) > 0)


def _plain(value: Decimal) -> int | float:
    """An integer where it is one, as a person writes it."""
    is_whole = value == value.to_integral_value() and abs(value) < EXACT_IN_FLOAT
    return int(value) if is_whole else float(value)
