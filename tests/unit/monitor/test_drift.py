from __future__ import annotations

import numpy as np
import pytest

from conf.schema.champion import Monitor
from tasks.evaluate.evaluation import Interval
from tasks.monitor.drift import DriftComparison, compare, quality
from tasks.packaging.drift_features import DriftFeatures, DriftPredictions, FeatureColumn
from tasks.packaging.drift_reference import DriftReference

CLASSES = ("a", "b")


def sample(
    seed: int, rows: int, *, shift: float = 0.0, second: float = 0.5
) -> tuple[DriftFeatures, DriftPredictions]:
    random = np.random.default_rng(seed)
    values = (random.normal(size=(rows, 3)) + shift).astype(np.float32)
    sure = random.uniform(0.5, 1, size=(rows, 1)).astype(np.float32)
    labels = (random.random(rows) < second).astype(np.int64)
    return DriftFeatures(("x", "y", "z"), values, values), DriftPredictions(
        labels, ("confidence",), sure
    )


def looked(
    settings: Monitor,
    seed: int = 1,
    rows: int = 200,
    *,
    shift: float = 0.0,
    second: float = 0.5,
    begun: int = 0,
) -> DriftComparison:
    old = sample(begun, 800)
    new = sample(seed, rows, shift=shift, second=second)
    return compare(DriftReference(*old), *new, settings, classes=CLASSES)


def raised(found: DriftComparison) -> set[str]:
    return {test.name for test in found.tests if test.raised}


def test_every_kind_of_change_raises_its_own_test() -> None:
    quiet = looked(Monitor())
    assert not raised(quiet) and len(quiet.tests) == 4
    assert quiet.shares["a"] == pytest.approx((0.5, 0.5), abs=0.1)
    assert raised(looked(Monitor(), shift=0.5)) == {"inputs, one by one", "inputs, as wholes"}
    assert raised(looked(Monitor(), second=0.9)) == {"answers: classes"}


def test_only_a_loss_of_confidence_raises_an_alarm() -> None:
    old, (features, answers) = DriftReference(*sample(0, 800)), sample(1, 200)
    for change, name in ((-0.2, {"answers: less sure"}), (0.2, set())):
        moved = DriftPredictions(answers.labels, answers.names, answers.values + np.float32(change))
        assert raised(compare(old, features, moved, Monitor(), classes=CLASSES)) == name


def test_a_significant_but_small_effect_raises_no_alarm() -> None:
    settings = Monitor(effect=0.3)
    found = looked(settings, rows=1_000, second=0.65)
    classes = next(test for test in found.tests if test.name == "answers: classes")
    assert classes.certain and not classes.raised and classes.value < 0.3


def test_the_alarm_is_shared_among_the_tests() -> None:
    """At alpha = 0.2 about one look in five or fewer is an alarm where nothing has changed."""
    settings = Monitor(alpha=0.2, effect=0)
    alarms = [bool(raised(looked(settings, seed, 80, begun=seed + 1_000))) for seed in range(40)]
    assert np.mean(alarms) <= 0.35


def test_a_reference_without_answers_compares_inputs_alone() -> None:
    features, answers = sample(1, 100)
    found = compare(DriftReference(sample(0, 100)[0], None), features, answers, Monitor())
    assert len(found.tests) == 2 and not found.answers and not found.shares


def table(seed: int, *, rome: float = 0.3, days: float = 0.0) -> DriftFeatures:
    random = np.random.default_rng(seed)
    category = np.where(random.random(400) < rome, 2, random.integers(0, 2, 400))
    one_hot = [category == place for place in range(3)]
    dates = [random.uniform(0, 100, 400) + days, random.normal(size=400) + days]
    values = np.stack([random.normal(size=400), *one_hot, *dates], axis=1).astype(np.float32)
    return DriftFeatures(tuple("abcdef"), values, values)


COLUMNS = (
    FeatureColumn("age"),
    *(FeatureColumn("city", level) for level in ("Bonn", "Oslo", "Rome")),
    *(FeatureColumn("day", date=True) for _ in range(2)),
)


def test_a_shift_is_named_by_the_column_and_its_category() -> None:
    none = DriftPredictions(None, (), np.zeros((400, 0), np.float32))
    old = DriftReference(table(0), None)
    result = compare(old, table(1, rome=0.7), none, Monitor(), columns=COLUMNS)
    assert [each.title for each in result.features] == ["age", "city = Rome", "day"]
    (test,) = (test for test in result.tests if test.name == "inputs, one by one")
    assert test.raised and "'city' has shifted (share of 'Rome' 0.7" in test.why


def test_dates_are_listed_and_raise_no_alarm() -> None:
    none = DriftPredictions(None, (), np.zeros((400, 0), np.float32))
    result = compare(
        DriftReference(table(0), None), table(1, days=500), none, Monitor(), columns=COLUMNS
    )
    assert not raised(result)
    day = result.features[-1]
    assert (day.name, day.tested) == ("day", False) and day.distance == pytest.approx(1)
    assert day.now - day.before == pytest.approx(500, abs=20)


PROMISED = Interval(value=0.98, low=0.965, high=0.99)


@pytest.mark.parametrize(
    ("now", "rows", "worse"),
    [
        pytest.param(Interval(value=0.80, low=0.72, high=0.88), 100, True, id="worse"),
        pytest.param(Interval(value=0.97, low=0.93, high=1.0), 100, False, id="as good"),
        pytest.param(Interval(value=1.0, low=1.0, high=1.0), 100, False, id="better"),
    ],
)
def test_decay_is_a_loss_beyond_chance(now: Interval, rows: int, worse: bool) -> None:
    found = quality("accuracy", "maximize", now, PROMISED, rows, 360)
    assert found is not None and (found.p < 0.001) == worse
    less = {"value": 1 - now.value, "low": 1 - now.high, "high": 1 - now.low}
    promised = Interval(value=0.02, low=0.01, high=0.035)
    mirrored = quality("log_loss", "minimize", Interval(**less), promised, rows, 360)
    assert mirrored is not None and mirrored.p == pytest.approx(found.p)


def test_quality_needs_ten_labelled_rows() -> None:
    assert quality("accuracy", "maximize", PROMISED, PROMISED, 9, 360) is None
    same = quality("accuracy", "maximize", Interval(value=1, low=1, high=1), PROMISED, 10, 360)
    assert same is not None and same.p > 0.5
