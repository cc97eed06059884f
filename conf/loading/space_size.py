"""How many configurations a space holds, and whether a value is one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from conf.loading.trial_values import same
from conf.schema.search import Choices, Range

Space = Mapping[str, Range | Choices]


def size(space: Space) -> int | None:
    """Configurations in a space, at most (conditions make it fewer); None where there is no end."""
    counts = [levels(dimension) for dimension in space.values()]
    return None if None in counts else math.prod(count for count in counts if count is not None)


def levels(dimension: Range | Choices) -> int | None:
    """Values of one dimension; None where there is no end."""
    if isinstance(dimension, Choices):
        return len(dimension.choices)
    if dimension.low == dimension.high:
        return 1
    step = dimension.step or (1.0 if dimension.type == "int" else None)
    return None if step is None else math.floor((dimension.high - dimension.low) / step + 1e-9) + 1


def contains(dimension: Range | Choices, value: object) -> bool:
    """Whether a value is one of a dimension's."""
    if isinstance(dimension, Choices):
        return any(same(value, choice) for choice in dimension.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    steps = (value - dimension.low) / (dimension.step or 1)
    whole = dimension.step is not None or dimension.type == "int"
    on_grid = not whole or math.isclose(steps, round(steps), abs_tol=1e-9)
    return dimension.low <= value <= dimension.high and on_grid
