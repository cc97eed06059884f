"""Drift reference: features and predictions kept with a champion, to compare new rows with.

The rows are those of the train and validation splits. The predictions are those of the winning
trial on the validation split, which it was not trained on: a model is more confident on rows it
was trained on, and the final model was trained on both splits. The test split is not used.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conf.runtime.errors import BadInput
from data.card import Inputs
from tasks.evaluate.predictions import AnyPredictions
from tasks.packaging.drift_features import (
    DriftFeatures,
    DriftPredictions,
    answers_of,
    features_of,
    together,
)
from tasks.packaging.table_frame import select_rows

REFERENCE = "reference"
"""Folder beside the model: in the final training's folder, and in the champion's run."""
MOST = 2_000
FORMAT = 1


@dataclass(frozen=True)
class DriftReference:
    """Features and predictions that new rows are compared with."""

    features: DriftFeatures
    answers: DriftPredictions | None
    """None if the winning trial's predictions were gone."""


def build(parts: Sequence[Any], inputs: Inputs, said: AnyPredictions | None) -> DriftReference:
    """The reference of some parts' raw rows; at most 2,000, drawn evenly.

    Args:
        parts: raw rows of each part, as the registered model takes them.
        inputs: of the data's card.
        said: of the winning trial about the validation part.
    """
    random = np.random.default_rng(0)
    sizes = [len(part) for part in parts]
    chosen = np.sort(random.permutation(sum(sizes))[:MOST])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    some = [
        features_of(select_rows(part, chosen[(chosen >= start) & (chosen < end)] - start), inputs)
        for part, start, end in zip(parts, offsets[:-1], offsets[1:], strict=True)
    ]
    return DriftReference(together(some), None if said is None else answers_of(said))


def write(folder: Path, reference: DriftReference) -> None:
    """Write a reference as a folder, whole or not at all; an existing one is replaced."""
    scratch = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    features, answers = reference.features, reference.answers
    arrays: dict[str, Any] = {"features": features.values, "joint": features.joint}
    facts: dict[str, Any] = {"format": FORMAT, "features": features.names, "answers": None}
    if answers is not None:
        arrays["answers"] = answers.values
        facts["answers"] = answers.names
        if answers.labels is not None:
            arrays["labels"] = answers.labels
    np.savez_compressed(scratch / "rows.npz", allow_pickle=False, **arrays)
    (scratch / "reference.json").write_text(json.dumps(facts))
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def read(folder: Path) -> DriftReference:
    """Read a reference from its folder.

    Raises:
        BadInput: it is missing or damaged.
    """
    try:
        facts = json.loads((folder / "reference.json").read_text())
        with np.load(folder / "rows.npz", allow_pickle=False) as arrays:
            features = DriftFeatures(tuple(facts["features"]), arrays["features"], arrays["joint"])
            labels = arrays.get("labels")
            names = facts["answers"]
            answers = (
                None if names is None else DriftPredictions(labels, tuple(names), arrays["answers"])
            )
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder} cannot be read as a champion's reference ({error})") from error
    return DriftReference(features, answers)
