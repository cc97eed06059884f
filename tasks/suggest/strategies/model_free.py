"""Strategies without a model (`random`, `sobol`, `grid`), and the initial design of the others."""

from __future__ import annotations

from typing import cast

import numpy as np

from conf.schema.search import Scalar
from tasks.suggest.problem import Choice, Picked, Problem
from tasks.suggest.space.initial_design import grid_rows, sobol, spread, untried
from tasks.suggest.types import Origin


def choose_random(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """Uniform draws, each parameter on its own scale."""
    return Choice(random_points(problem, count, tried, problem.generator), {})


def random_points(
    problem: Problem, count: int, tried: set[str], generator: np.random.Generator
) -> Picked:
    """Up to `count` untried configurations, drawn at random; fewer in an exhausted space."""
    picked: Picked = []
    while len(picked) < count:
        values = untried(problem.space, tried, generator)
        if values is None:
            break
        tried.add(problem.space.key(values))
        picked.append((values, "random"))
    return picked


def choose_sobol(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """The study's scrambled Sobol sequence, one point for each trial number.

    A point that was tried, or violates a constraint, is replaced by a random one.
    """
    picked: Picked = []
    generator = problem.generator
    for index in range(number, number + count):
        values = problem.space.decode(sobol(problem.space, index, problem.seed)[0])
        origin: Origin = "sobol"
        if problem.space.key(values) in tried or not problem.space.allowed(values):
            other = untried(problem.space, tried, generator)
            if other is None:
                break
            values, origin = other, "random"
        tried.add(problem.space.key(values))
        picked.append((values, origin))
    return Choice(picked, {})


def choose_grid(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """The shuffled grid, from the cursor at which the last batch ended."""
    cursor = cast(int, problem.state.get("cursor", 0))
    picked: Picked = []
    if count > 0:
        for cursor, values in grid_rows(problem.space, problem.seed, cursor):  # noqa: B007, B020
            if (key := problem.space.key(values)) not in tried and problem.space.allowed(values):
                tried.add(key)
                picked.append((values, "grid"))
                if len(picked) == count:
                    break
    return Choice(picked, {"cursor": cursor})


def initial_points(
    problem: Problem, number: int, count: int, tried: set[str], generator: np.random.Generator
) -> Picked:
    """The initial design: a low-discrepancy sequence, so that the first points cover the space."""
    picked: Picked = []
    for index in range(number, number + count):
        values: dict[str, Scalar] | None
        values = problem.space.decode(spread(problem.space, index, problem.seed))
        if problem.space.key(values) in tried or not problem.space.allowed(values):
            values = untried(problem.space, tried, generator)
        if values is None:
            break
        tried.add(problem.space.key(values))
        picked.append((values, "initial"))
    return picked
