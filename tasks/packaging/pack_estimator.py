"""The packer of scikit-learn estimators: their skops file, and how raw numbers are scaled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.card import Inputs, TableInputs
from models.estimators.skops_io import TRUSTED, load_estimator
from tasks.packaging import pyfunc_predictor, table_frame
from tasks.packaging.package import ModelFiles, output_card, signature_of
from tasks.packaging.packer import PackJob
from tasks.train.folder import TrialFolder

if TYPE_CHECKING:
    from tasks.packaging.table_frame import RawValues

REQUIRED = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


class EstimatorPacker:
    """Copies the estimator as it was saved by the training."""

    def files(self, job: PackJob, scratch: Path) -> ModelFiles:
        """The skops file and the card."""
        return estimator_files(
            TrialFolder(job.folder).estimator,
            output_card(job.card),
            job.card.inputs,
            job.example(),
            scratch,
        )


def estimator_files(
    estimator: Path,
    output: Mapping[str, Any],
    inputs: Inputs,
    example: RawValues,
    scratch: Path,
) -> ModelFiles:
    """The files of an estimator; `card.json` is written to a scratch folder.

    Args:
        estimator: the training's skops file.
        output: what `package.output_card` returns.
        inputs: of the data set card.
        example: two raw rows or more.
        scratch: an existing folder.

    Raises:
        DenseError: the file is missing, or holds another type of estimator.
    """
    load_estimator(estimator)
    card = {**output, "trusted": TRUSTED}
    texts = not isinstance(inputs, TableInputs)
    if isinstance(inputs, TableInputs):
        card |= {
            "shape": [inputs.features],
            "fill": inputs.fill,
            "shift": inputs.shift,
            "scale": inputs.scale,
            **table_frame.card(inputs),
        }
    path = scratch / "card.json"
    path.write_text(json.dumps(card))
    return ModelFiles(
        code=pyfunc_predictor,
        artifacts={"estimator": estimator, "card": path, **table_frame.artifacts(card)},
        signature=signature_of(card),
        example=example.tolist() if texts else example,
        required=REQUIRED,
        weights=estimator.name,
    )
