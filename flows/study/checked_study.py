"""A study for a run: as it is configured, with what only the search can judge checked too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conf.loading.load import load_study
from conf.loading.trial_values import values_of
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.search import Scalar
from conf.schema.study import Study


def runnable(name: str, overrides: Sequence[str] = (), *, allow_path: bool = False) -> Study:
    """The study of that name, which can be run: as `load_study`, and its constraints are sound.

    Raises:
        BadInput: also where SMOTE meets missing values, a constraint states nothing, trial 0
            violates it, a file of the gate's cases cannot be read, or a library is missing.
    """
    study = load_study(name, overrides, allow_path=allow_path)
    if study.search.constraints:
        check_constraints(study)
    if study.augment.oversample is not None:
        from tasks.prepare.check_kind import check_oversampling  # numpy loads with it

        check_oversampling(study)
    if study.search.strategy == "tpe":
        from tasks.suggest.strategies.tpe import need_optuna

        need_optuna()
    if study.champion.gate.behaviour.file:
        from tasks.champion.behaviour_cases import text_pairs

        text_pairs(study.champion.gate.behaviour, Home.open())
    if study.resources.engine == "ray":
        from tasks.train.ray.checks import need_ray

        need_ray()
    return study


def check_constraints(study: Study) -> None:
    """BadInput where a constraint cannot be read, or trial 0 does not keep it."""
    try:
        whole_values(study, {})
    except RecursionError:
        raise BadInput("search.constraints: one is nested too deeply; write it shorter") from None


def whole_values(study: Study, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Some settings made a configuration of the space, the others as trial 0 has them.

    Raises:
        BadInput: one is not of the space, or the whole breaks a constraint.
    """
    from tasks.suggest.space.space import Space  # numpy loads with it

    space = study.model_dump(mode="json")["search"]["space"]
    start = values_of(study, study.trial_config)
    return Space(space, study.search.constraints).complete(values, start)
