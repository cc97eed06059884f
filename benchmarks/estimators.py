"""The search of the study `wine-forest` compared with scikit-optimize's `BayesSearchCV`.

    python -m benchmarks.estimators [--divisions 0 1 2 3 4] [--fits 24]

Four families of estimators in one conditional space are selected by log loss on one validation
split. The best one is refitted on train and validation and scored once on the test split. Both
search the same ranges over the same estimators and rows, with the same number of fits.
`BayesSearchCV` takes one space after the other, so each family gets an equal share of the fits,
while our search has a single space and divides them itself. By default the first 10 fits of a
family are random, which is more than its share of 6, so it also runs with 3.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from conf.loading.load import load_study
from conf.loading.trial_values import apply_values, values_of
from conf.runtime import environment
from conf.runtime.home import Home
from conf.schema.search import Choices, Range
from conf.schema.study import Study
from data.card import TableInputs

Part = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Found:
    """What a search came to on one division of the rows."""

    validation: float
    test: float
    accuracy: float
    family: str
    seconds: float
    fitting: float


class Family(ClassifierMixin, BaseEstimator):
    """One of the study's estimators by its settings, as scikit-learn searches them."""

    fits = 0
    seconds = 0.0

    def __init__(  # noqa: PLR0913  keyword options
        self, kind: str = "random_forest", trees: int = 100, depth: int | None = 8,
        features: float | None = 0.3, rounds: int = 100, rate: float = 0.1, leaf: int = 1,
        c: float = 1.0, gamma: float | None = None, neighbours: int = 5, vote: str = "uniform",
    ) -> None:  # fmt: skip
        self.kind, self.trees, self.depth, self.features = kind, trees, depth, features
        self.rounds, self.rate, self.leaf, self.c = rounds, rate, leaf, c
        self.gamma, self.neighbours, self.vote = gamma, neighbours, vote

    def fit(self, x: NDArray[Any], y: NDArray[Any]) -> Family:
        """Fit the estimator, counted and timed."""
        from pydantic import TypeAdapter

        from conf.schema.model import Model
        from models.estimators.build import build_estimator

        model: Any = TypeAdapter(Model).validate_python({"kind": self.kind})
        given = {n: v for n, v in self.get_params().items() if n in type(model).model_fields}
        settings = TypeAdapter(Model).validate_python(
            {n: v.item() if isinstance(v, np.generic) else v for n, v in given.items()}
        )
        start = time.process_time()
        self.inner_ = build_estimator(settings, 0, 1, y).fit(x, y)
        self.classes_ = self.inner_.classes_
        Family.fits, Family.seconds = Family.fits + 1, Family.seconds + time.process_time() - start
        return self

    def predict_proba(self, x: NDArray[Any]) -> NDArray[Any]:
        """Of the estimator."""
        return np.asarray(self.inner_.predict_proba(x))

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """The likeliest class."""
        return np.asarray(self.classes_[self.predict_proba(x).argmax(axis=1)])


def parts_of(study: Study, home: Home) -> tuple[Part, Part, Part]:
    """Scaled rows and classes of train, validation and test."""
    from tasks.packaging.raw_rows import read_rows
    from tasks.prepare import prepare, test_path

    prepared = prepare(study, home)
    inputs = prepared.card.inputs
    assert isinstance(inputs, TableInputs)
    shift, scale = inputs.shift_and_scale()

    def part(path: Path) -> Part:
        rows = read_rows(path, inputs)
        return (rows.values.astype(np.float32) - shift) / scale, rows.targets

    return part(prepared.train), part(prepared.validation), part(test_path(prepared))


def loss(model: Family, part: Part) -> float:
    """Log loss as the study measures it."""
    from tasks.evaluate.probability_metrics import log_loss

    return float(log_loss(part[1], model.predict_proba(part[0]).astype(np.float32)).mean())


def settings_of(study: Study, values: dict[str, Any]) -> dict[str, Any]:
    """The estimator's settings under a suggestion."""
    model = apply_values(study.trial_config, values).model.model_dump()
    return {name: value for name, value in model.items() if name in Family().get_params()}


def ours(study: Study, parts: tuple[Part, Part, Part], fits: int, seed: int) -> Found:
    """Our search, one suggestion at a time, from the study's own configuration on."""
    from tasks.suggest import Optimizer

    space = study.model_dump(mode="json")["search"]["space"]
    optimizer = Optimizer(space, direction="minimize", seed=seed)
    optimizer.enqueue(values_of(study, study.trial_config))
    start, tried = begun(), []
    while len(tried) < fits:
        (suggestion,) = optimizer.ask(1)
        settings = settings_of(study, dict(suggestion.values))
        value = loss(Family(**settings).fit(*parts[0]), parts[1])
        optimizer.tell(suggestion.number, value)
        tried.append((value, settings))
    value, best = min(tried, key=lambda pair: pair[0])
    return found(best, value, parts, start)


def theirs(
    study: Study, parts: tuple[Part, Part, Part], fits: int, seed: int, initial: int = 10
) -> Found:
    """`BayesSearchCV` on the same division: its one fold is our validation part."""
    from sklearn.model_selection import PredefinedSplit
    from skopt import BayesSearchCV

    x, y = (np.concatenate(pair) for pair in zip(parts[0], parts[1], strict=True))
    fold = np.repeat([-1, 0], [len(parts[0][1]), len(parts[1][1])])
    spaces = spaces_of(study)
    search = BayesSearchCV(
        Family(),
        [(space, fits // len(spaces)) for space in spaces],
        scoring=lambda model, rows, targets: -loss(model, (rows, targets)),
        cv=PredefinedSplit(fold),
        refit=False,
        optimizer_kwargs={"n_initial_points": initial},
        random_state=seed,
    )
    start = begun()
    search.fit(x, y)
    return found(dict(search.best_params_), -search.best_score_, parts, start)


def spaces_of(study: Study) -> list[dict[str, Any]]:
    """The study's conditional space as one plain space a family."""
    from skopt.space import Categorical, Integer, Real

    def dimension(given: Range | Choices) -> Any:
        if isinstance(given, Choices):
            return Categorical(list(given.choices))
        prior = "log-uniform" if given.scale == "log" else "uniform"
        if given.type == "int":
            return Integer(int(given.low), int(given.high), prior=prior)
        return Real(given.low, given.high, prior=prior)

    space = study.search.space
    kinds = space["model.kind"]
    assert isinstance(kinds, Choices)
    spaces = []
    for kind in kinds.choices:
        mine: dict[str, Any] = {"kind": Categorical([kind])}
        for key, given in space.items():
            wanted = (given.when or {}).get("model.kind", ())
            if kind == wanted or (isinstance(wanted, tuple) and kind in wanted):
                mine[key.removeprefix("model.")] = dimension(given)
        spaces.append(mine)
    return spaces


def begun() -> float:
    """Start the clocks."""
    Family.fits, Family.seconds = 0, 0.0
    return time.process_time()


def found(
    settings: dict[str, Any], value: float, parts: tuple[Part, Part, Part], start: float
) -> Found:
    """Stop the clocks; fit the best on train and validation, and score it on the test part."""
    spent, fitting = time.process_time() - start, Family.seconds
    x, y = (np.concatenate(pair) for pair in zip(parts[0], parts[1], strict=True))
    final = Family(**settings).fit(x, y)
    right = float((final.predict(parts[2][0]) == parts[2][1]).mean())
    return Found(value, loss(final, parts[2]), right, str(settings["kind"]), spent, fitting)


def main() -> None:
    """Run both on several divisions of the rows, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--divisions", type=int, nargs="+", default=list(range(5)), help="seeds of the split"
    )
    parser.add_argument("--fits", type=int, default=24)
    parser.add_argument("--home", type=Path, default=None, help="where data is kept")
    given = parser.parse_args()
    environment.apply()
    warnings.filterwarnings("ignore")
    home = Home.open(given.home)
    head = "validation log loss", "test log loss", "test accuracy", "family", "search s", "fits s"
    print("| division | search | " + " | ".join(head) + " |")
    print("|---" * 8 + "|")
    runs: dict[str, list[Found]] = {name: [] for name in SEARCHES}
    for seed in given.divisions:
        study = load_study("wine-forest", [f"split.seed={seed}"])
        parts = parts_of(study, home)
        for name, search in SEARCHES.items():
            one = search(study, parts, given.fits, seed)
            runs[name].append(one)
            print(line(seed, name, [one], one.family), flush=True)
    for name, each in runs.items():
        print(line("mean", name, each, ""))


def line(division: object, name: str, each: list[Found], family: str) -> str:
    """A line of the table: means over some runs."""
    numbers = [
        f"{np.mean([one.validation for one in each]):.4f}",
        f"{np.mean([one.test for one in each]):.4f}",
        f"{np.mean([one.accuracy for one in each]):.3f}",
        family,
        f"{np.mean([one.seconds - one.fitting for one in each]):.1f}",
        f"{np.mean([one.fitting for one in each]):.1f}",
    ]
    return "| " + " | ".join([str(division), name, *numbers]) + " |"


SEARCHES: dict[str, Callable[..., Found]] = {
    "ours": ours,
    "BayesSearchCV": theirs,
    "BayesSearchCV, 3 random": partial(theirs, initial=3),
}


if __name__ == "__main__":
    main()
