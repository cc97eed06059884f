from __future__ import annotations

import numpy as np
import pytest

from conf.schema.champion import Monitor
from tasks.evaluate.evaluation import Interval
from tasks.monitor.drift import DriftComparison, compare, quality
from tasks.packaging.drift_features import DriftFeatures, DriftPredictions
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


def test_to_be_surer_is_no_alarm_and_to_be_less_sure_is() -> None:
    old, (features, answers) = DriftReference(*sample(0, 800)), sample(1, 200)
    for change, name in ((-0.2, {"answers: less sure"}), (0.2, set())):
        moved = DriftPredictions(answers.labels, answers.names, answers.values + np.float32(change))
        assert raised(compare(old, features, moved, Monitor(), classes=CLASSES)) == name


def test_what_is_certain_but_small_raises_nothing() -> None:
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


def test_few_labels_say_nothing() -> None:
    assert quality("accuracy", "maximize", PROMISED, PROMISED, 9, 360) is None
    same = quality("accuracy", "maximize", Interval(value=1, low=1, high=1), PROMISED, 10, 360)
    assert same is not None and same.p > 0.5
