"""One searcher behind a pipe: `python peers.py NAME`, JSON lines in, JSON lines out.

Runs under the searcher's own interpreter, so that no library's needs bend another's. The first line
in is `{"space": ..., "seed": ...}`; then `{"ask": n}` is answered by `{"values": [...],
"seconds": s}` and `{"tell": [losses]}`, about the last values, by `{"seconds": s}`. Seconds are the
searcher's own time.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, Literal, Protocol

Space = dict[str, dict[str, Any]]
Values = dict[str, Any]


class Searcher(Protocol):
    """Interface of all libraries compared: ask for a batch, tell its losses."""

    def ask(self, count: int) -> list[Values]: ...

    def tell(self, values: list[Values], losses: list[float]) -> None: ...


def logit(p: float) -> float:
    """Log odds."""
    return math.log(p / (1 - p))


def expit(x: float) -> float:
    """The inverse of `logit`."""
    return 1 / (1 + math.exp(-x))


def plain_scales(space: Space) -> Space:
    """The space for libraries without a logit scale, which search the log odds linearly."""
    return {
        key: {"low": logit(entry["low"]), "high": logit(entry["high"])}
        if entry.get("scale") == "logit"
        else entry
        for key, entry in space.items()
    }


def back(space: Space, values: Values) -> Values:
    """Values of the original space, as plain Python types, from values on plain scales."""
    out = {}
    for key, entry in space.items():
        value = values[key]
        if entry.get("scale") == "logit":
            out[key] = min(max(expit(float(value)), entry["low"]), entry["high"])
        elif "choices" in entry:
            out[key] = next(choice for choice in entry["choices"] if choice == value)
        else:
            inside = min(max(value, entry["low"]), entry["high"])
            out[key] = int(inside) if entry.get("type") == "int" else float(inside)
    return out


class Dense:
    """This project."""

    def __init__(
        self, space: Space, seed: int, strategy: Literal["bayes", "random", "skopt"] = "bayes"
    ) -> None:
        from tasks.suggest import Optimizer

        self._optimizer = Optimizer(space, seed=seed, strategy=strategy)
        self._numbers: list[int] = []

    def ask(self, count: int) -> list[Values]:
        asked = self._optimizer.ask(count)
        self._numbers = [suggestion.number for suggestion in asked]
        return [suggestion.values for suggestion in asked]

    def tell(self, values: list[Values], losses: list[float]) -> None:
        for number, loss in zip(self._numbers, losses, strict=True):
            self._optimizer.tell(number, loss)


def ablated(**options: Any) -> Callable[[Space, int], Dense]:
    """This project with ingredients of strategy `bayes` switched off."""

    def build(space: Space, seed: int) -> Dense:
        from tasks.suggest.strategies import bayes
        from tasks.suggest.types import BayesOptions

        bayes.OPTIONS = BayesOptions(**options)
        return Dense(space, seed)

    return build


class Skopt:
    """scikit-optimize with its defaults and an initial design of eight Sobol points."""

    def __init__(self, space: Space, seed: int, estimator: str = "GP") -> None:
        from skopt import Optimizer
        from skopt.space import Categorical, Integer, Real

        self._space, plain = space, plain_scales(space)
        dimensions: list[Any] = []
        for entry in plain.values():
            prior = "log-uniform" if entry.get("scale") == "log" else "uniform"
            if "choices" in entry:
                dimensions.append(Categorical(entry["choices"]))
            elif entry.get("type") == "int":
                dimensions.append(Integer(entry["low"], entry["high"], prior=prior))
            else:
                dimensions.append(Real(entry["low"], entry["high"], prior=prior))
        self._optimizer = Optimizer(
            dimensions, estimator, n_initial_points=8, random_state=seed, model_queue_size=1
        )
        self._points: list[list[Any]] = []

    def ask(self, count: int) -> list[Values]:
        self._points = self._optimizer.ask(n_points=count)
        return [back(self._space, dict(zip(self._space, p, strict=True))) for p in self._points]

    def tell(self, values: list[Values], losses: list[float]) -> None:
        self._optimizer.tell(self._points, losses)


class Optuna:
    """Optuna: its TPE (multivariate, constant liar) or its Gaussian process."""

    def __init__(self, space: Space, seed: int, sampler: str = "tpe") -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = {
            "tpe": lambda: optuna.samplers.TPESampler(
                multivariate=True, constant_liar=True, seed=seed
            ),
            "gp": lambda: optuna.samplers.GPSampler(seed=seed, deterministic_objective=True),
        }
        self._study = optuna.create_study(sampler=samplers[sampler]())
        self._space, self._plain = space, plain_scales(space)
        self._trials: list[Any] = []

    def ask(self, count: int) -> list[Values]:
        self._trials = [self._study.ask() for _ in range(count)]
        return [
            back(self._space, {key: self._value(trial, key) for key in self._space})
            for trial in self._trials
        ]

    def _value(self, trial: Any, key: str) -> Any:
        entry = self._plain[key]
        if "choices" in entry:
            return trial.suggest_categorical(key, entry["choices"])
        suggest = trial.suggest_int if entry.get("type") == "int" else trial.suggest_float
        return suggest(key, entry["low"], entry["high"], log=entry.get("scale") == "log")

    def tell(self, values: list[Values], losses: list[float]) -> None:
        for trial, loss in zip(self._trials, losses, strict=True):
            self._study.tell(trial, loss)


class Hyperopt:
    """Hyperopt's TPE with its defaults."""

    def __init__(self, space: Space, seed: int) -> None:
        import numpy as np
        from hyperopt import Trials, hp  # type: ignore[import-not-found]
        from hyperopt.base import Domain  # type: ignore[import-not-found]

        self._space, plain = space, plain_scales(space)
        self._choices = {key: _hyperopt(hp, key, entry) for key, entry in plain.items()}
        self._domain = Domain(lambda config: 0.0, self._choices)
        self._trials, self._generator = Trials(), np.random.default_rng(seed)
        self._docs: list[Any] = []

    def ask(self, count: int) -> list[Values]:
        from hyperopt import space_eval, tpe

        ids = self._trials.new_trial_ids(count)
        seed = int(self._generator.integers(2**31 - 1))
        self._docs = tpe.suggest(ids, self._domain, self._trials, seed)
        chosen = []
        for doc in self._docs:
            picked = {key: value[0] for key, value in doc["misc"]["vals"].items() if value}
            chosen.append(back(self._space, space_eval(self._choices, picked)))
        return chosen

    def tell(self, values: list[Values], losses: list[float]) -> None:
        from hyperopt import JOB_STATE_DONE

        for doc, loss in zip(self._docs, losses, strict=True):
            doc["state"], doc["result"] = JOB_STATE_DONE, {"loss": loss, "status": "ok"}
        self._trials.insert_trial_docs(self._docs)
        self._trials.refresh()


def _hyperopt(hp: Any, key: str, entry: dict[str, Any]) -> Any:
    if "choices" in entry:
        return hp.choice(key, entry["choices"])
    low, high, whole = entry["low"], entry["high"], entry.get("type") == "int"
    if entry.get("scale") == "log":
        if whole:
            return hp.qloguniform(key, math.log(low), math.log(high), 1)
        return hp.loguniform(key, math.log(low), math.log(high))
    return hp.quniform(key, low, high, 1) if whole else hp.uniform(key, low, high)


class Hebo:
    """HEBO with its defaults."""

    def __init__(self, space: Space, seed: int) -> None:
        import numpy as np
        from hebo.design_space.design_space import DesignSpace  # type: ignore[import-not-found]
        from hebo.optimizers.hebo import HEBO  # type: ignore[import-not-found]

        np.random.seed(seed)
        self._space, plain = space, plain_scales(space)
        self._optimizer = HEBO(
            DesignSpace().parse([_hebo(key, entry) for key, entry in plain.items()]),
            scramble_seed=seed,
        )
        self._table: Any = None

    def ask(self, count: int) -> list[Values]:
        self._table = self._optimizer.suggest(n_suggestions=count)
        return [back(self._space, row) for row in self._table.to_dict("records")]

    def tell(self, values: list[Values], losses: list[float]) -> None:
        import numpy as np

        self._optimizer.observe(self._table, np.array(losses)[:, None])


def _hebo(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    if "choices" in entry:
        return {"name": key, "type": "cat", "categories": entry["choices"]}
    whole, logarithmic = entry.get("type") == "int", entry.get("scale") == "log"
    kind = {(True, False): "int", (False, True): "pow", (True, True): "pow_int"}.get(
        (whole, logarithmic), "num"
    )
    return {"name": key, "type": kind, "lb": entry["low"], "ub": entry["high"]}


SEARCHERS: dict[str, Callable[[Space, int], Searcher]] = {
    "dense": Dense,
    "random": lambda space, seed: Dense(space, seed, "random"),
    "dense-no-transform": ablated(transform="none"),
    "dense-no-warp": ablated(warp=False),
    "dense-no-region": ablated(region=False),
    "dense-no-density": ablated(density=False),
    "dense-no-plateau": ablated(plateau=False),
    "skopt-gp": Skopt,
    "skopt-forest": lambda space, seed: Skopt(space, seed, "ET"),
    "dense-skopt": lambda space, seed: Dense(space, seed, "skopt"),
    "optuna-tpe": Optuna,
    "optuna-gp": lambda space, seed: Optuna(space, seed, "gp"),
    "hyperopt": Hyperopt,
    "hebo": Hebo,
}


def main() -> None:
    """Serve one run, until the pipe is closed."""
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr  # a library that prints does not break the pipe
    first = json.loads(sys.stdin.readline())
    searcher = SEARCHERS[sys.argv[1]](first["space"], first["seed"])
    values: list[Values] = []
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        if "ask" in request:
            values = searcher.ask(request["ask"])
            answer: dict[str, Any] = {"values": values}
        else:
            searcher.tell(values, request["tell"])
            answer = {}
        answer["seconds"] = time.perf_counter() - began
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
