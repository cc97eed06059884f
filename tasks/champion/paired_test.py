"""Paired comparison of a final model with the champion, on the same rows of the test split."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conf.runtime.errors import DenseError
from tasks.evaluate.evaluation import Interval
from tasks.evaluate.paired import paired_difference
from tasks.evaluate.predictions import AnyPredictions, read
from tasks.packaging.records import Candidate, Incumbent

if TYPE_CHECKING:
    from mlflow import MlflowClient

SAVED = "test/predictions.parquet"


def gain_over_champion(
    client: MlflowClient,
    candidate: Candidate,
    predictions: AnyPredictions,
    incumbent: Incumbent | None,
) -> tuple[str, Interval] | None:
    """The champion's version, and the candidate's improvement over it on the test split.

    Returns:
        Version, and difference of the objective with its 95 % interval (positive: the candidate is
        better). None if there is no champion, or if it was scored on other data.

    Raises:
        DenseError: the champion's predictions cannot be read from its run, or are of other rows.
    """
    if incumbent is None or incumbent.data != candidate.data:
        return None
    champions = champion_predictions(client, incumbent)
    if not np.array_equal(champions.ids, predictions.ids):
        raise DenseError(
            f"the test predictions of version {incumbent.version} are of other rows than this test "
            "split; to skip the comparison set champion.gate.no_loss=false"
        )
    sign = 1.0 if candidate.config.evaluate.direction == "minimize" else -1.0
    section = candidate.config.evaluate
    gain = paired_difference(
        candidate.objective, champions, predictions, sign=sign, evaluate=section
    )
    return incumbent.version, gain


def champion_predictions(client: MlflowClient, incumbent: Incumbent) -> AnyPredictions:
    """The champion's predictions on the test split, downloaded from its run."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            return read(Path(client.download_artifacts(incumbent.run_id, SAVED, folder)))
        except (MlflowException, OSError) as error:
            raise DenseError(
                f"the test predictions of version {incumbent.version} cannot be read from its run "
                f"{incumbent.run_id} ({error}); to skip the comparison set "
                "champion.gate.no_loss=false"
            ) from error
