"""A final model against the champion, on the same rows of the test part."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conf.runtime.errors import DenseError
from tasks.evaluate.evaluation import Interval
from tasks.evaluate.paired import paired
from tasks.evaluate.predictions import Said, read
from tasks.packaging.records import Candidate, Incumbent

if TYPE_CHECKING:
    from mlflow import MlflowClient

SAVED = "test/predictions.parquet"


def improvement(
    client: MlflowClient, candidate: Candidate, predictions: Said, held: Incumbent | None
) -> tuple[str, Interval] | None:
    """The champion's version, and how much better than it the candidate is on the test part.

    None where there is no champion, or it was scored on other data.

    Raises:
        DenseError: the champion's predictions are gone from its run.
    """
    if held is None or held.data != candidate.data:
        return None
    theirs = saved_predictions(client, held)
    if not np.array_equal(theirs.ids, predictions.ids):
        raise DenseError(
            f"the predictions of version {held.version} are of other rows than the test part's; "
            "compare without them: champion.gate.no_loss=false"
        )
    sign = 1.0 if candidate.config.evaluate.direction == "minimize" else -1.0
    section = candidate.config.evaluate
    gained = paired(candidate.objective, theirs, predictions, sign=sign, evaluate=section)
    return held.version, gained


def saved_predictions(client: MlflowClient, held: Incumbent) -> Said:
    """What the champion said about the test part, from its run."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            return read(Path(client.download_artifacts(held.run_id, SAVED, folder)))
        except (MlflowException, OSError) as error:
            raise DenseError(
                f"the test predictions of version {held.version} cannot be read from its run "
                f"{held.run_id} ({error}); compare without them: champion.gate.no_loss=false"
            ) from error
