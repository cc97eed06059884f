"""The auxiliary target is scored as if it stood alone, under its own name, and round-trips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conf.schema.evaluate import Evaluate, direction_of
from tasks.evaluate import intervals, metrics
from tasks.evaluate.evaluation import evaluate_predictions
from tasks.evaluate.predictions import (
    AuxiliaryPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
    read,
    select_predictions,
    write,
)

DRAW = np.random.default_rng(0)
IDS = np.arange(40)
CHANCES = DRAW.dirichlet(np.ones(3), 40)
CLASSES = Predictions(IDS, DRAW.integers(0, 3, 40), CHANCES.argmax(axis=1), CHANCES)
NUMBERS = NumberPredictions(IDS, DRAW.normal(size=40), DRAW.normal(size=40))
LABELS = LabelPredictions(IDS, (DRAW.random((40, 2)) < 0.5).astype(np.int8), DRAW.random((40, 2)))
ANY = Evaluate(objective="accuracy", metrics=("accuracy",))


@pytest.mark.parametrize("first", [CLASSES, LABELS], ids=["class", "labels"])
@pytest.mark.parametrize(
    ("second", "names"),
    [(CLASSES, ("accuracy", "f1_macro")), (NUMBERS, ("rmse", "mae"))],
    ids=["class", "number"],
)
def test_the_auxiliary_target_is_scored_as_if_alone(
    first: Predictions | LabelPredictions,
    second: Predictions | NumberPredictions,
    names: tuple[str, ...],
    tmp_path: Path,
) -> None:
    both = replace(first, auxiliary=AuxiliaryPredictions("tone", second))
    alone = {f"tone/{n}": v for n, v in metrics.score(second, ANY, names).items()}
    assert metrics.score(both, ANY) == metrics.score(first, ANY) | alone
    section = ANY.model_copy(update={"second": names[:1]})
    interval = intervals.bootstrap_intervals(second, ANY, names[:1])[names[0]]
    assert intervals.bootstrap_intervals(both, section)[f"tone/{names[0]}"] == interval
    assert set(evaluate_predictions(both, section, "0" * 64).metrics) == {
        "accuracy",
        f"tone/{names[0]}",
    }
    write(tmp_path / "p.parquet", both)
    kept = read(tmp_path / "p.parquet")
    assert type(kept) is type(first)
    assert metrics.score(kept, ANY) == metrics.score(both, ANY)


def test_the_prefix_of_a_metric_selects_the_predictions() -> None:
    both = replace(CLASSES, auxiliary=AuxiliaryPredictions("tone", NUMBERS))
    assert select_predictions("tone/rmse", both, both) == ("rmse", (NUMBERS, NUMBERS))
    assert select_predictions("accuracy", both) == ("accuracy", (both,))
    assert (direction_of("tone/rmse"), direction_of("tone/r2")) == ("minimize", "maximize")
