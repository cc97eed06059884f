"""Drift tests of new rows against the reference, and the alarm rule; a pure function.

Every test gets an equal share of `monitor.alpha` (Bonferroni), so that the probability of an alarm
without any change is at most alpha, however the tests depend on each other. A significant test
raises the alarm if its effect is also large enough to matter (`monitor.effect`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from conf.runtime.types import Array, Ints
from conf.schema.champion import Monitor
from tasks.evaluate.evaluation import Interval
from tasks.monitor import statistics
from tasks.packaging.drift_features import (
    CONFIDENCE,
    DriftFeatures,
    DriftPredictions,
    FeatureColumn,
)
from tasks.packaging.drift_reference import DriftReference

COMPARED = 1_000
"""Most rows of each sample that features are compared on; drawn at random."""
ENOUGH = 10
"""Fewest labelled rows for which a metric is compared."""
OF_EFFECT = ("KS distance", "total variation")
"""Statistics on the scale of `monitor.effect`, from 0 to 1."""


class MonitorRecord(BaseModel):
    """Frozen and closed: what is written is what is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DriftTest(MonitorRecord):
    """One drift test with its result."""

    __test__ = False  # for pytest

    name: str
    statistic: str
    """Name of the statistic."""
    value: float
    p: float
    """p-value: probability of so large a value if nothing has changed."""
    certain: bool
    """Whether the test is significant: `p` is within its share of alpha."""
    raised: bool
    """Whether it is significant and its effect is large enough to raise the alarm."""
    why: str
    """The finding as a sentence."""


class FeatureDrift(MonitorRecord):
    """One column, feature or number of the predictions, in the reference and in the new rows.

    A categorical column is described by the category whose share moved most.
    """

    name: str
    """Of the study's column; of the feature where rows have no named columns."""
    before: float
    """Mean of the reference; of a category its share."""
    now: float
    """Mean of the new rows; of a category its share."""
    distance: float
    """Kolmogorov-Smirnov distance."""
    p: float
    """Family-wise p-value of that distance; 1 if it is not tested."""
    stability: float
    """Population stability index (PSI)."""
    level: str = ""
    """The category; empty: the column is not categorical."""
    tested: bool = True
    """Whether it can raise the alarm: dates cannot, since time passes between two batches."""

    @property
    def title(self) -> str:
        """`column`, or `column = category`."""
        return f"{self.name} = {self.level}" if self.level else self.name


class DriftReport(MonitorRecord):
    """The result of monitoring one batch of new rows."""

    study: str
    model: str
    version: str
    place: str
    """Where the rows came from."""
    time: float
    """Seconds since the epoch."""
    rows: int
    """Rows that were compared."""
    labelled: int
    """Number of these rows with a target."""
    files: int
    """Number of files that were read; 1 for a file."""
    tests: tuple[DriftTest, ...]
    features: tuple[FeatureDrift, ...]
    answers: tuple[FeatureDrift, ...]
    """Of the predictions."""
    shares: dict[str, tuple[float, float]]
    """Class to its share of the predictions in the reference and now; empty: no classes."""
    metrics: dict[str, Interval]
    """Of the labelled rows."""
    promised: dict[str, Interval]
    """The champion's metrics on its test split."""
    alpha: float
    effect: float
    incomplete: int = 0
    """Rows left out for a missing value, as training left them out (`clean.missing: drop`)."""

    @property
    def alarm(self) -> bool:
        """Whether any test raised the alarm."""
        return any(test.raised for test in self.tests)

    @property
    def why(self) -> str:
        """The findings of the tests that raised the alarm, or that there is none."""
        raised = [test.why for test in self.tests if test.raised]
        return "; ".join(raised) or f"no drift in {self.rows:,} rows"


class DriftComparison(MonitorRecord):
    """Rows and predictions compared with the reference; a part of a `DriftReport`."""

    tests: tuple[DriftTest, ...]
    features: tuple[FeatureDrift, ...]
    answers: tuple[FeatureDrift, ...]
    shares: dict[str, tuple[float, float]]


def compare(
    reference: DriftReference,
    features: DriftFeatures,
    answers: DriftPredictions,
    settings: Monitor,
    *,
    quality: DriftTest | None = None,
    classes: Sequence[str] = (),
    columns: Sequence[FeatureColumn] = (),
    seed: int = 0,
) -> DriftComparison:
    """Test new rows against the reference.

    Args:
        reference: of the champion.
        features: of the new rows.
        answers: the champion's predictions for the new rows.
        settings: alpha and effect.
        quality: the test of the labelled rows, not yet held against its share of alpha.
        classes: names of the classes.
        columns: the study's column of each feature; empty: features go by their own names.
        seed: of the permutations and of the rows that are drawn where there are many.
    """
    tests: list[DriftTest] = [] if quality is None else [quality]
    random = np.random.default_rng(seed)
    columns = columns or [FeatureColumn(name) for name in features.names]
    # Resolves the share of each of at most five tests.
    resamples = max(999, math.ceil(10 / settings.alpha) - 1)
    old, new = (each.some(_drawn(len(each), random)) for each in (reference.features, features))
    inputs, compared = _inputs(old, new, columns, resamples, seed)
    tests += inputs
    predictions: tuple[FeatureDrift, ...] = ()
    shares: dict[str, tuple[float, float]] = {}
    if reference.answers is not None:
        then, now = (
            each.values[_drawn(len(each.values), random)] for each in (reference.answers, answers)
        )
        # The final model was trained on more rows than the winning trial, so it may be surer.
        lower = reference.answers.names == CONFIDENCE
        result = statistics.kolmogorov_smirnov(
            then, now, resamples=resamples, seed=seed, lower=lower
        )
        names = [FeatureColumn(name) for name in reference.answers.names]
        predictions = _by_column(names, then, now, result)
        tests.append(_greatest("answers: less sure" if lower else "answers: numbers", predictions))
        if reference.answers.labels is not None and answers.labels is not None:
            before, after = (
                np.bincount(each, minlength=len(classes))
                for each in (reference.answers.labels, answers.labels)
            )
            moved = statistics.count_stability(before, after, resamples=resamples, seed=seed)
            tests.append(_classes(moved, before, after))
            shares = _shares(classes, before, after)
    return DriftComparison(
        tests=tuple(with_verdicts(tests, settings)),
        features=compared,
        answers=predictions,
        shares=shares,
    )


def with_verdicts(tests: list[DriftTest], settings: Monitor) -> Iterator[DriftTest]:
    """The tests, each held against its share of alpha."""
    for test in tests:
        certain = test.p <= settings.alpha / len(tests)
        small = test.statistic in OF_EFFECT and test.value < settings.effect
        yield test.model_copy(update={"certain": certain, "raised": certain and not small})


def quality(
    name: str,
    direction: Literal["minimize", "maximize"],
    now: Interval,
    promised: Interval,
    rows: int,
    tested: int,
) -> DriftTest | None:
    """One-sided test whether the objective is worse than on the test split, from two intervals.

    The standard errors are those of the 95 % intervals; a metric without a spread, such as an
    accuracy of 1, is taken to be known to one row.

    Args:
        name: of the objective.
        direction: of the objective.
        now: on the labelled new rows.
        promised: on the test split.
        rows: number of labelled new rows.
        tested: number of rows of the test split.

    Returns:
        The test; None for fewer than ten labelled rows.
    """
    if rows < ENOUGH:
        return None
    errors = [
        max((each.high - each.low) / 3.92, 1 / count)
        for each, count in ((now, rows), (promised, tested))
    ]
    worse = now.value - promised.value
    worse = worse if direction == "minimize" else -worse
    p = 0.5 * math.erfc(worse / math.hypot(*errors) / math.sqrt(2))
    why = f"{name} is {now.value:.4f} on {rows:,} labelled rows, was {promised.value:.4f} in test"
    return _test("quality", f"loss of {name}", worse, p, why)


def _drawn(count: int, random: np.random.Generator) -> Ints:
    return np.sort(random.permutation(count)[:COMPARED])


def _inputs(
    old: DriftFeatures,
    new: DriftFeatures,
    columns: Sequence[FeatureColumn],
    resamples: int,
    seed: int,
) -> tuple[list[DriftTest], tuple[FeatureDrift, ...]]:
    """The tests of the inputs, and the drift of each column."""
    tested = np.array([not column.date for column in columns])
    dates = [column for column in columns if column.date]
    distances = statistics.distances(old.values[:, ~tested], new.values[:, ~tested])
    untested = statistics.Distances(distances, np.ones(len(dates)), 1.0)
    shown = _by_column(dates, old.values[:, ~tested], new.values[:, ~tested], untested)
    if not tested.any():
        return [], shown
    a, b = old.values[:, tested], new.values[:, tested]
    result = statistics.kolmogorov_smirnov(a, b, resamples=resamples, seed=seed)
    compared = _by_column([one for one in columns if not one.date], a, b, result)
    # Only tables have dates, and their joint features are the same columns.
    whole = (each.joint[:, tested] if dates else each.joint for each in (old, new))
    joint = statistics.maximum_mean_discrepancy(*whole, resamples=resamples, seed=seed)
    why = f"the joint distribution of the inputs has shifted (MMD {joint.value:.2f})"
    tests = [
        _greatest("inputs, one by one", compared),
        _test("inputs, as wholes", "MMD", joint.value, joint.p, why),
    ]
    return tests, (*compared, *shown)


def _by_column(
    columns: Sequence[FeatureColumn], old: Array, new: Array, result: statistics.Distances
) -> tuple[FeatureDrift, ...]:
    """The drift of each column: of its features the one with the greatest distance."""
    psi = statistics.feature_stability(old, new)
    greatest: dict[str, int] = {}
    for k, column in enumerate(columns):
        best = greatest.setdefault(column.name, k)
        if result.each[k] > result.each[best] and not column.date:
            greatest[column.name] = k
    return tuple(
        FeatureDrift(
            name=name,
            before=float(old[:, k].mean()),
            now=float(new[:, k].mean()),
            distance=float(result.each[k]),
            p=float(result.p_each[k]),
            stability=float(psi[k]),
            level=columns[k].level,
            tested=not columns[k].date,
        )
        for name, k in greatest.items()
    )


def _greatest(name: str, compared: tuple[FeatureDrift, ...]) -> DriftTest:
    most = max(compared, key=lambda each: each.distance)
    what = f"share of {most.level!r}" if most.level else "mean"
    why = (
        f"the distribution of {most.name!r} has shifted ({what} {most.now:.3g}, was "
        f"{most.before:.3g}; KS {most.distance:.2f}, PSI {most.stability:.2f})"
    )
    return _test(name, "KS distance", most.distance, most.p, why)


def _classes(moved: statistics.Distance, before: Array, after: Array) -> DriftTest:
    distance = statistics.total_variation(before, after)
    why = (
        f"the shares of the predicted classes have shifted (by {distance:.0%}, PSI "
        f"{moved.value:.2f})"
    )
    return _test("answers: classes", "total variation", distance, moved.p, why)


def _shares(classes: Sequence[str], old: Array, new: Array) -> dict[str, tuple[float, float]]:
    shares = zip(old / old.sum(), new / new.sum(), strict=True)
    return {name: (float(a), float(b)) for name, (a, b) in zip(classes, shares, strict=True)}


def _test(name: str, statistic: str, value: float, p: float, why: str) -> DriftTest:
    return DriftTest(
        name=name, statistic=statistic, value=value, p=p, certain=False, raised=False, why=why
    )
