"""Conditions of a search space (`when`): which settings are active in a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import BadInput
from conf.runtime.types import Floats
from conf.schema.search import Wanted
from tasks.suggest.space.parameters import Parameter, Real

Conditions = tuple["Condition", ...]
"""All must hold for the setting to be active."""


@dataclass(frozen=True)
class Condition:
    """A setting is active only where its parent takes one of these positions."""

    parent: int
    """Index of the parent among the parameters."""
    positions: tuple[float, ...]

    def holds(self, column: Floats) -> NDArray[np.bool_]:
        """Whether it holds, shape (n,), for the snapped positions of the parent (NaN: inactive)."""
        gaps = np.abs(column[:, None] - np.asarray(self.positions)[None, :])
        return np.any(gaps < 1e-9, axis=1)  # NaN compares false: an inactive parent deactivates


def conditions_of(
    key: str, when: Mapping[str, Wanted], parameters: Sequence[Parameter]
) -> Conditions:
    """The conditions of one setting, from its `when`.

    Args:
        key: The setting.
        when: Parent to the value, or values, for which the setting is active.
        parameters: All parameters of the space, sorted by key.

    Raises:
        BadInput: A parent is not searched or not countable, or never has one of the values.
    """
    index = {parameter.key: i for i, parameter in enumerate(parameters)}
    conditions = []
    for parent, wanted in when.items():
        place = f"search.space.{key}.when.{parent}"
        if parent not in index:
            raise BadInput(f"{place}: {parent} is not searched; add it to the space or drop this")
        positions = _positions(place, parameters[index[parent]], wanted)
        conditions.append(Condition(index[parent], positions))
    return tuple(conditions)


def _positions(place: str, parent: Parameter, wanted: Wanted) -> tuple[float, ...]:
    if isinstance(parent, Real):
        raise BadInput(
            f"{place}: {parent.key} is a real number; use a setting with countable values"
        )
    values = wanted if isinstance(wanted, tuple) else (wanted,)
    try:
        return tuple(parent.position(value) for value in values)
    except ValueError as error:
        raise BadInput(f"{place}: {error}; name values that {parent.key} can have") from None


def parents_first(
    parameters: Sequence[Parameter], conditions: Sequence[Conditions]
) -> tuple[int, ...]:
    """Indices of the parameters in topological order: parents before their dependents.

    Raises:
        BadInput: The conditions form a cycle.
    """
    order: list[int] = []
    remaining = set(range(len(parameters)))
    while remaining:
        free = sorted(i for i in remaining if not any(c.parent in remaining for c in conditions[i]))
        if not free:
            keys = ", ".join(parameters[i].key for i in sorted(remaining))
            raise BadInput(f"search.space: the conditions of {keys} form a cycle; drop one of them")
        order += free
        remaining -= set(free)
    return tuple(order)
