"""Drift reference: features and predictions kept with a champion, to compare new rows with.

The rows are those of the train and validation splits. The predictions are those of the winning
trial on the validation split, which it was not trained on: a model is more confident on rows it
was trained on, and the final model was trained on both splits. The test split is not used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conf.runtime.atomic_write import atomic_path
from conf.runtime.errors import BadInput
from data.card import Inputs
from tasks.evaluate.predictions import AnyPredictions
from tasks.packaging.drift_features import (
    DriftFeatures,
    DriftPredictions,
    answers_of,
    concatenate,
    features_of,
)
from tasks.packaging.table_frame import select_rows

REFERENCE = "reference"
"""Folder beside the model: in the final training's folder, and in the champion's run."""
MOST = 2_000
FORMAT = 1
OLD_GAP = np.float32(-1e30)
"""A missing value in references written before version 0.2, which `joint` holds filled in."""


@dataclass(frozen=True)
class DriftReference:
    """Features and predictions that new rows are compared with."""

    features: DriftFeatures
    answers: DriftPredictions | None
    """None if the winning trial's predictions were gone."""


def build(
    splits: Sequence[Any], inputs: Inputs, predictions: AnyPredictions | None
) -> DriftReference:
    """The reference made from the raw rows of some splits; at most 2,000, drawn evenly.

    Args:
        splits: raw rows of each split, as the registered model takes them.
        inputs: of the data set card.
        predictions: of the winning trial on the validation split.
    """
    random = np.random.default_rng(0)
    sizes = [len(rows) for rows in splits]
    chosen = np.sort(random.permutation(sum(sizes))[:MOST])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    some = [
        features_of(select_rows(rows, chosen[(chosen >= start) & (chosen < end)] - start), inputs)
        for rows, start, end in zip(splits, offsets[:-1], offsets[1:], strict=True)
    ]
    return DriftReference(
        concatenate(some), None if predictions is None else answers_of(predictions)
    )


def write(folder: Path, reference: DriftReference) -> None:
    """Write a reference as a folder, whole or not at all; an existing one is replaced."""
    features, answers = reference.features, reference.answers
    arrays: dict[str, Any] = {"features": features.values, "joint": features.joint}
    facts: dict[str, Any] = {"format": FORMAT, "features": features.names, "answers": None}
    if answers is not None:
        arrays["answers"] = answers.values
        facts["answers"] = answers.names
        if answers.labels is not None:
            arrays["labels"] = answers.labels
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        np.savez_compressed(temporary / "rows.npz", allow_pickle=False, **arrays)
        (temporary / "reference.json").write_text(json.dumps(facts))


def read(folder: Path) -> DriftReference:
    """Read a reference from its folder.

    Raises:
        BadInput: it is missing or damaged.
    """
    try:
        facts = json.loads((folder / "reference.json").read_text())
        with np.load(folder / "rows.npz", allow_pickle=False) as arrays:
            values, joint = arrays["features"], arrays["joint"]
            if (gaps := values == OLD_GAP).any():
                values = np.where(gaps, joint, values)
            features = DriftFeatures(tuple(facts["features"]), values, joint)
            labels = arrays.get("labels")
            names = facts["answers"]
            answers = (
                None if names is None else DriftPredictions(labels, tuple(names), arrays["answers"])
            )
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder} cannot be read as a champion's reference ({error})") from error
    return DriftReference(features, answers)
