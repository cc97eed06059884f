"""What does not go with any number of labels a row is refused; what does is not."""

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


def test_it_is_a_study() -> None:
    assert Study.model_validate(GOOD).split.by == "stratified"


@pytest.mark.parametrize(
    ("section", "given", "message"),
    [
        ("evaluate", {"objective": "matthews", "metrics": ["matthews"]}, "'matthews' does not"),
        ("clean", {"suspects": {}}, "clean.suspects is about classes, and the task is multilabel"),
        ("clean", {"labels": ["a"]}, "clean.labels is about classes"),
        ("augment", {"oversample": {}}, "augment.oversample is about classes"),
        ("train", {"label_smoothing": 0.1}, "train.label_smoothing is about classes"),
        ("data", {**GOOD["data"], "bands": [{"name": "a", "low": 0}]}, "data.bands is about"),
    ],
    ids=["metric", "suspects", "labels", "oversample", "smoothing", "bands"],
)
def test_the_rest_is_refused(section: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Study.model_validate({**GOOD, section: given})


def test_metrics_of_labels_do_not_score_classes() -> None:
    wrong = {"objective": "hamming_loss", "metrics": ["hamming_loss"]}
    with pytest.raises(ValueError, match="'hamming_loss' does not score classification"):
        Study.model_validate({"name": "a", "evaluate": wrong, "search": {"trials": 1}})
