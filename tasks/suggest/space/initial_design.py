"""Model-free points: uniform, low-discrepancy (Sobol, R-sequence) and grid."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from math import gcd

import numpy as np

from conf.runtime.types import Floats
from conf.schema.search import Scalar
from tasks.suggest.space.enumeration import all_rows, configuration_count, grid_axes, walk
from tasks.suggest.space.space import Space
from tasks.suggest.space.user_priors import spread_by_priors
from tasks.suggest.types import Rows

_TRIES = 64
_REDRAWS = 8


def uniform(space: Space, count: int, generator: np.random.Generator) -> Rows:
    """Random rows, every parameter uniform on its scale; fewer where constraints leave little."""
    rows = space.admitted(space.snap(generator.random((count, len(space)))))
    for _ in range(_REDRAWS):
        if len(rows) >= count:
            break
        more = space.admitted(space.snap(generator.random((count, len(space)))))
        rows = np.vstack([rows, more])
    return rows[:count]


def spread(space: Space, number: int, seed: int) -> Floats:
    """Point `number` of the initial design's low-discrepancy sequence, shape (d,).

    The R-sequence with a seeded shift: multiples of powers of the generalised golden ratio, modulo
    1 (Roberts 2018, "The Unreasonable Effectiveness of Quasirandom Sequences"). For the few points
    of an initial design it covers as well as Sobol's, without the import of scipy.stats.
    """
    d = len(space)
    ratio = 2.0
    for _ in range(50):  # the positive root of x^(d+1) = x + 1
        ratio = (1.0 + ratio) ** (1.0 / (d + 1))
    origin = np.random.default_rng([seed, d]).random(d)
    point = (origin + (number + 1) * ratio ** -np.arange(1.0, d + 1)) % 1.0
    rows = point[None, :]
    if number % 2 == 0:  # every other point follows the user priors
        rows = spread_by_priors(space.user_priors, rows)
    return np.asarray(space.snap(rows)[0])


@lru_cache(maxsize=8)
def _sobol_block(dimensions: int, seed: int, power: int) -> Rows:
    from scipy.stats.qmc import Sobol

    sampler = Sobol(dimensions, scramble=True, rng=np.random.default_rng([seed, dimensions]))
    return np.asarray(sampler.random_base2(power))


def sobol(space: Space, number: int, seed: int) -> Rows:
    """Point `number` of the study's scrambled Sobol sequence, shape (1, d)."""
    power = max(7, int(number).bit_length())
    return space.snap(_sobol_block(len(space), seed, power)[number : number + 1])


def untried(
    space: Space, tried: Collection[str], generator: np.random.Generator
) -> dict[str, Scalar] | None:
    """A random untried configuration; None when the space is exhausted."""
    for row in uniform(space, _TRIES, generator):
        values = space.decode(row)
        if space.key(values) not in tried:
            return values
    return _first_untried(space, tried, generator)


def _first_untried(
    space: Space, tried: Collection[str], generator: np.random.Generator
) -> dict[str, Scalar] | None:
    """An untried configuration of a finite space: uniform if the space can be enumerated, else the
    first in order."""
    size = configuration_count(space)
    if size is not None and size <= 20_000:
        rows = all_rows(space)
        remaining = [v for v in map(space.decode, rows) if space.key(v) not in tried]
        return remaining[int(generator.integers(len(remaining)))] if remaining else None
    if any(parameter.levels is None for parameter in space.parameters):
        return _rare(space, tried, generator)
    for row in walk(space):
        values = space.decode(row)
        if space.key(values) not in tried and space.allowed(values):
            return values
    return None


def _rare(
    space: Space, tried: Collection[str], generator: np.random.Generator
) -> dict[str, Scalar] | None:
    """An untried configuration of a space whose real settings are nearly always inactive, or very
    narrow, so that few draws differ."""
    for row in uniform(space, 4096, generator):
        values = space.decode(row)
        if space.key(values) not in tried:
            return values
    return None


def grid_rows(space: Space, seed: int, cursor: int) -> Iterator[tuple[int, dict[str, Scalar]]]:
    """Configurations of the grid from a cursor on, each with the cursor after it.

    The grid is walked in a shuffled order without laying it out: index i stands for
    (a * i + b) mod N with a prime to N, which visits every point once.
    """
    axes = grid_axes(space)
    total = int(np.prod([len(axis) for axis in axes], dtype=object))
    generator = np.random.default_rng([seed, total % 2**63])
    stride = _prime_to(total, int(generator.integers(1, min(total, 2**62) + 1)))
    offset = int(generator.integers(0, min(total, 2**62)))
    for index in range(cursor, total):
        point = _digits((stride * index + offset) % total, axes)
        yield index + 1, space.decode(space.snap(np.array([point]))[0])


def _prime_to(total: int, start: int) -> int:
    while gcd(start, total) != 1:
        start += 1
    return start


def _digits(index: int, axes: list[list[float]]) -> list[float]:
    point = []
    for axis in axes:
        index, digit = divmod(index, len(axis))
        point.append(axis[digit])
    return point
