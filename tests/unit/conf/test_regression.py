"""Numbers instead of classes: what does not go with them is refused."""

from __future__ import annotations

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadConfig


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("evaluate={objective: accuracy, metrics: [accuracy]}", "'accuracy' does not score regr"),
        ("data.task=classification", "diabetes is data for regression"),
        ("split.by=stratified", "split.by: stratified is about classes"),
        ("clean.class_floor=3", "clean.class_floor is about classes"),
        ("clean.suspects={}", "clean.suspects is about classes"),
        ("augment.mixup={}", "augment.mixup is about classes"),
        ("augment.oversample={}", "augment.oversample is about classes"),
        ("train.class_weights=balanced", "train.class_weights is about classes"),
        ("train.label_smoothing=0.1", "train.label_smoothing is about classes"),
    ],
)
def test_what_is_about_classes_is_refused(override: str, reason: str) -> None:
    with pytest.raises(BadConfig, match=reason):
        load_study("diabetes", [override])


@pytest.mark.parametrize("objective", ["rmse", "r2", "bleu"])
def test_metrics_of_numbers_do_not_score_classes(objective: str) -> None:
    with pytest.raises(BadConfig, match=f"'{objective}' does not score classification"):
        load_study("digits", [f"evaluate={{objective: {objective}, metrics: [{objective}]}}"])
