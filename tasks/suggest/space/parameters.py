"""Search-space parameters (real, integer, listed), mapped to the unit interval and back.

Every parameter maps its values to positions in [0, 1] and back. A parameter with `levels` has that
many values, at the centres of as many cells of equal weight (on its scale); `snap` moves positions
to those centres, so that the model only ever sees values that can be run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conf.schema.search import Choices, Range, Scalar
from tasks.suggest.types import Vector

SIGNIFICANT_DIGITS = 6


def _forward(x: float, scale: str) -> float:
    if scale == "log":
        return math.log(x)
    return math.log(x / (1 - x)) if scale == "logit" else x


def _backward(t: float, scale: str) -> float:
    if scale == "log":
        return math.exp(t)
    return 1 / (1 + math.exp(-t)) if scale == "logit" else t


@dataclass(frozen=True)
class Real:
    """A real number between two bounds, on a scale."""

    key: str
    low: float
    high: float
    scale: str = "linear"
    ordered = True

    @property
    def levels(self) -> int | None:
        """Number of values; None where infinite."""
        return 1 if self._single else None

    @property
    def _single(self) -> bool:
        """Whether both ends are equal on the scale, as those of two adjacent floats may be."""
        return _forward(self.low, self.scale) >= _forward(self.high, self.scale)

    def value(self, position: float) -> float:
        """The value at a position, rounded to six significant digits."""
        start, end = _forward(self.low, self.scale), _forward(self.high, self.scale)
        exact = _backward(start + position * (end - start), self.scale)
        return min(max(self._rounded(exact), self.low), self.high)

    def _rounded(self, exact: float) -> float:
        size = min(abs(exact), self.high - self.low)
        if self.scale == "logit":
            size = min(size, 1 - exact)
        if size <= 0 or not math.isfinite(size):
            return exact
        return round(exact, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(size)))

    def position(self, value: Scalar) -> float:
        """The position of a value; ValueError if it is not one of this parameter."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{value!r} is not a number")
        if not self.low <= value <= self.high:
            raise ValueError(f"{value:g} is outside {self.low:g} to {self.high:g}")
        if self._single:
            return 0.5
        start, end = _forward(self.low, self.scale), _forward(self.high, self.scale)
        return (_forward(float(value), self.scale) - start) / (end - start)

    def snap(self, column: Vector) -> Vector:
        """The nearest valid positions, shape (n,)."""
        return np.full_like(column, 0.5) if self._single else np.clip(column, 0.0, 1.0)


@dataclass(frozen=True)
class Integer:
    """An integer between two bounds, on a scale; each has a cell of positions of its own."""

    key: str
    low: int
    high: int
    scale: str = "linear"
    ordered = True

    @property
    def levels(self) -> int:
        """Number of values."""
        return self.high - self.low + 1

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return _forward(self.low - 0.5, self.scale), _forward(self.high + 0.5, self.scale)

    def value(self, position: float) -> int:
        """The integer whose cell contains the position."""
        start, end = self._ends
        exact = _backward(start + position * (end - start), self.scale)
        return int(min(max(round(exact), self.low), self.high))

    def position(self, value: Scalar) -> float:
        """The position of a value; ValueError if it is not one of this parameter."""
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            raise ValueError(f"{value!r} is not a whole number")
        if not self.low <= value <= self.high:  # type: ignore[operator]
            raise ValueError(f"{value} is outside {self.low} to {self.high}")
        start, end = self._ends
        return (_forward(float(value), self.scale) - start) / (end - start)  # type: ignore[arg-type]

    def snap(self, column: Vector) -> Vector:
        """The positions, shape (n,), of the integers whose cells contain the given ones."""
        start, end = self._ends
        points = start + np.clip(column, 0.0, 1.0) * (end - start)
        values = np.exp(points) if self.scale == "log" else points
        whole = np.clip(np.rint(values), self.low, self.high)
        return ((np.log(whole) if self.scale == "log" else whole) - start) / (end - start)


@dataclass(frozen=True)
class Listed:
    """One of a list of values: categories or, if `ordered`, an ordinal scale."""

    key: str
    values: tuple[Scalar, ...]
    ordered: bool = False

    @property
    def levels(self) -> int:
        """Number of values."""
        return len(self.values)

    def value(self, position: float) -> Scalar:
        """The value whose cell contains the position."""
        return self.values[min(int(position * self.levels), self.levels - 1)]

    def position(self, value: Scalar) -> float:
        """The position of a value; ValueError if it is not one of this parameter."""
        return (self._index(value) + 0.5) / self.levels

    def _index(self, value: Scalar) -> int:
        # JSON and YAML do not tell 1.0 from 1, but True is not 1.
        for index, known in enumerate(self.values):
            if isinstance(known, bool) == isinstance(value, bool) and known == value:
                return index
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, self.values))}")

    def snap(self, column: Vector) -> Vector:
        """Centres, shape (n,), of the cells that contain the given positions."""
        index = np.minimum(np.floor(np.clip(column, 0.0, 1.0) * self.levels), self.levels - 1)
        return (index + 0.5) / self.levels


Parameter = Real | Integer | Listed


def is_numeric(parameter: Parameter) -> bool:
    """Whether all values of a parameter are numbers, so that constraints may name it."""
    if not isinstance(parameter, Listed):
        return True
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in parameter.values)


def reflected(column: Vector) -> Vector:
    """Positions reflected into [0, 1] at its ends."""
    folded = np.abs(column) % 2.0
    return np.where(folded > 1.0, 2.0 - folded, folded)


def build(key: str, dimension: Range | Choices) -> Parameter:
    """The parameter of a dimension of `search.space`."""
    if isinstance(dimension, Choices):
        ordered = dimension.ordered or _is_ladder(dimension.choices)
        return Listed(key, dimension.choices, ordered)
    if dimension.step is not None:
        return Listed(key, _ladder(dimension), ordered=True)
    if dimension.type == "int":
        return Integer(key, int(dimension.low), int(dimension.high), dimension.scale)
    return Real(key, dimension.low, dimension.high, dimension.scale)


def _is_ladder(choices: tuple[Scalar, ...]) -> bool:
    """Whether the choices are ascending numbers, like batch sizes 32, 64, 128."""
    if any(isinstance(choice, bool) or not isinstance(choice, (int, float)) for choice in choices):
        return False
    return list(choices) == sorted(choices)  # type: ignore[type-var]


def _ladder(dimension: Range) -> tuple[Scalar, ...]:
    assert dimension.step is not None
    count = math.floor((dimension.high - dimension.low) / dimension.step + 1e-9) + 1
    if dimension.type == "int":
        return tuple(int(dimension.low) + index * int(dimension.step) for index in range(count))
    # Twelve digits: 0.1 * 3 is 0.3 here, not 0.30000000000000004.
    return tuple(float(f"{dimension.low + index * dimension.step:.12g}") for index in range(count))
