"""Strategy `tpe`: Optuna's tree-structured Parzen estimator, rebuilt from the record at each step.

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", NeurIPS 24. The Optuna study
lives in memory for one step only, so that a suggestion depends on the record alone. Optuna is an
extra: `pip install 'dense[tpe]'`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from conf.runtime.errors import BadInput
from conf.schema.search import Scalar
from tasks.suggest.problem import Choice, Picked, Problem
from tasks.suggest.space.initial_design import untried
from tasks.suggest.space.parameters import Integer, Listed, Parameter, Real
from tasks.suggest.space.space import Space
from tasks.suggest.types import Observation, Origin

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

Coordinate = int | float
"""A value as Optuna's distribution of it has it."""

_TRIES = 16
_STARTUP = 10


def choose(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """`count` configurations by Optuna; a random one in place of repeats."""
    study = _optuna_study(problem)
    picked: Picked = []
    generator = problem.generator
    while len(picked) < count:
        values = _suggestion(study, problem.space, tried)
        origin: Origin = "model"
        if values is None:
            values, origin = untried(problem.space, tried, generator), "random"
            if values is None:
                break
        tried.add(problem.space.key(values))
        picked.append((values, origin))
    return Choice(picked, {})


def need_optuna() -> ModuleType:
    """Import Optuna.

    Raises:
        BadInput: It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise BadInput(
            "search.strategy: tpe needs Optuna, which is not installed; "
            "pip install 'dense[tpe]', or choose bayes"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _optuna_study(problem: Problem) -> optuna.Study:
    """An Optuna study of all results, failures as the worst of them, and the pending trials."""
    optuna = need_optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=int(problem.generator.integers(2**31)),
            n_startup_trials=_STARTUP,
            multivariate=True,
            group=problem.space.conditional,
            constant_liar=True,
        )
    study = optuna.create_study(sampler=sampler)
    distributions = _distributions(problem.space)
    observations, _ = problem.encoded()
    losses = problem.losses(observations)
    worst = max(losses.values(), default=0.0)
    complete, running = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING
    results = [(o.values, losses.get(o.number, worst)) for o in observations if _counts(o, losses)]
    pending = [(problem.space.decode(row), None) for row in problem.pending_rows()]
    for values, loss in [*results, *pending]:
        trial = optuna.trial.create_trial(
            state=running if loss is None else complete,
            value=loss,
            params=_params(problem.space, values),
            distributions={key: distributions[key] for key in values},
        )
        study.add_trial(trial)
    return study


def _counts(observation: Observation, losses: Mapping[int, float]) -> bool:
    return observation.number in losses or (observation.infeasible and bool(losses))


def _suggestion(study: optuna.Study, space: Space, tried: set[str]) -> dict[str, Scalar] | None:
    """A configuration suggested by Optuna; None if all of several were tried or not allowed."""
    for _ in range(_TRIES):
        trial = study.ask()
        row = np.full(len(space), np.nan)
        for i in space.order:
            if space.active(i, row):
                parameter = space.parameters[i]
                row[i] = parameter.position(_suggested(parameter, trial))
        values = space.decode(space.snap(row[None, :])[0])
        if space.key(values) not in tried and space.allowed(values):
            return values
        study.tell(trial, state=need_optuna().trial.TrialState.FAIL)  # leaves no result behind
    return None


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    return {parameter.key: _distribution(parameter) for parameter in space.parameters}


def _distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's distribution of a setting: a logit scale as position, a list by index."""
    of = need_optuna().distributions
    if isinstance(parameter, Listed):
        last, ordered = parameter.levels - 1, parameter.ordered
        labels = range(last + 1)
        return of.IntDistribution(0, last) if ordered else of.CategoricalDistribution(labels)
    if isinstance(parameter, Real) and parameter.scale == "logit":
        return of.FloatDistribution(0.0, 1.0)
    kind = of.FloatDistribution if isinstance(parameter, Real) else of.IntDistribution
    return kind(parameter.low, parameter.high, log=parameter.scale == "log")


def _params(space: Space, values: Mapping[str, Scalar]) -> dict[str, Coordinate]:
    by_key = {parameter.key: parameter for parameter in space.parameters}
    return {key: _param(by_key[key], value) for key, value in values.items()}


def _param(parameter: Parameter, value: Scalar) -> Coordinate:
    if isinstance(parameter, Listed):
        return min(int(parameter.position(value) * parameter.levels), parameter.levels - 1)
    if isinstance(parameter, Real) and parameter.scale == "logit":
        return parameter.position(value)
    return int(value) if isinstance(parameter, Integer) else float(value)  # type: ignore[arg-type]


def _suggested(parameter: Parameter, trial: optuna.Trial) -> Scalar:
    """The value that Optuna suggests, from the distribution of `_distribution`."""
    key = parameter.key
    if isinstance(parameter, Listed):
        last = parameter.levels - 1
        if parameter.ordered:
            return parameter.values[trial.suggest_int(key, 0, last)]
        return parameter.values[trial.suggest_categorical(key, range(last + 1))]
    log = parameter.scale == "log"
    if isinstance(parameter, Integer):
        return trial.suggest_int(key, parameter.low, parameter.high, log=log)
    if parameter.scale == "logit":
        return parameter.value(trial.suggest_float(key, 0.0, 1.0))
    given = trial.suggest_float(key, parameter.low, parameter.high, log=log)
    return parameter.value(parameter.position(given))
