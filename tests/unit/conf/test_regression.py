"""Settings of classes are refused in regression."""

from __future__ import annotations

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadConfig


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("evaluate={objective: accuracy, metrics: [accuracy]}", "'accuracy' is no metric of regr"),
        ("data.task=classification", "diabetes is a data set for regression"),
        ("split.by=stratified", "split.by: stratified applies to classes"),
        ("clean.class_floor=3", "clean.class_floor applies to classes"),
        ("clean.suspects={}", "clean.suspects applies to classes"),
        ("augment.mixup={}", "augment.mixup applies to classes"),
        ("augment.oversample={}", "augment.oversample applies to classes"),
        ("train.class_weights=balanced", "train.class_weights applies to classes"),
        ("train.label_smoothing=0.1", "train.label_smoothing applies to classes"),
    ],
)
def test_class_settings_are_refused_in_regression(override: str, reason: str) -> None:
    with pytest.raises(BadConfig, match=reason):
        load_study("diabetes", [override])


@pytest.mark.parametrize("objective", ["rmse", "r2", "bleu"])
def test_regression_metrics_are_refused_in_classification(objective: str) -> None:
    with pytest.raises(BadConfig, match=f"'{objective}' is no metric of classification"):
        load_study("digits", [f"evaluate={{objective: {objective}, metrics: [{objective}]}}"])
