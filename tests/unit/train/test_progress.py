"""Which epoch is the best, and when a trial is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from conf.schema.evaluate import Evaluate
from conf.schema.study import TrialConfig
from tasks.evaluate.metrics import compute
from tasks.train.engine.failures import NotFinite
from tasks.train.folder import MetricLine
from tasks.train.spec import TrialSpec
from tasks.train.trial.callbacks import is_over
from tasks.train.trial.fit import is_complete
from tasks.train.trial.progress import Progress, is_better, is_out_of_patience, join, score


def line(epoch: int) -> MetricLine:
    return MetricLine(epoch=epoch, step=epoch, time=0.0, seconds=1.0, attempt=1, metrics={})


def reached(epochs: int, best: int | None = None) -> Progress:
    return Progress(tuple(line(e) for e in range(1, epochs + 1)), best_epoch=best, best_value=0.5)


def spec(patience: int | None = None, **fields: Any) -> TrialSpec:
    config = TrialConfig.model_validate({"train": {"epochs": 9, "patience": patience}})
    return TrialSpec(
        **{
            "study": "s",
            "number": 0,
            "digest": "d",
            "config": config,
            "seed": 1,
            "train": "t",
            "validation": None,
            "card": "c",
            "until": 9,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("value", "best", "direction", "better"),
    [
        (0.5, None, "maximize", True),
        (0.6, 0.5, "maximize", True),
        (0.5, 0.5, "maximize", False),
        (0.4, 0.5, "maximize", False),
        (0.4, 0.5, "minimize", True),
        (0.5, 0.5, "minimize", False),
    ],
)
def test_of_equals_the_earliest_stays(
    value: float, best: float | None, direction: str, better: bool
) -> None:
    assert is_better(value, best, direction) is better


@pytest.mark.parametrize(
    ("epochs", "best", "patience", "out"),
    [(5, 3, 2, True), (4, 3, 2, False), (5, 3, None, False), (5, None, 1, False)],
)
def test_patience(epochs: int, best: int | None, patience: int | None, out: bool) -> None:
    assert is_out_of_patience(reached(epochs, best), patience) is out


@pytest.mark.parametrize(
    ("fields", "progress", "over", "complete"),
    [
        ({"until": 3}, reached(2, 2), False, True),
        ({"until": 3}, reached(3, 3), True, False),
        ({"until": 9}, reached(9, 9), True, True),
        ({"until": 9, "patience": 2}, reached(5, 3), True, True),
        ({"until": 5, "patience": 2}, reached(5, 3), True, False),
        ({"until": 5, "keep": "last", "patience": 1}, reached(4, 1), False, True),
        ({"until": 5, "keep": "last"}, reached(5, 5), True, True),
    ],
    ids=["on-its-way", "rung", "end", "patience", "patience-at-a-rung", "no-patience", "last"],
)
def test_when_a_trial_is_over(
    fields: dict[str, Any], progress: Progress, over: bool, complete: bool
) -> None:
    told = spec(**fields)
    assert is_over(told, progress) is over
    if over:
        assert is_complete(told, progress) is complete


def test_progress_survives_a_checkpoint(tmp_path: Any) -> None:
    progress = replace(
        reached(2, 1),
        outputs={"id": torch.arange(3)},
        weights={"net.w": torch.ones(2)},
    )
    torch.save(progress.to_state(), tmp_path / "state")
    restored = Progress.from_state(torch.load(tmp_path / "state", weights_only=True))
    assert restored.lines == progress.lines and restored.best_value == progress.best_value
    assert restored.weights is not None and torch.equal(restored.weights["net.w"], torch.ones(2))


def outputs(probabilities: torch.Tensor) -> dict[str, torch.Tensor]:
    rows = len(probabilities)
    return {
        "id": torch.arange(rows),
        "target": torch.arange(rows) % 3,
        "probabilities": probabilities,
    }


def test_the_objective_is_the_one_that_evaluation_computes() -> None:
    torch.manual_seed(0)
    said = join([outputs(torch.rand(5, 3)), outputs(torch.rand(4, 3))])
    values = score(said, Evaluate(objective="f1_macro", metrics=("accuracy", "f1_macro")))
    probabilities = said["probabilities"].numpy()
    assert values == compute(
        ("accuracy", "f1_macro"),
        said["target"].numpy(),
        probabilities.argmax(axis=1),
        probabilities,
    )


def test_a_metric_that_is_not_defined_on_an_epochs_rows_is_left_out_of_its_line() -> None:
    said = outputs(torch.tensor([[0.9, 0.1], [0.2, 0.8]])) | {"target": torch.tensor([0, 0])}
    said["id"] = torch.arange(2)
    assert score(said, Evaluate(metrics=("accuracy", "roc_auc"))) == {"accuracy": 0.5}
    with pytest.raises(NotFinite, match="the objective roc_auc is nan"):
        score(said, Evaluate(objective="roc_auc", metrics=("roc_auc",)))


def test_predictions_that_are_no_numbers_end_a_trial() -> None:
    with pytest.raises(NotFinite):
        score(outputs(torch.full((3, 3), float(np.nan))), Evaluate())
