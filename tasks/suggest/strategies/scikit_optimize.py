"""Strategy `skopt`: scikit-optimize's own `Optimizer`, rebuilt from the record at each step.

An alternative to `bayes` and a peer to compare it with (https://scikit-optimize.github.io, 0.10):
its estimators, acquisition functions and constant liar do the work. What this module adds is the
contract of every strategy, since `skopt.Optimizer` alone knows neither pending trials nor
conditions, and its suggestions depend on the order in which results were told:

- Results are told sorted by trial number, to an optimizer seeded by (seed, first number).
- Losses are standardised: `gp_hedge`, and `xi` of EI and PI, are in units of the loss.
- Pending points are told with the lie, as are the picks of the batch so far (constant liar,
  Ginsbourger et al. 2010, doi:10.1007/978-3-642-10701-6_6). A configuration that failed counts as
  the worst result.
- Reals, integers and log scales are scikit-optimize's dimensions. A logit scale, which it lacks, is
  searched by position in [0, 1], an ordered list by index. Inactive settings stand mid-range.
- A configuration that was tried, or that violates a constraint, is replaced by a random one of
  origin `random`; scikit-optimize itself does the same with a repeat. Where constraints admit less
  than 0.2 % of the space all picks are random, and the proposal carries a warning.
- `gp_hedge` carries its gains and its last candidates in `state`, and so in the journal.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from threadpoolctl import threadpool_limits

from conf.runtime.types import Floats
from conf.schema.search import Scalar
from tasks.suggest.problem import Choice, Picked, Problem
from tasks.suggest.space.initial_design import untried
from tasks.suggest.space.parameters import Integer, Listed, Parameter, Real
from tasks.suggest.space.space import Space
from tasks.suggest.strategies.model_free import initial_points, random_points
from tasks.suggest.surrogate.model import chosen_points
from tasks.suggest.surrogate.output_transform import standardised
from tasks.suggest.types import Origin, SkoptOptions

if TYPE_CHECKING:
    from skopt import Optimizer
    from skopt.learning import GradientBoostingQuantileRegressor
    from skopt.space import Dimension

Coordinate = int | float
Point = Sequence[Coordinate]
TIGHT_CONSTRAINTS = (
    "search.constraints admit too little of the space for strategy skopt, whose candidates are "
    "drawn without them: the configurations are random; loosen the constraints, or choose bayes"
)
"""Warning of a batch that scikit-optimize could not choose."""

_INITIAL = 10
"""Points of the initial design: the default of `skopt.Optimizer`."""
_FEWEST = 3
_MOST_GP = 150
"""Results that the Gaussian process is fitted to. It is refitted for each pick, at a cost that
grows with their cube: 1 to 2 s a pick at this size."""
_MOST_TREES = 3_000
_CANDIDATES = 10_000
"""Random candidates at which the acquisition is evaluated: the default of `skopt.Optimizer`."""


class Coordinates:
    """Configurations of a space as points of scikit-optimize's dimensions, and back."""

    def __init__(self, space: Space) -> None:
        self._space = space
        # skopt.Real refuses a range of a single value.
        self._free = [i for i, parameter in enumerate(space.parameters) if parameter.levels != 1]

    def dimensions(self) -> list[Dimension]:
        """New `skopt.space` dimensions: an optimizer alters those that it is given."""
        return [_dimension(self._space.parameters[i]) for i in self._free]

    def point(self, row: Floats) -> list[Coordinate]:
        """The point of a row; inactive settings stand mid-range."""
        filled = np.where(np.isnan(row), 0.5, row)
        return [_coordinate(self._space.parameters[i], float(filled[i])) for i in self._free]

    def values(self, point: Point) -> dict[str, Scalar]:
        """The configuration of a point: its active settings, as plain Python scalars."""
        row = np.full(len(self._space), 0.5)
        for i, coordinate in zip(self._free, point, strict=True):
            row[i] = _position(self._space.parameters[i], coordinate)
        return self._space.decode(self._space.snap(row[None, :])[0])

    def allowed(self, point: Point) -> bool:
        """Whether the configuration of a point satisfies all constraints."""
        return self._space.allowed(self.values(point))


def choose(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """`count` configurations: the initial design first, then those of scikit-optimize."""
    generator = problem.generator
    losses = problem.losses(problem.encoded()[0])
    known = len(losses) + len(problem.pending) + number - problem.first
    early = count if len(losses) < _FEWEST else max(0, min(count, _INITIAL - known))
    picked = initial_points(problem, number, early, tried, generator)
    if len(picked) < early or early == count:
        return Choice(picked, dict(problem.state))
    # One thread: the order of sums, and so the last bit, depends on the threads.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of each repeat, which is replaced below
        modelled = _modelled(problem, count - early, tried, generator)
    return Choice(picked + modelled.picked, modelled.state, warning=modelled.warning)


def _modelled(
    problem: Problem, count: int, tried: set[str], generator: np.random.Generator
) -> Choice:
    """Picks of an optimizer that is told all results, and lies at the pending points."""
    space, options = problem.space, problem.settings.skopt
    coordinates = Coordinates(space)
    results = _results(problem, generator)
    optimizer = _optimizer(space, coordinates, options, generator)
    if optimizer is None:
        return _at_random(problem, count, tried, generator)
    lie = _lie(options, [loss for _, loss in results])
    points = [*results, *((row, lie) for row in problem.pending_rows())]
    _restore_gains(optimizer, problem)
    optimizer.tell([coordinates.point(row) for row, _ in points], [loss for _, loss in points])
    state = _gains(optimizer)  # those of results: what follows are lies
    picked: Picked = []
    while len(picked) < count:
        values, origin = _next(space, coordinates.values(optimizer.ask()), tried, generator)
        if values is None:
            break
        tried.add(space.key(values))
        picked.append((values, origin))
        if len(picked) < count:
            optimizer.tell(coordinates.point(space.encode(values)), lie)
    return Choice(picked, state)


def _at_random(
    problem: Problem, count: int, tried: set[str], generator: np.random.Generator
) -> Choice:
    """Random picks in place of scikit-optimize's, with the warning if constraints are to blame."""
    warning = TIGHT_CONSTRAINTS if problem.space.constraints else None
    picked = random_points(problem, count, tried, generator)
    return Choice(picked, dict(problem.state), warning=warning)


def _next(
    space: Space, values: dict[str, Scalar], tried: set[str], generator: np.random.Generator
) -> tuple[dict[str, Scalar] | None, Origin]:
    """The suggested configuration, or a random one in place of a repeat; None: exhausted."""
    if space.key(values) not in tried and space.allowed(values):
        return values, "model"
    return untried(space, tried, generator), "random"


def _results(problem: Problem, generator: np.random.Generator) -> list[tuple[Floats, float]]:
    """Rows and standardised losses by trial number; failures as the worst of the losses."""
    observations, rows = problem.encoded()
    losses = problem.losses(observations)
    scored = [i for i, o in enumerate(observations) if o.number in losses]
    levels = standardised(np.array([losses[observations[i].number] for i in scored]), "none")
    most = _MOST_GP if problem.settings.skopt.estimator == "GP" else _MOST_TREES
    kept = chosen_points(levels, most, generator)
    worst = float(levels.max())
    failed = [i for i, o in enumerate(observations) if o.infeasible][-(most // 2) :]
    losses_of = {scored[k]: float(levels[k]) for k in kept} | dict.fromkeys(failed, worst)
    return [(rows[i], losses_of[i]) for i in sorted(losses_of)]


def _lie(options: SkoptOptions, losses: list[float]) -> float:
    """The loss that pending points are assumed to have."""
    if options.lie == "cl_mean":
        return float(np.mean(losses))
    return min(losses) if options.lie == "cl_min" else max(losses)


def _optimizer(
    space: Space, coordinates: Coordinates, options: SkoptOptions, generator: np.random.Generator
) -> Optimizer | None:
    """An optimizer without results; None where it has no dimension or no candidate to draw."""
    from skopt import Optimizer

    dimensions = coordinates.dimensions()
    seed = int(generator.integers(2**31))
    candidates = _candidates(space, generator)
    if not dimensions or not candidates:
        return None
    return Optimizer(
        dimensions,
        _gradient_boosting(seed) if options.estimator == "GBRT" else options.estimator,
        n_initial_points=0,
        acq_func=options.acquisition,
        acq_optimizer_kwargs={"n_points": candidates},
        space_constraint=coordinates.allowed if space.constraints else None,
        random_state=seed,
        model_queue_size=1,
    )


def _candidates(space: Space, generator: np.random.Generator) -> int:
    """Candidates to draw: fewer under constraints, which are checked draw by draw in Python.

    None if the constraints admit so little of the space that drawing would take minutes.
    """
    if not space.constraints:
        return _CANDIDATES
    share = len(space.admitted(space.snap(generator.random((1_000, len(space)))))) / 1_000
    return round(_CANDIDATES * share) if share > 0.002 else 0


def _restore_gains(optimizer: Optimizer, problem: Problem) -> None:
    """Give `gp_hedge` its gains of the step before, and the candidates that they rate."""
    if optimizer.acq_func == "gp_hedge" and "gains" in problem.state:
        optimizer.gains_ = np.array(problem.state["gains"])
        optimizer.next_xs_ = [
            np.array(candidate) for candidate in cast(list[Point], problem.state["candidates"])
        ]


def _gains(optimizer: Optimizer) -> dict[str, object]:
    if optimizer.acq_func != "gp_hedge":
        return {}
    return {
        "gains": optimizer.gains_.tolist(),
        "candidates": [np.asarray(candidate).tolist() for candidate in optimizer.next_xs_],
    }


def _gradient_boosting(seed: int) -> GradientBoostingQuantileRegressor:
    """scikit-optimize's GBRT, fixed for scikit-learn 1.9 and numpy 2.4.

    Because of the order of its base classes scikit-learn does not recognise it as a regressor, and
    its `predict` calls `np.in1d`, which numpy has removed. Checked against 0.10.2; with a release
    that fixes both, return `"GBRT"` instead.
    """
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.utils import RegressorTags, Tags
    from skopt.learning import GradientBoostingQuantileRegressor

    class QuantileRegressor(GradientBoostingQuantileRegressor):  # type: ignore[misc]
        """Median, and half the distance of the 16 % and 84 % quantiles as deviation."""

        def __sklearn_tags__(self) -> Tags:
            tags = super().__sklearn_tags__()
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
            return tags

        def predict(self, X: Floats, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
            low, median, high = (regressor.predict(X) for regressor in self.regressors_)
            return (median, (high - low) / 2.0) if return_std else median

    trees = GradientBoostingRegressor(n_estimators=30, loss="quantile")  # as cook_estimator has it
    return QuantileRegressor(base_estimator=trees, random_state=seed)


def _dimension(parameter: Parameter) -> Dimension:
    """The dimension of scikit-optimize that a setting is searched on."""
    from skopt import space as skopt

    if isinstance(parameter, Listed):
        last = parameter.levels - 1
        return skopt.Integer(0, last) if parameter.ordered else skopt.Categorical(range(last + 1))
    if parameter.scale == "logit" and isinstance(parameter, Real):
        return skopt.Real(0.0, 1.0)
    prior = "log-uniform" if parameter.scale == "log" else "uniform"
    kind = skopt.Integer if isinstance(parameter, Integer) else skopt.Real
    return kind(parameter.low, parameter.high, prior=prior)


def _coordinate(parameter: Parameter, position: float) -> Coordinate:
    """The coordinate of a position in [0, 1] on a setting's `_dimension`."""
    if isinstance(parameter, Listed):
        return min(int(position * parameter.levels), parameter.levels - 1)
    if parameter.scale == "logit" and isinstance(parameter, Real):
        return position
    return parameter.value(position)


def _position(parameter: Parameter, coordinate: Coordinate) -> float:
    """The position in [0, 1] of a coordinate; the inverse of `_coordinate`."""
    if isinstance(parameter, Listed):
        return (int(coordinate) + 0.5) / parameter.levels
    if parameter.scale == "logit" and isinstance(parameter, Real):
        return float(coordinate)
    # log10 and back leaves the bounds by a rounding error.
    inside = min(max(float(coordinate), parameter.low), parameter.high)
    return parameter.position(inside)
