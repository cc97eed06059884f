"""Conflicts with an auxiliary target are refused before anything runs."""

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


def test_the_name_derives_from_the_column() -> None:
    second = Study.model_validate(GOOD).data.second
    assert second is not None and second.name == "the_tone"


@pytest.mark.parametrize(
    ("section", "given", "message"),
    [
        ("model", {"kind": "svm"}, "model.kind svm learns one target, .* use mlp or text_cnn"),
        ("augment", {"mixup": {}}, "augment.mixup makes rows without the auxiliary target"),
        ("augment", {"oversample": {"kind": "smote"}}, "augment.oversample.kind smote makes rows"),
        ("evaluate", {"second": ["rmse"]}, "'rmse' is no metric of classification .auxiliary.;"),
        ("train", {"second_weight": -1}, "greater than or equal to 0"),
        (
            "data",
            {**DATA, "second": {"label": "y"}},
            "second.label: the column 'y' has another role",
        ),
        (
            "data",
            {**SAVED, "image": "x", "text": None},
            "an auxiliary target needs texts or a table",
        ),
        ("data", {**SAVED, "group": "the tone"}, "second.label: the column 'the tone' has another"),
        ("data", {**DATA, "second": None}, "train.second_weight needs an auxiliary target"),
    ],
    ids=["estimator", "mixup", "smote", "metric", "weight", "same", "image", "group", "none"],
)
def test_conflicting_settings_are_refused(
    section: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Study.model_validate({**GOOD, section: given})


def test_a_searched_kind_without_support_is_refused() -> None:
    second = ["data={source: table, path: a.csv, label: y, second: {label: z}}"]
    with pytest.raises(BadConfig, match=r"refuses knn: .*model.kind knn learns one target"):
        load_study("wine", [*second, "search.space={model.kind: {choices: [mlp, knn]}}"])
    weighed = [*second, "search.space={train.second_weight: {low: 0.1, high: 10, scale: log}}"]
    assert "train.second_weight" in load_study("wine", weighed).search.space
