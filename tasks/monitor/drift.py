"""Drift tests of new rows against the reference, and the alarm rule; a pure function.

The rule: every test gets an equal share of `monitor.alpha`, so that the chance of an alarm where
nothing has changed is at most that, whatever the tests have to do with each other (Bonferroni). A
test that is that certain raises the alarm if what it found is also large enough to matter
(`monitor.effect`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from conf.runtime.types import Ints
from conf.schema.champion import Monitor
from tasks.evaluate.evaluation import Interval
from tasks.monitor import statistics
from tasks.packaging.drift_features import CONFIDENCE, DriftFeatures, DriftPredictions
from tasks.packaging.drift_reference import DriftReference

COMPARED = 1_000
"""Rows a side that features are compared on at most; drawn evenly."""
ENOUGH = 10
"""Labelled rows from which a metric is compared."""
OF_EFFECT = ("KS distance", "total variation")
"""Statistics on the scale of `monitor.effect`; the others have none."""


class MonitorRecord(BaseModel):
    """Frozen and closed: what is written is what is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DriftTest(MonitorRecord):
    """One drift test with its result."""

    __test__ = False  # for pytest

    name: str
    statistic: str
    """What `value` is."""
    value: float
    p: float
    """Chance of so great a value where nothing has changed."""
    certain: bool
    """Whether `p` is within the test's share of alpha."""
    raised: bool
    """Whether it is certain and large enough to matter."""
    why: str


class FeatureDrift(MonitorRecord):
    """One feature, or one number of the predictions, in the reference and in the new rows."""

    name: str
    before: float
    """Mean of the reference."""
    now: float
    """Mean of the new rows."""
    distance: float
    """Kolmogorov-Smirnov."""
    p: float
    """Of that distance, all features together."""
    stability: float
    """Population stability index."""


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
    labelled: int
    """Rows of these whose target is known."""
    files: int
    """Files of a folder that were looked at; 1 for a file."""
    tests: tuple[DriftTest, ...]
    features: tuple[FeatureDrift, ...]
    answers: tuple[FeatureDrift, ...]
    shares: dict[str, tuple[float, float]]
    """Class to its share of the answers then and now; empty where nothing is classified."""
    metrics: dict[str, Interval]
    """Of the labelled rows."""
    promised: dict[str, Interval]
    """The champion's, on its test part."""
    alpha: float
    effect: float

    @property
    def alarm(self) -> bool:
        """Whether any test raised it."""
        return any(test.raised for test in self.tests)

    @property
    def why(self) -> str:
        """The sentences of the tests that raised the alarm; what was looked at where none did."""
        raised = [test.why for test in self.tests if test.raised]
        return "; ".join(raised) or f"{self.rows:,} rows look as they did"


class DriftComparison(MonitorRecord):
    """What the rows and the answers say, then and now; of a `DriftReport`."""

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
    seed: int = 0,
) -> DriftComparison:
    """Test new rows against the reference.

    Args:
        reference: of the champion.
        features: of the new rows.
        answers: of the champion about the new rows.
        settings: alpha and effect.
        quality: the test of the labelled rows; its `certain` and `raised` are open.
        classes: names of the classes.
        seed: of the shuffles and of what is drawn of many rows.
    """
    tests: list[DriftTest] = [] if quality is None else [quality]
    random = np.random.default_rng(seed)
    # Resolves the share of each of at most five tests.
    resamples = max(999, math.ceil(10 / settings.alpha) - 1)
    old, new = (each.some(_drawn(len(each), random)) for each in (reference.features, features))
    found = statistics.kolmogorov_smirnov(old.values, new.values, resamples=resamples, seed=seed)
    compared = _compared(old.names, old.values, new.values, found)
    tests.append(_greatest("inputs, one by one", compared, found))
    whole = statistics.maximum_mean_discrepancy(
        old.joint, new.joint, resamples=resamples, seed=seed
    )
    tests.append(_test("inputs, as wholes", "MMD", whole.value, whole.p))
    said: tuple[FeatureDrift, ...] = ()
    shares: dict[str, tuple[float, float]] = {}
    if reference.answers is not None:
        then, now = (
            each.values[_drawn(len(each.values), random)] for each in (reference.answers, answers)
        )
        # The final model learnt from more rows than the winning trial, so it may be surer.
        lower = reference.answers.names == CONFIDENCE
        gap = statistics.kolmogorov_smirnov(then, now, resamples=resamples, seed=seed, lower=lower)
        said = _compared(reference.answers.names, then, now, gap)
        name = "answers: less sure" if lower else "answers: numbers"
        tests.append(_greatest(name, said, gap))
        if reference.answers.labels is not None and answers.labels is not None:
            before, after = (
                np.bincount(each, minlength=len(classes))
                for each in (reference.answers.labels, answers.labels)
            )
            moved = statistics.count_stability(before, after, resamples=resamples, seed=seed)
            tests.append(_classes(moved, before, after))
            shares = _shares(classes, before, after)
    return DriftComparison(
        tests=tuple(judged(tests, settings)), features=compared, answers=said, shares=shares
    )


def judged(tests: list[DriftTest], settings: Monitor) -> Iterator[DriftTest]:
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
    """Whether the objective is worse than it was on the test part: one-sided, by the two intervals.

    None where fewer than ten rows are labelled. A metric without a spread, such as an accuracy of
    1, is taken to be known to one row.
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
    why = f"{name} is {now.value:.4f} on {rows:,} labelled rows, {promised.value:.4f} was promised"
    return _test("quality", f"loss of {name}", worse, p, why)


def _drawn(count: int, random: np.random.Generator) -> Ints:
    return np.sort(random.permutation(count)[:COMPARED])


def _compared(
    names: tuple[str, ...], old: NDArray, new: NDArray, found: statistics.Distances
) -> tuple[FeatureDrift, ...]:
    psi = statistics.feature_stability(old, new)
    return tuple(
        FeatureDrift(
            name=name,
            before=float(old[:, k].mean()),
            now=float(new[:, k].mean()),
            distance=float(found.each[k]),
            p=float(found.p_each[k]),
            stability=float(psi[k]),
        )
        for k, name in enumerate(names)
    )


def _greatest(
    name: str, compared: tuple[FeatureDrift, ...], found: statistics.Distances
) -> DriftTest:
    most = max(compared, key=lambda each: each.distance)
    why = (
        f"{most.name!r} is distributed otherwise (KS {most.distance:.2f}, PSI "
        f"{most.stability:.2f}; mean {most.now:.3g}, was {most.before:.3g})"
    )
    return _test(name, "KS distance", most.distance, found.p, why)


def _classes(moved: statistics.Distance, before: NDArray, after: NDArray) -> DriftTest:
    apart = statistics.total_variation(before, after)
    why = f"the classes are answered in other shares (PSI {moved.value:.2f}, {apart:.0%} moved)"
    return _test("answers: classes", "total variation", apart, moved.p, why)


def _shares(classes: Sequence[str], old: NDArray, new: NDArray) -> dict[str, tuple[float, float]]:
    shares = zip(old / old.sum(), new / new.sum(), strict=True)
    return {name: (float(a), float(b)) for name, (a, b) in zip(classes, shares, strict=True)}


def _test(name: str, statistic: str, value: float, p: float, why: str = "") -> DriftTest:
    why = why or f"the rows as wholes are distributed otherwise ({statistic} {value:.2f})"
    return DriftTest(
        name=name, statistic=statistic, value=value, p=p, certain=False, raised=False, why=why
    )
