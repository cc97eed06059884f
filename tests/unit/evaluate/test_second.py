"""A second answer is scored as if it stood alone, under its own name, and read back as written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conf.schema.evaluate import Evaluate, direction_of
from tasks.evaluate import intervals, metrics
from tasks.evaluate.evaluation import of_predictions
from tasks.evaluate.predictions import (
    LabelPredictions,
    NumberPredictions,
    Predictions,
    Second,
    about,
    read,
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
def test_it_is_scored_beside_the_first(
    first: Predictions | LabelPredictions,
    second: Predictions | NumberPredictions,
    names: tuple[str, ...],
    tmp_path: Path,
) -> None:
    both = replace(first, second=Second("tone", second))
    alone = {f"tone/{n}": v for n, v in metrics.score(second, ANY, names).items()}
    assert metrics.score(both, ANY) == metrics.score(first, ANY) | alone
    section = ANY.model_copy(update={"second": names[:1]})
    interval = intervals.of_said(second, ANY, names[:1])[names[0]]
    assert intervals.of_said(both, section)[f"tone/{names[0]}"] == interval
    assert set(of_predictions(both, section, "0" * 64).metrics) == {"accuracy", f"tone/{names[0]}"}
    write(tmp_path / "p.parquet", both)
    kept = read(tmp_path / "p.parquet")
    assert type(kept) is type(first)
    assert metrics.score(kept, ANY) == metrics.score(both, ANY)


def test_a_metrics_name_says_which_answer_it_is_about() -> None:
    both = replace(CLASSES, second=Second("tone", NUMBERS))
    assert about("tone/rmse", both, both) == ("rmse", (NUMBERS, NUMBERS))
    assert about("accuracy", both) == ("accuracy", (both,))
    assert (direction_of("tone/rmse"), direction_of("tone/r2")) == ("minimize", "maximize")
