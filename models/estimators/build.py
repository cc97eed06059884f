"""Build scikit-learn estimators from their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conf.runtime.errors import DenseError
from conf.runtime.types import Array, Floats32
from conf.schema.estimators import GradientBoosting, Knn, Linear, RandomForest, Svm
from conf.schema.model import Model

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

WORD = r"(?u)\b\w+\b"
"""Token pattern that includes words of one letter, which the default of scikit-learn skips."""
FOLDS = 5
"""Folds of the cross-validation that calibrates the probabilities of an SVM."""
STEPS = 1_000
"""Iteration limit of logistic regression."""


@dataclass(frozen=True)
class FitContext:
    """Arguments of an estimator besides its settings."""

    targets: Array
    """Targets of the training rows: classes, shape (n,), or floats, shape (n,), in regression."""
    seed: int
    """Below 2**32, the limit of scikit-learn."""
    threads: int
    balanced: bool
    """Whether classes are weighted inversely to their frequency."""

    @property
    def regresses(self) -> bool:
        """Whether the task is regression."""
        return self.targets.dtype.kind == "f"

    @property
    def class_weight(self) -> dict[str, str]:
        """Keyword arguments for the class weights; empty in regression, which has none."""
        return {"class_weight": "balanced"} if self.balanced and not self.regresses else {}


def build_estimator(
    settings: Model,
    seed: int,
    threads: int,
    targets: Array,
    *,
    texts: bool = False,
    balanced: bool = False,
) -> BaseEstimator:
    """An unfitted estimator.

    Args:
        settings: Settings of its kind.
        seed: Seed of the estimator; the number of threads does not change the result.
        threads: Threads to grow a forest with.
        targets: Targets of the training rows: classes, shape (n,), floats, shape (n,), in
            regression, or shape (n, labels) in multilabel tasks, which get an estimator per label.
        texts: Whether rows are texts, encoded as TF-IDF n-grams.
        balanced: Whether classes are weighted inversely to their frequency.

    Raises:
        DenseError: A class or label has too few training rows.
    """
    if texts:
        assert isinstance(settings, Linear)
        return _on_ngrams(
            settings, build_estimator(settings, seed, threads, targets, balanced=balanced)
        )
    if targets.ndim == 2:
        from sklearn.multioutput import MultiOutputClassifier

        if (targets.min(axis=0) == targets.max(axis=0)).any():
            raise DenseError(
                f"model.kind {settings.kind}: a label applies to all training rows or to "
                "none, so that it cannot be learnt; leave that label out of the data"
            )
        rarest = min(targets.T, key=_fewest).astype(np.int64)
        return MultiOutputClassifier(
            build_estimator(settings, seed, threads, rarest, balanced=balanced)
        )
    return settings.capabilities.load_network()(
        settings, FitContext(targets, seed % 2**32, threads, balanced)
    )


def random_forest(settings: RandomForest, fit: FitContext) -> BaseEstimator:
    """Random forest."""
    from sklearn import ensemble

    forest = ensemble.RandomForestRegressor if fit.regresses else ensemble.RandomForestClassifier
    return forest(
        settings.trees,
        max_depth=settings.depth,
        min_samples_leaf=settings.leaf,
        max_features=settings.features or (1.0 if fit.regresses else "sqrt"),
        random_state=fit.seed,
        n_jobs=fit.threads,
        **fit.class_weight,
    )


def gradient_boosting(settings: GradientBoosting, fit: FitContext) -> BaseEstimator:
    """Histogram-based gradient boosting."""
    from sklearn import ensemble

    boosting = (
        ensemble.HistGradientBoostingRegressor
        if fit.regresses
        else ensemble.HistGradientBoostingClassifier
    )
    return boosting(
        max_iter=settings.rounds,
        learning_rate=settings.rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.leaf,
        l2_regularization=settings.l2,
        early_stopping=False,  # it would hold out training rows
        random_state=fit.seed,
        **fit.class_weight,
    )


def knn(settings: Knn, fit: FitContext) -> BaseEstimator:
    """Nearest neighbours by brute force: skops cannot store scikit-learn's search trees."""
    from sklearn import neighbors

    nearest = neighbors.KNeighborsRegressor if fit.regresses else neighbors.KNeighborsClassifier
    return nearest(
        min(settings.neighbours, len(fit.targets)),
        weights=settings.vote,
        p=settings.power,
        algorithm="brute",
    )


def linear(settings: Linear, fit: FitContext) -> BaseEstimator:
    """Logistic regression, or ridge regression for numbers."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if fit.regresses:
        return Ridge(alpha=1.0 / settings.c)  # `c` weighs errors as in logistic regression
    return LogisticRegression(C=settings.c, max_iter=STEPS, **fit.class_weight)


def svm(settings: Svm, fit: FitContext) -> BaseEstimator:
    """Support vector machine."""
    return _regressing_svm(settings) if fit.regresses else _classifying_svm(settings, fit)


def _on_ngrams(settings: Linear, linear: BaseEstimator) -> BaseEstimator:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import Pipeline

    ngrams = TfidfVectorizer(
        analyzer=settings.analyzer,
        ngram_range=(1, settings.longest),
        min_df=settings.rarest,
        sublinear_tf=True,
        token_pattern=WORD if settings.analyzer == "word" else None,
    )
    return Pipeline([("ngrams", ngrams), ("linear", linear)])


def _regressing_svm(settings: Svm) -> BaseEstimator:
    """SVR on standardised targets, so that one range of `c` fits every scale."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    machine = SVR(
        C=settings.c, kernel=settings.kernel, gamma=settings.gamma or "scale",
        degree=settings.degree,
    )  # fmt: skip
    return TransformedTargetRegressor(machine, transformer=StandardScaler())


def _classifying_svm(settings: Svm, fit: FitContext) -> BaseEstimator:
    """SVC, its probabilities calibrated by stratified cross-validation (Platt scaling)."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import SVC

    machine = SVC(
        C=settings.c, kernel=settings.kernel, gamma=settings.gamma or "scale",
        degree=settings.degree, random_state=fit.seed, **fit.class_weight,
    )  # fmt: skip
    fewest = _fewest(fit.targets)
    if fewest < 2:
        raise DenseError(
            "model.kind svm: a class has only one training row, too few to calibrate its "
            "probabilities; raise clean.class_floor or use another kind"
        )
    folds = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=fit.seed)
    return CalibratedClassifierCV(machine, cv=folds, ensemble=False)


def _fewest(targets: Array) -> int:
    """Number of training rows of the rarest class."""
    return int(np.unique(targets, return_counts=True)[1].min())


def probabilities(estimator: BaseEstimator, x: Array, classes: int) -> Floats32:
    """Probabilities of shape (rows, classes or labels); 0 for classes without training rows."""
    predicted = estimator.predict_proba(x)
    if isinstance(predicted, list):  # one array per label
        return np.stack([each[:, 1] for each in predicted], axis=1).astype(np.float32)
    result = np.zeros((len(x), classes), dtype=np.float32)
    result[:, estimator.classes_] = predicted
    return result


def numbers(estimator: BaseEstimator) -> int:
    """Size of an estimator: nodes of its trees, stored numbers, or coefficients."""
    if hasattr(estimator, "steps"):
        return numbers(estimator[-1])
    if hasattr(estimator, "estimators_"):  # trees, or one per label
        return sum(map(numbers, estimator.estimators_))
    if hasattr(estimator, "tree_"):
        return int(estimator.tree_.node_count)
    if hasattr(estimator, "_predictors"):
        return sum(len(tree.nodes) for round_ in estimator._predictors for tree in round_)
    if hasattr(estimator, "regressor_"):
        return numbers(estimator.regressor_)
    if hasattr(estimator, "calibrated_classifiers_"):
        return numbers(estimator.calibrated_classifiers_[0].estimator)
    if hasattr(estimator, "support_vectors_"):
        return int(estimator.support_vectors_.size)
    if hasattr(estimator, "coef_"):
        return int(estimator.coef_.size + np.size(estimator.intercept_))
    return int(estimator.n_samples_fit_ * estimator.n_features_in_)
