"""Real tunings of scikit-learn models on the data it ships with.

A problem is a model, a data set and a loss. `evaluate` gives the visible loss (2-fold
cross-validation on three quarters of the rows) and the hidden one (the last quarter), both a
function of the values alone, so that every searcher meets the same landscape.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import ElasticNet, SGDClassifier
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmarks.searching import synthetic

Values = Mapping[str, Any]
LARGEST_LOSS = 1e3
FOLDS = 2
LARGEST_ROWS = {"breast": 250, "digits": 200, "diabetes": 250, "wine": 178, "iris": 150}

TREE = {
    "max_depth": {"low": 1, "high": 15, "type": "int"},
    "min_samples_split": {"low": 0.01, "high": 0.99, "scale": "logit"},
    "min_samples_leaf": {"low": 0.01, "high": 0.49, "scale": "logit"},
    "max_features": {"low": 0.01, "high": 0.99, "scale": "logit"},
    "min_impurity_decrease": {"low": 0.0, "high": 0.5},
}
SPACES: dict[str, dict[str, Any]] = {
    "tree": {**TREE, "criterion": {"choices": ["first", "second"]}},
    "forest": {
        **TREE,
        "n_estimators": {"low": 3, "high": 12, "type": "int", "scale": "log"},
        "bootstrap": {"choices": [True, False]},
    },
    "svm": {
        "C": {"low": 1e-2, "high": 1e3, "scale": "log"},
        "gamma": {"low": 1e-5, "high": 1e0, "scale": "log"},
        "tol": {"low": 1e-5, "high": 1e-1, "scale": "log"},
        "kernel": {"choices": ["rbf", "sigmoid", "poly"]},
    },
    "mlp": {
        "width": {"low": 8, "high": 64, "type": "int"},
        "alpha": {"low": 1e-5, "high": 1e1, "scale": "log"},
        "batch_size": {"low": 10, "high": 250, "type": "int"},
        "learning_rate_init": {"low": 1e-5, "high": 1e-1, "scale": "log"},
        "beta_1": {"low": 0.5, "high": 0.99, "scale": "logit"},
        "beta_2": {"low": 0.5, "high": 0.99, "scale": "logit"},
        "epsilon": {"low": 1e-9, "high": 1e-6, "scale": "log"},
        "activation": {"choices": ["relu", "tanh", "logistic"]},
    },
    "ada": {
        "n_estimators": {"low": 3, "high": 12, "type": "int"},
        "learning_rate": {"low": 1e-4, "high": 1e1, "scale": "log"},
        "max_depth": {"low": 1, "high": 4, "type": "int"},
    },
    "boosting": {
        "n_estimators": {"low": 3, "high": 12, "type": "int", "scale": "log"},
        "learning_rate": {"low": 1e-3, "high": 1e0, "scale": "log"},
        "max_depth": {"low": 1, "high": 6, "type": "int"},
        "subsample": {"low": 0.3, "high": 1.0},
        "max_features": {"low": 0.01, "high": 0.99, "scale": "logit"},
    },
    "elastic": {
        "alpha": {"low": 1e-4, "high": 1e1, "scale": "log"},
        "l1_ratio": {"low": 0.0, "high": 1.0},
        "degree": {"low": 1, "high": 2, "type": "int"},
        "scaling": {"choices": ["none", "standard", "minmax"]},
    },
    "knn": {
        "n_neighbors": {"low": 1, "high": 40, "type": "int", "scale": "log"},
        "p": {"low": 1.0, "high": 4.0},
        "weights": {"choices": ["uniform", "distance"]},
        "scaling": {"choices": ["none", "standard", "minmax"]},
    },
}


@dataclass(frozen=True)
class Problem:
    """A tuning problem: model, data set and loss."""

    model: str
    data: str
    loss: str
    """`nll` (mean negative log likelihood), `error` (1 - accuracy) or `mse` (standardised)."""

    @property
    def name(self) -> str:
        """Key in the cache."""
        return f"{self.model}-{self.data}-{self.loss}"

    @property
    def space(self) -> dict[str, Any]:
        """The searched settings."""
        return synthetic.SPACES[self.data] if self.model == "synthetic" else SPACES[self.model]


def _problems(text: str) -> tuple[Problem, ...]:
    return tuple(Problem(*name.split("-")) for name in text.split())


TUNED_ON = _problems(
    "tree-breast-nll svm-digits-error mlp-wine-nll ada-iris-nll "
    "elastic-diabetes-mse knn-wine-error forest-diabetes-mse boosting-breast-error"
)
"""Problems that the search was developed on."""
HELD_OUT = _problems(
    "tree-diabetes-mse svm-wine-nll mlp-breast-error ada-digits-error "
    "elastic-breast-nll knn-digits-nll forest-wine-nll boosting-diabetes-mse"
)
"""Held-out problems: reported, and not used in development."""


def _others() -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """All other pairs of a model and a loss on data: those looked at, and those held out.

    A hash of the name drew which, before any of them was run.
    """
    known = {problem.name for problem in TUNED_ON + HELD_OUT}
    drawn: tuple[list[Problem], list[Problem]] = ([], [])
    for model in SPACES:
        for data in LARGEST_ROWS:
            for loss in ["mse"] if data == "diabetes" else ["nll", "error"]:
                problem = Problem(model, data, loss)
                if problem.name not in known and (model, loss) != ("svm", "mse"):
                    odd = int(hashlib.md5(problem.name.encode()).hexdigest(), 16) % 2
                    drawn[odd].append(problem)
    return tuple(drawn[0]), tuple(drawn[1])


MORE_TUNED_ON, MORE_HELD_OUT = _others()
SYNTHETIC = tuple(Problem("synthetic", name, "loss") for name in synthetic.LOSSES)
"""Problems that the search was developed on."""


@cache
def _parts(data: str) -> tuple[np.ndarray, ...]:
    loader = {"breast": "load_breast_cancer"}.get(data, f"load_{data}")
    x, y = getattr(datasets, loader)(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(x))[: LARGEST_ROWS[data]]
    x, y = x[order].astype(float), y[order]
    if data == "diabetes":
        y = (y - y.mean()) / y.std()
    cut = len(x) * 3 // 4
    return x[:cut], y[:cut], x[cut:], y[cut:]


def evaluate(problem: Problem, values: Values) -> tuple[float, float]:
    """Validation and test loss; the largest loss if the model cannot be fitted.

    Of a synthetic problem both are the same.
    """
    if problem.model == "synthetic":
        loss = synthetic.LOSSES[problem.data](values)
        return loss, loss
    x, y, hidden_x, hidden_y = _parts(problem.data)
    splitter = KFold if problem.loss == "mse" else StratifiedKFold
    folds = splitter(FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        visible = [
            _fitted_loss(problem, values, x[fit], y[fit], x[check], y[check])
            for fit, check in folds.split(x, y)
        ]
        hidden = _fitted_loss(problem, values, x, y, hidden_x, hidden_y)
    return float(np.mean(visible)), hidden


def _fitted_loss(
    problem: Problem,
    values: Values,
    x: np.ndarray,
    y: np.ndarray,
    at: np.ndarray,
    truth: np.ndarray,
) -> float:
    try:
        model = _MODELS[problem.model](dict(values), problem.loss == "mse").fit(x, y)
        loss = _loss(problem.loss, model, at, truth)
    except ValueError:
        return LARGEST_LOSS
    return min(float(loss), LARGEST_LOSS) if np.isfinite(loss) else LARGEST_LOSS


def _loss(kind: str, model: Any, x: np.ndarray, y: np.ndarray) -> float:
    if kind == "nll":
        chances = np.clip(model.predict_proba(x), 1e-6, 1.0)
        chances /= chances.sum(axis=1, keepdims=True)
        return float(
            -np.mean(np.log(chances[np.arange(len(y)), np.searchsorted(model.classes_, y)]))
        )
    guess = model.predict(x)
    return float(np.mean((guess - y) ** 2) if kind == "mse" else np.mean(guess != y))


def _criterion(values: dict[str, Any], regression: bool) -> dict[str, Any]:
    names = ("squared_error", "friedman_mse") if regression else ("gini", "entropy")
    if "criterion" in values:
        values["criterion"] = names[values["criterion"] == "second"]
    return values


def _tree(values: dict[str, Any], regression: bool) -> Any:
    kind = DecisionTreeRegressor if regression else DecisionTreeClassifier
    return kind(random_state=0, **_criterion(values, regression))


def _forest(values: dict[str, Any], regression: bool) -> Any:
    return (RandomForestRegressor if regression else RandomForestClassifier)(
        random_state=0, **values
    )


class ScoredSvc(ClassifierMixin, BaseEstimator):
    """A support vector machine with the softmax of its margins as probabilities."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def fit(self, x: np.ndarray, y: np.ndarray) -> ScoredSvc:
        """Fit; scikit-learn's own probabilities would cost five more fits."""
        self.model_ = SVC(random_state=0, max_iter=5000, **self.values).fit(x, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predicted classes, shape (n,)."""
        return np.asarray(self.model_.predict(x))

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, classes)."""
        margins = self.model_.decision_function(x)
        margins = np.column_stack([-margins, margins]) if margins.ndim == 1 else margins
        powers = np.exp(np.clip(margins - margins.max(axis=1, keepdims=True), -50, 0))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _svm(values: dict[str, Any], regression: bool) -> Any:
    del regression  # classification only
    return make_pipeline(StandardScaler(), ScoredSvc(values))


def _mlp(values: dict[str, Any], regression: bool) -> Any:
    kind = MLPRegressor if regression else MLPClassifier
    width = values.pop("width")
    model = kind(hidden_layer_sizes=(width,), max_iter=12, random_state=0, **values)
    return make_pipeline(StandardScaler(), model)


def _ada(values: dict[str, Any], regression: bool) -> Any:
    depth = values.pop("max_depth")
    if regression:
        return AdaBoostRegressor(
            DecisionTreeRegressor(max_depth=depth, random_state=0), random_state=0, **values
        )
    return AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=depth, random_state=0), random_state=0, **values
    )


def _boosting(values: dict[str, Any], regression: bool) -> Any:
    kind = GradientBoostingRegressor if regression else GradientBoostingClassifier
    return kind(random_state=0, **values)


def _scaler(name: str) -> list[Any]:
    return {"none": [], "standard": [StandardScaler()], "minmax": [MinMaxScaler()]}[name]


def _elastic(values: dict[str, Any], regression: bool) -> Any:
    first = _scaler(values.pop("scaling"))
    degree = values.pop("degree")
    widen = [PolynomialFeatures(2, interaction_only=True)] if degree == 2 and regression else []
    if regression:
        return make_pipeline(*first, *widen, ElasticNet(max_iter=200, **values))
    model = SGDClassifier(
        loss="log_loss", penalty="elasticnet", average=degree == 2, random_state=0, **values
    )
    return make_pipeline(*first, model)


def _knn(values: dict[str, Any], regression: bool) -> Any:
    kind = KNeighborsRegressor if regression else KNeighborsClassifier
    return make_pipeline(*_scaler(values.pop("scaling")), kind(**values))


_MODELS: dict[str, Callable[[dict[str, Any], bool], Any]] = {
    "tree": _tree,
    "forest": _forest,
    "svm": _svm,
    "mlp": _mlp,
    "ada": _ada,
    "boosting": _boosting,
    "elastic": _elastic,
    "knn": _knn,
}
