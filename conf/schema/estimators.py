"""Settings of scikit-learn's estimators: trained in one pass, whatever `train` says."""

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
    """Many trees, each grown on a resample of the rows."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:random_forest",
        search=("random_forest",),
    )

    kind: Literal["random_forest"] = "random_forest"
    """scikit-learn's random forest, for tables."""
    trees: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Trees."""
    depth: Annotated[int, Field(ge=1, le=200)] | None = None
    """Questions one after the other in a tree; as many as it takes when absent."""
    leaf: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Fewest training rows at an end of a tree."""
    features: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of the features that a question is chosen from; when absent their square root, of
    regression all of them."""


class GradientBoosting(ModelSettings):
    """Trees one after the other, each for what those before it leave to be told apart."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:gradient_boosting",
        search=("gradient_boosting",),
    )

    kind: Literal["gradient_boosting"] = "gradient_boosting"
    """scikit-learn's gradient boosting on histograms, for tables."""
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Trees for each class."""
    rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """Share of a tree's answer that counts."""
    leaves: Annotated[int, Field(ge=2, le=4_096)] = 31
    """Most ends of a tree."""
    leaf: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Fewest training rows at an end of a tree."""
    l2: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    """Weight of the squares of a tree's answers."""


class Svm(ModelSettings):
    """A support vector machine; probabilities of classes are fitted on a cross-validation."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:svm",
        search=("svm",),
    )

    kind: Literal["svm"] = "svm"
    """scikit-learn's support vector machine, for tables."""
    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = "rbf"
    """How two rows are compared."""
    c: Annotated[float, Field(gt=0.0, le=1e9)] = 1.0
    """What an error costs; little keeps the boundary smooth."""
    gamma: Annotated[float, Field(gt=0.0, le=1e6)] | None = None
    """How near is near; from the features' number and variance when absent."""
    degree: Annotated[int, Field(ge=1, le=10)] = 3
    """Of the polynomial kernel."""


class Knn(ModelSettings):
    """What the nearest training rows have, their classes or numbers."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        network="models.estimators.build:knn",
        search=("knn",),
    )

    kind: Literal["knn"] = "knn"
    """scikit-learn's nearest neighbours, for tables."""
    neighbours: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Rows that are asked; at most all that there are."""
    vote: Literal["uniform", "distance"] = "uniform"
    """Whether nearer ones count more."""
    power: Annotated[float, Field(ge=1.0, le=10.0)] = 2.0
    """Of the Minkowski distance: 1 is city blocks, 2 a straight line."""


class Linear(ModelSettings):
    """Logistic regression, of numbers ridge regression: on the scaled columns of a table, or on the
    n-grams of texts (TF-IDF, of a text's repetitions the logarithm), as `augment` changes them in
    one epoch. What everything larger has to beat."""

    capabilities: ClassVar = replace(
        TABLES_ONLY,
        data=("table", "text"),
        network="models.estimators.build:linear",
        search=("linear",),
    )

    kind: Literal["linear"] = "linear"
    """scikit-learn's logistic or ridge regression, for tables and texts."""
    c: Annotated[float, Field(gt=0.0, le=1e9)] = 1.0
    """What an error costs; little keeps the coefficients small."""
    analyzer: Literal["word", "char"] = "char"
    """Texts: n-grams of words, or of characters, which suit every language."""
    longest: Annotated[int, Field(ge=1, le=10)] = 3
    """Texts: words or characters of the longest n-grams; there are n-grams of every length up to
    it."""
    rarest: Annotated[int, Field(ge=1, le=100_000)] = 2
    """Texts: n-grams of fewer training rows are left out."""


Estimator = RandomForest | GradientBoosting | Svm | Knn | Linear
