"""The search space: configurations as rows of positions in [0, 1], and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np
from pydantic import TypeAdapter, ValidationError

from conf.runtime.errors import BadInput
from conf.runtime.types import Floats
from conf.schema.search import Choices, Dimension, Range, Scalar
from tasks.suggest.space.conditions import Conditions, conditions_of, parents_first
from tasks.suggest.space.constraints import parse
from tasks.suggest.space.parameters import Parameter, Real, build, is_numeric
from tasks.suggest.space.user_priors import UserPrior, user_prior
from tasks.suggest.types import Rows, SpaceDescription, Values

_DIMENSION: TypeAdapter[Range | Choices] = TypeAdapter(Dimension)
_CACHED_ROWS = 20_000


class Space:
    """Parameters sorted by key, with their conditions, user priors and constraints.

    A configuration is a mapping of key to value that holds its active settings alone. Its row has a
    position for each parameter, NaN where the setting is inactive.
    """

    def __init__(
        self,
        space: SpaceDescription,
        constraints: Sequence[str] = (),
        *,
        empty: bool = False,
    ) -> None:
        """Build the space.

        Args:
            space: Key to dimension, as in `search.space`, in any order.
            constraints: Texts like `model.width * model.depth <= 512`.
            empty: Whether a space without settings is accepted.

        Raises:
            BadInput: A dimension, condition or constraint is not valid, or there is no setting.
        """
        if not space and not empty:
            raise BadInput("search.space is empty: name at least one setting to search")
        dimensions = {key: _parsed(key, space[key]) for key in sorted(space)}
        self.parameters: tuple[Parameter, ...] = tuple(
            build(key, dimension) for key, dimension in dimensions.items()
        )
        self._keys = {parameter.key for parameter in self.parameters}
        self.conditions: tuple[Conditions, ...] = tuple(
            conditions_of(key, dimension.when or {}, self.parameters)
            for key, dimension in dimensions.items()
        )
        self.order = parents_first(self.parameters, self.conditions)
        """Indices of the parameters, parents before their dependents."""
        numeric = {parameter.key: is_numeric(parameter) for parameter in self.parameters}
        self.constraints = tuple(parse(text, numeric) for text in constraints)
        priors = [getattr(dimension, "prior", None) for dimension in dimensions.values()]
        self.user_priors: tuple[UserPrior | None, ...] = tuple(
            None if prior is None else user_prior(parameter, prior)
            for parameter, prior in zip(self.parameters, priors, strict=True)
        )
        """The user prior over the best position of each parameter, or None."""
        self._rows: dict[str, tuple[Floats, str]] = {}
        self.description: dict[str, dict[str, object]] = {
            key: dimension.model_dump(mode="json", exclude_defaults=True)
            for key, dimension in dimensions.items()
        }
        """The space as JSON, from which it can be built again."""

    def __len__(self) -> int:
        return len(self.parameters)

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

    def active(self, i: int, row: Floats) -> bool:
        """Whether parameter `i` is active in a row whose earlier ones in `order` are set."""
        return all(bool(c.holds(row[c.parent : c.parent + 1])[0]) for c in self.conditions[i])

    def allowed(self, values: Values) -> bool:
        """Whether a configuration satisfies all constraints."""
        return all(constraint.holds(values) for constraint in self.constraints)

    def admitted(self, rows: Rows) -> Rows:
        """The rows, of (n, d), that satisfy all constraints."""
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
        """The row, shape (d,), of a configuration.

        Raises:
            BadInput: The configuration is not of this space.
        """
        return self._placed(values)[0]

    def key(self, values: Values) -> str:
        """The identity of a configuration as text, also of one that is not of this space."""
        try:
            return self._placed(values)[1]
        except BadInput:
            return json.dumps(dict(values), sort_keys=True)

    def place(self, values: Values) -> tuple[Floats | None, str]:
        """Row and key of a configuration; no row if it is not of this space."""
        try:
            return self._placed(values)
        except BadInput:
            return None, self.key(values)

    def _placed(self, values: Values) -> tuple[Floats, str]:
        """Row and key of a configuration, cached: each step of a search reads all of them."""
        text = repr(values)  # tells 1 from 1.0 and True, which are equal as keys
        if (cached := self._rows.get(text)) is not None:
            return cached
        row = self._encoded(values)
        row.flags.writeable = False
        key = json.dumps(self.canonical(values, row), sort_keys=True)
        if len(self._rows) >= _CACHED_ROWS:
            self._rows.clear()
        self._rows[text] = row, key
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
            except ValueError as error:
                raise BadInput(f"{parameter.key}: {error}; choose a value in the space") from None
        self._check_keys(values)
        return row

    def _check_keys(self, values: Values) -> None:
        if unknown := sorted(set(values) - self._keys):
            raise BadInput(f"{unknown[0]} is not in the space; drop it")

    def canonical(self, values: Values, row: Floats | None = None) -> dict[str, Scalar]:
        """The configuration in the types of the space, without inactive settings.

        Reals stay as given; an integer given as 32.0 becomes 32.

        Args:
            values: The configuration.
            row: Its row, if it is at hand.

        Raises:
            BadInput: The configuration is not of this space.
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
        """A whole configuration from some of its settings.

        Args:
            values: Some settings.
            base: Values of the others; those that it lacks are set to the middle of their range.

        Raises:
            BadInput: A value is not of the space, or the whole violates a constraint.
        """
        self._check_keys(values)
        middle = {parameter.key: parameter.value(0.5) for parameter in self.parameters}
        whole = self.canonical({**middle, **(base or {}), **values})
        for constraint in self.constraints:
            if not constraint.holds(whole):
                raise BadInput(
                    f"{whole} violates the constraint {constraint.text}; change one of the two"
                )
        return whole


def space_of(space: SpaceDescription, constraints: Sequence[str] = ()) -> Space:
    """The space of a description, which may be empty; cached, with the rows that it has encoded."""
    try:
        text = json.dumps(space)
    except (TypeError, ValueError):  # not JSON: let Space name the entry
        return Space(space, constraints, empty=True)
    return _cached_space(text, tuple(constraints))


@lru_cache(maxsize=4)
def _cached_space(text: str, constraints: tuple[str, ...]) -> Space:
    return Space(json.loads(text), constraints, empty=True)


def _parsed(key: str, given: object) -> Range | Choices:
    try:
        return _DIMENSION.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([f"search.space.{key}", *(str(p) for p in first["loc"][1:])])
        raise BadInput(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
