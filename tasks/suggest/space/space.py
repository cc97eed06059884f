"""The search space: parameters, conditions and constraints; configurations as rows in [0, 1]."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from conf.runtime.errors import BadInput
from conf.schema.search import Choices, Dimension, Range, Scalar
from tasks.suggest.space.constraints import parse
from tasks.suggest.space.parameters import Integer, Listed, Parameter, Real, build
from tasks.suggest.space.user_priors import UserPrior, user_prior
from tasks.suggest.types import Floats, Rows, Values

_DIMENSION: TypeAdapter[Range | Choices] = TypeAdapter(Dimension)
_GRID_LEVELS = 5
_LARGEST_COUNT = 1_000_000
_MOST_SEEN = 20_000


@dataclass(frozen=True)
class Condition:
    """A setting is active only where its parent has one of some positions."""

    parent: int
    positions: tuple[float, ...]

    def holds(self, column: Floats) -> NDArray[np.bool_]:
        """Whether it holds, for a snapped column of the parent (NaN where inactive)."""
        gaps = np.abs(column[:, None] - np.asarray(self.positions)[None, :])
        return np.any(gaps < 1e-9, axis=1)  # NaN compares false: an inactive parent deactivates


class Space:
    """Parameters sorted by key, and the conditions under which each is active.

    Built from a mapping of key to a dimension as in `search.space`. The order of the mapping does
    not matter.
    """

    def __init__(
        self,
        space: Mapping[str, Any],
        constraints: Sequence[str] = (),
        *,
        empty: bool = False,
    ) -> None:
        """Build the space; `empty` admits one without settings.

        Raises:
            BadInput: a dimension, a condition or a constraint is not valid, or there is no setting.
        """
        if not space and not empty:
            raise BadInput("search.space is empty: name at least one setting to search")
        dimensions = {key: _parsed(key, space[key]) for key in sorted(space)}
        self.parameters: tuple[Parameter, ...] = tuple(
            build(key, dimension) for key, dimension in dimensions.items()
        )
        self._index = {parameter.key: i for i, parameter in enumerate(self.parameters)}
        self.conditions: tuple[tuple[Condition, ...], ...] = tuple(
            self._conditions(key, dimension.when or {}) for key, dimension in dimensions.items()
        )
        self.order = self._parents_first()
        """Indices of the parameters, parents before what depends on them."""
        numeric = {parameter.key: _only_numbers(parameter) for parameter in self.parameters}
        self.constraints = tuple(parse(text, numeric) for text in constraints)
        priors = [getattr(dimension, "prior", None) for dimension in dimensions.values()]
        self.user_priors: tuple[UserPrior | None, ...] = tuple(
            None if prior is None else user_prior(parameter, prior)
            for parameter, prior in zip(self.parameters, priors, strict=True)
        )
        """The user prior over the best position of each parameter, or None."""
        self._seen: dict[str, tuple[Floats, str]] = {}
        self.description: dict[str, Any] = {
            key: dimension.model_dump(mode="json", exclude_defaults=True)
            for key, dimension in dimensions.items()
        }

    def __len__(self) -> int:
        return len(self.parameters)

    def _conditions(self, key: str, when: Mapping[str, Any]) -> tuple[Condition, ...]:
        return tuple(self._condition(key, parent, wanted) for parent, wanted in when.items())

    def _condition(self, key: str, parent: str, wanted: Any) -> Condition:
        where = f"search.space.{key}.when.{parent}"
        if parent not in self._index:
            raise BadInput(f"{where}: {parent} is not searched; add it to the space or drop this")
        parameter = self.parameters[self._index[parent]]
        if isinstance(parameter, Real):
            raise BadInput(f"{where}: {parent} is a real number; use one with countable values")
        values = wanted if isinstance(wanted, (list, tuple)) else (wanted,)
        try:
            positions = tuple(parameter.position(value) for value in values)
        except ValueError as problem:
            raise BadInput(f"{where}: {problem}; name values that {parent} can have") from None
        return Condition(self._index[parent], positions)

    def _parents_first(self) -> tuple[int, ...]:
        """Parameter indices such that a parent comes before what depends on it."""
        order: list[int] = []
        remaining = set(range(len(self.parameters)))
        while remaining:
            free = sorted(
                i for i in remaining if not any(c.parent in remaining for c in self.conditions[i])
            )
            if not free:
                keys = ", ".join(self.parameters[i].key for i in sorted(remaining))
                raise BadInput(f"search.space: the conditions of {keys} go round in a circle")
            order += free
            remaining -= set(free)
        return tuple(order)

    @cached_property
    def conditional(self) -> bool:
        """Whether any setting has a condition."""
        return any(self.conditions)

    def snap(self, rows: Rows) -> Rows:
        """Rows, (n, d), moved to the nearest valid positions; NaN where a setting is inactive."""
        snapped = np.empty_like(rows)
        for i in self.order:
            column = self.parameters[i].snap(np.where(np.isnan(rows[:, i]), 0.5, rows[:, i]))
            active = np.ones(len(rows), dtype=bool)
            for condition in self.conditions[i]:
                active &= condition.holds(snapped[:, condition.parent])
            snapped[:, i] = np.where(active, column, np.nan)
        return snapped

    def allowed(self, values: Values) -> bool:
        """Whether a configuration satisfies all constraints."""
        return all(constraint.holds(values) for constraint in self.constraints)

    def admitted(self, rows: Rows) -> Rows:
        """The rows, (n, d), that satisfy all constraints."""
        if not self.constraints:
            return rows
        return rows[np.array([self.allowed(self.decode(row)) for row in rows], dtype=bool)]

    def decode(self, row: Floats) -> dict[str, Scalar]:
        """The configuration of a snapped row: its active settings alone."""
        return {
            parameter.key: parameter.value(float(position))
            for parameter, position in zip(self.parameters, row, strict=True)
            if not np.isnan(position)
        }

    def encode(self, values: Values) -> Floats:
        """The row of a configuration; BadInput when it is not one of this space."""
        return self._placed(values)[0]

    def _placed(self, values: Values) -> tuple[Floats, str]:
        """Row and key of a configuration; kept, since each step of a search reads all of them."""
        text = repr(values)  # tells 1 from 1.0 and True, which are equal as keys
        if (known := self._seen.get(text)) is not None:
            return known
        row = self._encoded(values)
        row.flags.writeable = False
        key = json.dumps(self.canonical(values, row), sort_keys=True)
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[text] = row, key
        return row, key

    def _encoded(self, values: Values) -> Floats:
        row = np.full(len(self), np.nan)
        for i in self.order:
            parameter = self.parameters[i]
            if not self.active(i, row):
                continue
            if parameter.key not in values:
                raise BadInput(f"{parameter.key} has no value; give it one")
            try:
                row[i] = parameter.position(values[parameter.key])
            except ValueError as problem:
                raise BadInput(f"{parameter.key}: {problem}; choose a value in the space") from None
        unknown = sorted(set(values) - set(self._index))
        if unknown:
            raise BadInput(f"{unknown[0]} is not in the space; drop it")
        return row

    def active(self, i: int, row: Floats) -> bool:
        """Whether a parameter is active in a row whose parameters before it in `order` are set."""
        return all(bool(c.holds(row[c.parent : c.parent + 1])[0]) for c in self.conditions[i])

    def canonical(self, values: Values, row: Floats | None = None) -> dict[str, Scalar]:
        """The same configuration in the space's own types, without inactive settings.

        Reals stay as given; a whole number given as 32.0 becomes 32. `row` is the configuration's,
        where it is known. BadInput as in `encode`.
        """
        row = self.encode(values) if row is None else row
        return {
            parameter.key: float(values[parameter.key])  # type: ignore[arg-type]
            if isinstance(parameter, Real)
            else parameter.value(float(position))
            for parameter, position in zip(self.parameters, row, strict=True)
            if not np.isnan(position)
        }

    def complete(self, values: Values, base: Values | None) -> dict[str, Scalar]:
        """A configuration from some of its settings, the others from `base` or mid-range.

        BadInput when a value is not of the space, or the whole breaks a constraint.
        """
        unknown = sorted(set(values) - set(self._index))
        if unknown:
            raise BadInput(f"{unknown[0]} is not in the space; drop it")
        middle = {parameter.key: parameter.value(0.5) for parameter in self.parameters}
        whole = self.canonical({**middle, **(base or {}), **values})
        for constraint in self.constraints:
            if not constraint.holds(whole):
                raise BadInput(f"{whole} breaks the constraint {constraint.text}; mend one of them")
        return whole

    def key(self, values: Values) -> str:
        """One text for one configuration, also for one that is not of this space."""
        try:
            return self._placed(values)[1]
        except BadInput:
            return json.dumps(dict(values), sort_keys=True)

    def place(self, values: Values) -> tuple[Floats | None, str]:
        """Row and key of a configuration in one look; no row where it is not of this space."""
        try:
            return self._placed(values)
        except BadInput:
            return None, self.key(values)

    @cached_property
    def size(self) -> int | None:
        """Number of configurations; None where infinite or above a million."""
        if any(parameter.levels is None for parameter in self.parameters):
            return None
        total = 1
        for parameter in self.parameters:
            total *= parameter.levels or 1
        if not self.conditional and not self.constraints:
            return total if total <= _LARGEST_COUNT else None
        return len(self.all_rows()) if total <= _LARGEST_COUNT // 10 else None

    def all_rows(self) -> Rows:
        """Every configuration of a finite space, as distinct rows in a fixed order."""
        axes = [self._centres(i) for i in range(len(self))]
        snapped = self.snap(np.array(list(product(*axes))))
        return self.admitted(_distinct(snapped))

    def walk(self) -> Iterator[Floats]:
        """Rows of a finite space one by one, repeats included, without laying them all out."""
        for point in product(*(self._centres(i) for i in range(len(self)))):
            yield self.snap(np.array([point]))[0]

    def _centres(self, i: int) -> list[float]:
        parameter = self.parameters[i]
        assert parameter.levels is not None
        if parameter.levels == 1:
            return [0.5]
        return grid_positions(parameter, parameter.levels)

    def grid_axes(self) -> list[list[float]]:
        """Positions that a grid visits: all of a list's, at most five of a range's."""
        axes = []
        for parameter in self.parameters:
            levels = parameter.levels or _GRID_LEVELS
            count = levels if isinstance(parameter, Listed) else min(levels, _GRID_LEVELS)
            axes.append(grid_positions(parameter, count))
        return axes


def space_of(space: Mapping[str, Any], constraints: Sequence[str] = ()) -> Space:
    """The space; one object for one description, which remembers the configurations it has seen."""
    try:
        text = json.dumps(space)
    except (TypeError, ValueError):  # not what a file holds: let Space name the entry
        return Space(space, constraints, empty=True)
    return _kept_space(text, tuple(constraints))


@lru_cache(maxsize=4)
def _kept_space(text: str, constraints: tuple[str, ...]) -> Space:
    return Space(json.loads(text), constraints, empty=True)


def grid_positions(parameter: Parameter, count: int) -> list[float]:
    """`count` evenly spread positions of a parameter, its ends included."""
    if parameter.levels == 1:
        return [0.5]
    if isinstance(parameter, Listed):
        return [(index + 0.5) / count for index in range(count)]
    if isinstance(parameter, Integer) and parameter.levels == count:
        return [parameter.position(parameter.low + index) for index in range(count)]
    ends = np.linspace(0.0, 1.0, count)
    return [float(position) for position in np.unique(parameter.snap(ends))]


def _only_numbers(parameter: Parameter) -> bool:
    if not isinstance(parameter, Listed):
        return True
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in parameter.values)


def _distinct(rows: Rows) -> Rows:
    """Rows without repeats (NaN equals NaN), in order of first appearance."""
    _, first = np.unique(np.nan_to_num(rows, nan=-1.0), axis=0, return_index=True)
    return rows[np.sort(first)]


def _parsed(key: str, given: Any) -> Range | Choices:
    try:
        return _DIMENSION.validate_python(given)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join([f"search.space.{key}", *(str(p) for p in first["loc"][1:])])
        raise BadInput(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None


def reflected(column: Floats) -> Floats:
    """Positions folded back into the unit interval at its ends."""
    folded = np.abs(column) % 2.0
    return np.where(folded > 1.0, 2.0 - folded, folded)
