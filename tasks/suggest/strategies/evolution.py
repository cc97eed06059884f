"""Strategy `evolution`: asynchronous differential evolution with success history (SHADE).

Tanabe and Fukunaga 2013, doi:10.1109/CEC.2013.6557555, on Storn and Price 1997,
doi:10.1023/A:1008202821328. A child is made by current-to-pbest mutation and binomial crossover of
a member, and takes the member's place if it is not worse. Step and crossover rate are drawn around
those that lately led to improvements. The population is a list of trial numbers, whose genes are in
the record; no child waits for a generation to end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict, cast

import numpy as np

from conf.schema.search import Scalar
from tasks.suggest.problem import Choice, Picked, Problem
from tasks.suggest.space.initial_design import spread, untried
from tasks.suggest.space.space import Space
from tasks.suggest.types import Observation, Origin, Vector

_MEMORY = 5
_TRIES = 16
_BEST = 0.2
"""Share of the population that a child may be drawn towards."""


class EvolutionState(TypedDict, total=False):
    """State of the strategy between two steps; empty before the first."""

    first: int
    """First trial number of the step before."""
    waiting: list[int]
    """Trials that were pending then."""
    members: list[int]
    open: dict[str, list[float]]
    steps: list[float]
    crossings: list[float]
    turn: int


class Population:
    """The members, their pending children, and the history of successful steps."""

    def __init__(self, state: EvolutionState, size: int) -> None:
        self.size = size
        self.members: list[int] = list(state.get("members", []))
        self.open: dict[str, list[float]] = dict(state.get("open", {}))
        """Number of each pending child to its parent (the member that it may replace), step and
        crossover rate."""
        self.steps: list[float] = list(state.get("steps", [0.5] * _MEMORY))
        self.crossings: list[float] = list(state.get("crossings", [0.7] * _MEMORY))
        self.turn: int = state.get("turn", 0)

    def learn(self, losses: Mapping[int, float], ended: Iterable[int]) -> None:
        """Selection: trials that have ended replace the members that they improve on."""
        gains: list[tuple[float, float, float]] = []
        for number in sorted(ended):
            challenge = self.open.pop(str(number), None)
            if number not in losses or number in self.members:  # failed, or promoted from a rung
                continue
            if challenge is None or int(challenge[0]) not in self.members:
                self._join(number, losses)
                continue
            member = int(challenge[0])
            gain = losses[member] - losses[number]
            if gain >= 0:
                self.members[self.members.index(member)] = number
            if gain > 0:
                gains.append((gain, challenge[1], challenge[2]))
        self._remember(gains)

    def _join(self, number: int, losses: Mapping[int, float]) -> None:
        """A trial without a parent joins while there is room, then replaces the worst if better."""
        if len(self.members) < self.size:
            self.members.append(number)
            return
        worst = max(self.members, key=lambda member: (losses[member], member))
        if losses[number] < losses[worst]:
            self.members[self.members.index(worst)] = number

    def _remember(self, gains: list[tuple[float, float, float]]) -> None:
        """Update the success history: means of the successful steps, weighted by their gains."""
        if not gains:
            return
        gain, step, crossing = np.array(gains).T
        weights = gain / gain.sum()
        slot = self.turn % _MEMORY
        self.steps[slot] = float(weights @ step**2 / (weights @ step))  # Lehmer mean
        self.crossings[slot] = float(weights @ crossing)
        self.turn += 1

    def state(self, problem: Problem) -> EvolutionState:
        """State for the next step, with the trials whose end it has to wait for."""
        return {
            "first": problem.first,
            "waiting": [number for number, _ in problem.pending],
            "members": self.members,
            "open": self.open,
            "steps": [round(step, 6) for step in self.steps],
            "crossings": [round(crossing, 6) for crossing in self.crossings],
            "turn": self.turn,
        }


def population_size(space: Space) -> int:
    """Number of members: few, since trials are expensive."""
    return int(min(24, max(8, 2 * len(space))))


def choose(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """The initial population from the initial design, then children."""
    observations, rows = problem.encoded()
    losses = problem.losses(observations)
    population = Population(cast(EvolutionState, problem.state), population_size(problem.space))
    population.members = [member for member in population.members if member in losses]
    population.learn(losses, _ended(problem, observations))
    genes = {
        o.number: _genes(problem, o.number, row) for o, row in zip(observations, rows, strict=True)
    }
    order = sorted(population.members, key=lambda member: (losses[member], member))
    generator = problem.generator
    picked: Picked = []
    known = len(population.members) + len(problem.pending)
    for child in range(number, number + count):
        initial = known + len(picked) < population.size or len(order) < 4
        if initial:
            values = _initial(problem, child, tried)
        else:
            values = _child(problem.space, child, population, order, genes, tried, generator)
        origin: Origin = "initial" if initial else "model"
        if values is None:
            values, origin = untried(problem.space, tried, generator), "random"
            if values is None:
                break
        tried.add(problem.space.key(values))
        picked.append((values, origin))
    return Choice(picked, population.state(problem))


def _ended(problem: Problem, observations: Sequence[Observation]) -> list[int]:
    """Numbers of the trials that have ended since the step before."""
    state = cast(EvolutionState, problem.state)
    before, waiting = state.get("first", 0), set(state.get("waiting", ()))
    running = {number for number, _ in problem.pending}
    return [
        o.number
        for o in observations
        if o.number not in running and (o.number >= before or o.number in waiting)
    ]


def _genes(problem: Problem, number: int, row: Vector) -> Vector:
    """A trial's row; positions of inactive settings are drawn, seeded by its number."""
    drawn = np.random.default_rng([problem.seed, number, 1]).random(len(row))
    return np.where(np.isnan(row), drawn, row)


def _initial(problem: Problem, number: int, tried: set[str]) -> dict[str, Scalar] | None:
    values = problem.space.decode(spread(problem.space, number, problem.seed))
    fresh = problem.space.key(values) not in tried and problem.space.allowed(values)
    return values if fresh else None


def _child(
    space: Space,
    number: int,
    population: Population,
    order: list[int],
    genes: Mapping[int, Vector],
    tried: set[str],
    generator: np.random.Generator,
) -> dict[str, Scalar] | None:
    """An untried child; None if every try repeats a configuration."""
    challenged = _next_member(population, order, generator)
    for _ in range(_TRIES):
        slot = int(generator.integers(_MEMORY))
        step = float(np.clip(population.steps[slot] + 0.1 * generator.standard_cauchy(), 0.1, 1.0))
        crossing = float(np.clip(generator.normal(population.crossings[slot], 0.1), 0.0, 1.0))
        child = _mutant(space, genes, challenged, order, step, crossing, generator)
        values = space.decode(space.snap(child[None, :])[0])
        if space.key(values) not in tried and space.allowed(values):
            population.open[str(number)] = [challenged, round(step, 6), round(crossing, 6)]
            return values
    return None


def _next_member(population: Population, order: list[int], generator: np.random.Generator) -> int:
    """A random one of the members with the fewest pending children."""
    busy = [int(challenge[0]) for challenge in population.open.values()]
    least = min(busy.count(member) for member in order)
    free = [member for member in order if busy.count(member) == least]
    return free[int(generator.integers(len(free)))]


def _mutant(
    space: Space,
    genes: Mapping[int, Vector],
    challenged: int,
    order: list[int],
    step: float,
    crossing: float,
    generator: np.random.Generator,
) -> Vector:
    """Current-to-pbest mutation and binomial crossover; a category is copied, not moved."""
    best = order[int(generator.integers(max(2, round(_BEST * len(order)))))]
    others = [member for member in order if member != challenged]
    one, two = (others[int(i)] for i in generator.choice(len(others), size=2, replace=False))
    start = genes[challenged]
    moved = start + step * (genes[best] - start) + step * (genes[one] - genes[two])
    moved = np.where(moved < 0.0, start / 2.0, np.where(moved > 1.0, (1.0 + start) / 2.0, moved))
    taken = np.where(generator.random(len(start)) < step, genes[best], genes[one])
    fresh = generator.random(len(start))
    taken = np.where(generator.random(len(start)) < 1.0 / len(order), fresh, taken)
    unordered = np.array([not parameter.ordered for parameter in space.parameters])
    crossed = generator.random(len(start)) < crossing
    crossed[int(generator.integers(len(start)))] = True
    return np.where(crossed, np.where(unordered, taken, moved), start)
