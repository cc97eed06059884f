"""The served form of a scikit-learn estimator: its skops file, and how raw numbers are scaled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.estimators.skops_io import TRUSTED, load_estimator
from tasks.packaging import pyfunc_predictor, table_frame
from tasks.packaging.package import save_model, signature_of

REQUIRED = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


def write_package(
    destination: Path,
    estimator: Path,
    answered: Mapping[str, Any],
    inputs: Mapping[str, Any],
    example: Any,
    metadata: Mapping[str, Any],
) -> Path:
    """Write the model folder, whole or not at all.

    Args:
        destination: the folder; one that is there is replaced.
        estimator: the training's skops file.
        answered: what the served code is to know of its answers (`pack.answered`).
        inputs: the card's: of tables how many features, their shift and scale, what fills gaps, and
            words.
        example: two raw rows or more.
        metadata: what the model says of itself in its `MLmodel` file.

    Returns:
        The estimator inside the package.

    Raises:
        DenseError: the file is gone, or holds no estimator of ours.
    """
    load_estimator(estimator)
    scratch = destination.with_name(f".{destination.name}.parts")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    card = {**answered, "trusted": TRUSTED}
    texts = inputs["kind"] == "text"
    if not texts:
        card |= {
            "shape": [int(inputs["features"])],
            "fill": inputs.get("fill"),
            **{name: inputs[name] for name in ("shift", "scale")},
            **table_frame.card(inputs),
        }
    (scratch / "card.json").write_text(json.dumps(card))
    save_model(
        destination,
        pyfunc_predictor,
        {"estimator": estimator, "card": scratch / "card.json", **table_frame.artifacts(card)},
        signature_of(card),
        example.tolist() if texts else example,
        REQUIRED,
        metadata,
    )
    shutil.rmtree(scratch)
    return destination / "artifacts" / estimator.name
