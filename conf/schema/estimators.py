"""Settings of scikit-learn estimators, which are fitted in one call: most of `train` does not
apply."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from conf.schema.base import Capabilities, ModelSettings

SKLEARN = (
    "tasks.train.trial.fit_estimator",
    "sklearn.ensemble",
    "sklearn.neighbors",
    "sklearn.svm",
    "sklearn.linear_model",
    "sklearn.feature_extraction.text",
    "sklearn.pipeline",
    "sklearn.calibration",
    "sklearn.compose",
    "skops.io",
)
"""What the trial server imports ahead for an estimator."""

TABLES_ONLY = Capabilities(data=("table",), network="", epochs=False, preload=SKLEARN)
"""What all estimators have in common but the function that builds them."""


class RandomForest(ModelSettings):
    """Random forest: trees on bootstrap samples of the rows (Breiman 2001,
    doi:10.1023/A:1010933404324)."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:random_forest",
        search=("random_forest",),
    )

    kind: Literal["random_forest"] = "random_forest"
    """Random forest of scikit-learn, for tables."""
    trees: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Number of trees."""
    depth: Annotated[int, Field(ge=1, le=200)] | None = None
    """Largest depth of a tree; unlimited when absent."""
    leaf: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Fewest training rows of a leaf."""
    features: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of the features considered at a split; the square root of their number when absent, all
    of them in regression."""


class GradientBoosting(ModelSettings):
    """Gradient boosting: each tree corrects the errors of those before it."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:gradient_boosting",
        search=("gradient_boosting",),
    )

    kind: Literal["gradient_boosting"] = "gradient_boosting"
    """Histogram-based gradient boosting of scikit-learn, for tables."""
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Boosting rounds; each adds one tree per class."""
    rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """Learning rate (shrinkage)."""
    leaves: Annotated[int, Field(ge=2, le=4_096)] = 31
    """Most leaves of a tree."""
    leaf: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Fewest training rows of a leaf."""
    l2: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    """L2 regularisation of the leaf values."""


class Svm(ModelSettings):
    """Support vector machine; class probabilities are calibrated by cross-validation (Platt
    scaling)."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:svm",
        search=("svm",),
    )

    kind: Literal["svm"] = "svm"
    """Support vector machine of scikit-learn, for tables."""
    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = "rbf"
    """Kernel function."""
    c: Annotated[float, Field(gt=0.0, le=1e9)] = 1.0
    """Penalty of errors (inverse regularisation strength); small values give a smooth boundary."""
    gamma: Annotated[float, Field(gt=0.0, le=1e6)] | None = None
    """Kernel coefficient; derived from the number and variance of the features when absent."""
    degree: Annotated[int, Field(ge=1, le=10)] = 3
    """Degree of the polynomial kernel."""


class Knn(ModelSettings):
    """k nearest neighbours."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:knn",
        search=("knn",),
    )

    kind: Literal["knn"] = "knn"
    """Nearest neighbours of scikit-learn, for tables."""
    neighbours: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Number of neighbours; at most the number of training rows."""
    vote: Literal["uniform", "distance"] = "uniform"
    """Weights of the neighbours: equal, or inverse to their distance."""
    power: Annotated[float, Field(ge=1.0, le=10.0)] = 2.0
    """Exponent of the Minkowski distance: 1 is Manhattan, 2 Euclidean."""


class Linear(ModelSettings):
    """Logistic regression, or ridge regression for numbers: on the scaled columns of a table, or on
    TF-IDF weighted n-grams of texts (sublinear term frequency), with one epoch's augmentation. The
    baseline that larger models have to beat."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        data=("table", "text"),
        network="models.estimators.build:linear",
        search=("linear",),
    )

    kind: Literal["linear"] = "linear"
    """Logistic or ridge regression of scikit-learn, for tables and texts."""
    c: Annotated[float, Field(gt=0.0, le=1e9)] = 1.0
    """Inverse regularisation strength; small values give small coefficients."""
    analyzer: Literal["word", "char"] = "char"
    """Texts: n-grams of words, or of characters, which suit every language."""
    longest: Annotated[int, Field(ge=1, le=10)] = 3
    """Texts: length of the longest n-grams; there are n-grams of every length up to it."""
    rarest: Annotated[int, Field(ge=1, le=100_000)] = 2
    """Texts: fewest training rows of an n-gram; rarer n-grams are ignored."""


Estimator = RandomForest | GradientBoosting | Svm | Knn | Linear
