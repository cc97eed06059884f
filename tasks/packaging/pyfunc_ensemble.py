"""Pyfunc predictor of an ensemble: MLflow copies this file into the model.

It must work where this project is not installed, so it imports nothing of it. The members are
MLflow models, each in a folder of its own; `card.json` has their weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class EnsemblePredictor(PythonModel):
    """Predicts the weighted mean of the members' probabilities or numbers."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the members and the card from the model's artifacts."""
        self._card = json.loads(Path(context.artifacts["card"]).read_text())
        self._members = [
            mlflow.pyfunc.load_model(context.artifacts[name]) for name in self._card["members"]
        ]

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,  # or an array; MLflow warns of a union type
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Predict the label and probabilities, or the number.

        Args:
            context: given by MLflow, already read.
            model_input: raw rows as every member takes them.
            params: not used.

        Returns:
            A frame with the column `label`, or where a row has any number of labels `labels`, and
            a column `p_<name>` a class; of a model of numbers the column `prediction`.

        Raises:
            ValueError: a member does not accept the rows; the message is the member's.
        """
        answers = [member.predict(model_input) for member in self._members]
        weights = np.asarray(self._card["weights"], dtype=np.float64)
        labels = np.asarray(self._card["labels"])
        names = [f"p_{name}" for name in labels] if len(labels) else ["prediction"]
        outputs = np.stack([each[names].to_numpy(dtype=np.float64) for each in answers])
        mean = np.tensordot(weights, outputs, axes=1)
        if not len(labels):
            return pd.DataFrame({"prediction": mean[:, 0]})
        frame = pd.DataFrame(mean.astype(np.float32), columns=names)
        if self._card.get("between"):
            given = [labels[row >= 0.5].astype(str) for row in mean]
            frame.insert(0, "labels", [self._card["between"].join(names) for names in given])
        else:
            frame.insert(0, "label", labels[mean.argmax(axis=1)])
        return frame


mlflow.models.set_model(EnsemblePredictor())
