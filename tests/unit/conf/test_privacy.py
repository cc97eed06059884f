"""Conflicts with differentially private training are refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from conf.schema.study import Study

GOOD: dict[str, Any] = {
    "name": "private",
    "model": {"kind": "cnn"},
    "train": {"privacy": {"epsilon": 3.0}},
    "search": {"trials": 1},
}


def test_a_private_study_validates_and_epsilon_is_searchable() -> None:
    space = {"train.privacy.epsilon": {"low": 1.0, "high": 8.0}}
    Study.model_validate({**GOOD, "search": {"trials": 3, "space": space}})


@pytest.mark.parametrize(
    ("section", "given", "message"),
    [
        ("augment", {"mixup": {}}, "augment.mixup"),
        ("augment", {"oversample": {}}, "augment.oversample"),
        ("train", {"clip": 1.0}, "train.clip"),
        ("train", {"steps_per_epoch": 5}, "train.steps_per_epoch"),
        ("train", {"micro_batch": 8}, "train.micro_batch"),
        ("train", {"class_weights": "balanced"}, "train.class_weights"),
        ("train", {"precision": "bfloat16"}, "train.precision bfloat16"),
        ("train", {"compile": True}, "train.compile"),
        ("train", {"batch_size": 8}, "a train.batch_size below 16"),
        ("model", {"kind": "gru"}, "model.kind gru"),
        ("model", {"kind": "transformer", "tune": "full"}, "model.kind transformer .*tune frozen"),
    ],
)
def test_conflicting_settings_are_refused(
    section: str, given: dict[str, Any], message: str
) -> None:
    both = {**GOOD.get(section, {}), **given}
    with pytest.raises(ValueError, match=f"train.privacy cannot be combined with {message}"):
        Study.model_validate({**GOOD, section: both})
