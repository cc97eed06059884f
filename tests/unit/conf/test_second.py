"""A second answer: what does not go with it is refused before anything is done."""

from __future__ import annotations

from typing import Any

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadConfig
from conf.schema.study import Study

DATA = {"source": "table", "path": "a.csv", "label": "y", "second": {"label": "the tone"}}
SAVED = {"source": "hub", "path": "a", "label": "y", "text": "x", "second": {"label": "the tone"}}
GOOD: dict[str, Any] = {
    "name": "two",
    "data": DATA,
    "model": {"kind": "mlp"},
    "evaluate": {"objective": "accuracy", "metrics": ["accuracy"], "second": ["roc_auc"]},
    "train": {"second_weight": 0.3},
    "search": {"trials": 1},
}


def test_its_name_is_the_columns() -> None:
    second = Study.model_validate(GOOD).data.second
    assert second is not None and second.name == "the_tone"


@pytest.mark.parametrize(
    ("section", "given", "message"),
    [
        ("model", {"kind": "svm"}, "model.kind svm gives one answer, .* use mlp or text_cnn"),
        ("augment", {"mixup": {}}, "augment.mixup makes rows without the second answer"),
        ("augment", {"oversample": {"kind": "smote"}}, "augment.oversample.kind smote makes rows"),
        ("evaluate", {"second": ["rmse"]}, "'rmse' does not score classification .second.;"),
        ("train", {"second_weight": -1}, "greater than or equal to 0"),
        ("data", {**DATA, "second": {"label": "y"}}, "second.label: 'y' is another column already"),
        ("data", {**SAVED, "image": "x", "text": None}, "a second answer is of texts and tables"),
        ("data", {**SAVED, "group": "the tone"}, "second.label: 'the tone' is another column"),
        ("data", {**DATA, "second": None}, "train.second_weight is about a second answer"),
    ],
    ids=["estimator", "mixup", "smote", "metric", "weight", "same", "image", "group", "none"],
)
def test_the_rest_is_refused(section: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Study.model_validate({**GOOD, section: given})


def test_a_kind_that_is_searched_is_refused_too() -> None:
    second = ["data={source: table, path: a.csv, label: y, second: {label: z}}"]
    with pytest.raises(BadConfig, match=r"refuses knn: .*model.kind knn gives one answer"):
        load_study("wine", [*second, "search.space={model.kind: {choices: [mlp, knn]}}"])
    weighed = [*second, "search.space={train.second_weight: {low: 0.1, high: 10, scale: log}}"]
    assert "train.second_weight" in load_study("wine", weighed).search.space
