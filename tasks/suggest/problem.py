"""The problem of one suggestion step: all that a suggestion depends on; and `Strategy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from conf.runtime.errors import BadInput
from conf.runtime.types import Floats
from conf.schema.search import Scalar
from tasks.suggest.acquisition.pareto import scalarised
from tasks.suggest.space.space import Space, space_of
from tasks.suggest.types import (
    Direction,
    Forecast,
    Observation,
    Origin,
    Rows,
    Settings,
    SpaceDescription,
    StrategyState,
    Values,
    Vector,
)

Picked = list[tuple[dict[str, Scalar], Origin]]


@dataclass(frozen=True)
class Choice:
    """The picks of a strategy."""

    picked: Picked
    state: StrategyState
    """Given to the strategy at the next step."""
    forecast: Forecast | None = None
    warning: str | None = None
    """Why the strategy could not choose as it is meant to, for the user."""


@dataclass(frozen=True)
class Problem:
    """One suggestion step: the space, the record and the seed."""

    space: Space
    direction: Direction
    seed: int
    first: int
    """Number of the first suggestion of this batch."""
    observations: tuple[Observation, ...]
    """Sorted by number. Those outside the space only count as tried."""
    pending: tuple[tuple[int, Values], ...]
    """Pending points, sorted by number."""
    reports: tuple[Observation, ...]
    """Values at rungs, also of trials that went on; sorted by number and rung."""
    start: Values | None
    state: StrategyState
    """What the strategy returned at the step before."""
    settings: Settings = field(default_factory=Settings)

    @classmethod
    def of(  # noqa: PLR0913  keyword options
        cls,
        space: SpaceDescription,
        *,
        first: int,
        constraints: Sequence[str] = (),
        direction: Direction = "minimize",
        seed: int = 0,
        observations: Sequence[Observation] = (),
        pending: Sequence[tuple[int, Values]] = (),
        start: Values | None = None,
        state: StrategyState | None = None,
        settings: Settings | None = None,
    ) -> Problem:
        """The problem of a record, in whatever order its results and pending trials are given.

        Args:
            space: Dotted key to dimension, as in `search.space`; may be empty.
            first: Number of the first suggestion.
            constraints: Texts like `model.width * model.depth <= 512`.
            direction: Which way the objective is to go.
            seed: Of the study.
            observations: Results, those at rungs among them.
            pending: Number and values of trials that were asked and have not ended.
            start: Trial 0's values; they also fill what an enqueued configuration leaves open.
            state: That of the previous proposal.
            settings: Options of the strategy.

        Raises:
            BadInput: A dimension, condition or constraint is not valid.
        """
        return cls(
            space=space_of(space, constraints),
            direction=direction,
            seed=seed,
            first=first,
            observations=in_order(observations),
            pending=tuple(sorted(pending, key=lambda trial: trial[0])),
            reports=reports_of(observations),
            start=start,
            state=dict(state or {}),
            settings=settings or Settings(),
        )

    @property
    def generator(self) -> np.random.Generator:
        """A new random generator, seeded by (seed, first)."""
        return np.random.default_rng([self.seed, self.first])

    def carried(self, key: str) -> Vector | None:
        """A list of numbers in the state of the step before, as an array; None if it has none."""
        return np.asarray(self.state[key]) if key in self.state else None

    def tried(self) -> set[str]:
        """Keys of all configurations that must not be suggested again."""
        ended = {key for _, key in self._placed}
        return ended | {self.space.key(values) for _, values in self.pending}

    @cached_property
    def _placed(self) -> list[tuple[Floats | None, str]]:
        return [self.space.place(observation.values) for observation in self.observations]

    def encoded(self) -> tuple[list[Observation], Rows]:
        """Observations that lie in this space, and their rows, (n, d)."""
        placed = zip(self.observations, self._placed, strict=True)
        known = [(observation, row) for observation, (row, _) in placed if row is not None]
        rows = np.array([row for _, row in known]).reshape(len(known), len(self.space))
        return [observation for observation, _ in known], rows

    def pending_rows(self) -> Rows:
        """Rows of the pending trials that lie in this space."""
        rows = [row_or_none(self.space, values) for _, values in self.pending]
        known = [row for row in rows if row is not None]
        return np.array(known).reshape(len(known), len(self.space))

    def losses(self, observations: Sequence[Observation]) -> dict[int, float]:
        """The loss to minimise by number of each scored trial, levelled over rungs.

        The loss of a trial that ended at a rung is shifted by the median gain of the trials that
        were promoted from there (by 0 if there are none). Several objectives are scalarised, by
        weights of this step.
        """
        sign = -1.0 if self.direction == "maximize" else 1.0
        full = {o.number: sign * o.value for o in observations if o.scored and o.value is not None}
        rungs = {o.number: o.rung for o in observations if o.scored and o.rung is not None}
        shifts = {rung: self._shift(rung, full, rungs, sign) for rung in set(rungs.values())}
        levelled = {n: loss + (shifts[rungs[n]] if n in rungs else 0.0) for n, loss in full.items()}
        if not self.settings.also:
            return levelled
        return scalarised(levelled, observations, self.settings.also, self.seed, self.first)

    def _shift(
        self, rung: int, latest: Mapping[int, float], rungs: Mapping[int, int], sign: float
    ) -> float:
        gains = [
            latest[report.number] - sign * report.value
            for report in self.reports
            if report.rung == rung and report.value is not None and report.scored
            if report.number in latest and rungs.get(report.number) != rung
        ]
        return float(np.median(gains)) if gains else 0.0


class Strategy(Protocol):
    """How configurations are chosen: a function, without a life of its own between two steps.

    One step of a search goes like this:

    1. `Problem.of` puts the record in order: results by trial number, pending trials, and the
       `state` that the strategy returned at the step before.
    2. `propose` hands out trial 0 and what a person enqueued; neither concerns the strategy.
    3. The strategy is called, once. It may use randomness from `problem.generator` alone, and
       reads no clock, no file and no global. Every configuration that it picks is not in `tried`,
       satisfies the constraints, and is added to `tried`. It picks fewer only when the space is
       exhausted.
    4. Its `state`, small and JSON, goes into the journal with the suggestions, and comes back with
       the next problem.

    So a rebuilt problem gives the same choice in any process; `tests/unit/suggest/test_contract.py`
    asks this of every strategy. To add one: a module in `tasks/suggest/strategies`, a row in
    `tasks.suggest.propose.STRATEGIES`, its name in `conf.schema.search`, and in that test.
    """

    def __call__(self, problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
        """Pick `count` configurations, the first of which is trial `number`.

        Args:
            problem: The space, the record and the seed.
            number: Above `problem.first` by the suggestions that the strategy did not choose.
            count: Configurations wanted; may be 0.
            tried: Keys of configurations that must not be picked; the picks are added.
        """
        ...


def row_or_none(space: Space, values: Values) -> Floats | None:
    """The row of a configuration; None for one of an older, different space."""
    try:
        return space.encode(values)
    except BadInput:
        return None


def in_order(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """One observation a trial, the one taken latest in its training, sorted by number."""
    latest: dict[int, Observation] = {}
    for observation in observations:
        known = latest.get(observation.number)
        if known is None or _progress(observation) > _progress(known):
            latest[observation.number] = observation
    rungs: dict[int, int] = {}
    for observation in observations:
        if observation.rung is not None:
            known_rung = rungs.get(observation.number, 0)
            rungs[observation.number] = max(known_rung, observation.rung)
    return tuple(_where_it_stopped(latest[n], rungs.get(n)) for n in sorted(latest))


def _where_it_stopped(ended: Observation, rung: int | None) -> Observation:
    """A trial that was stopped early belongs to the last rung at which it reported."""
    if ended.outcome != "stopped" or ended.rung is not None:
        return ended
    return replace(ended, rung=rung)


def reports_of(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """The observations taken at a rung, sorted by number and rung."""
    at_rung = [o for o in observations if o.rung is not None]
    return tuple(sorted(at_rung, key=lambda o: (o.number, o.rung or 0)))


def _progress(observation: Observation) -> tuple[bool, float]:
    ended = observation.rung is None
    return ended, float("inf") if observation.rung is None else observation.rung
