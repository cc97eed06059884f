"""Settings of a multilabel study: some class settings apply, the others are refused."""

from __future__ import annotations

from typing import Any

import pytest

from conf.schema.study import Study

GOOD: dict[str, Any] = {
    "name": "labels",
    "data": {"source": "table", "path": "a.csv", "label": "y", "task": "multilabel"},
    "clean": {"class_floor": 3},
    "augment": {"mixup": {}},
    "model": {"kind": "mlp"},
    "train": {"class_weights": "balanced"},
    "evaluate": {"objective": "f1_macro", "metrics": ["f1_macro", "hamming_loss", "accuracy"]},
    "search": {"trials": 1},
}


def test_a_multilabel_study_validates() -> None:
    assert Study.model_validate(GOOD).split.by == "stratified"


@pytest.mark.parametrize(
    ("section", "given", "message"),
    [
        ("evaluate", {"objective": "matthews", "metrics": ["matthews"]}, "'matthews' is no metric"),
        (
            "clean",
            {"suspects": {}},
            "clean.suspects applies to classes, and the task is multilabel",
        ),
        ("clean", {"labels": ["a"]}, "clean.labels applies to classes"),
        ("augment", {"oversample": {}}, "augment.oversample applies to classes"),
        ("train", {"label_smoothing": 0.1}, "train.label_smoothing applies to classes"),
        ("data", {**GOOD["data"], "bands": [{"name": "a", "low": 0}]}, "data.bands applies to"),
    ],
    ids=["metric", "suspects", "labels", "oversample", "smoothing", "bands"],
)
def test_other_class_settings_are_refused(
    section: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Study.model_validate({**GOOD, section: given})


def test_multilabel_metrics_are_refused_in_classification() -> None:
    wrong = {"objective": "hamming_loss", "metrics": ["hamming_loss"]}
    with pytest.raises(ValueError, match="'hamming_loss' is no metric of classification"):
        Study.model_validate({"name": "a", "evaluate": wrong, "search": {"trials": 1}})
