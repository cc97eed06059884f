"""The registered scikit-learn estimator as code: MLflow copies this one file into the model.

It must work where this project is absent, so it imports nothing of it. What it predicts with is a
skops file, of which only the types that the card names are built: no pickle is read.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext


class Classifier(PythonModel):
    """Raw rows in, one line a row out: the label, and the probability of every class."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the estimator and the card from the model's artifacts."""
        import skops.io

        self._card = json.loads(Path(context.artifacts["card"]).read_text())
        self._columns = beside(context.artifacts.get("columns"))
        self._estimator = skops.io.load(
            context.artifacts["estimator"], trusted=self._card["trusted"]
        )

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,  # or a frame; of a union MLflow would warn
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Label and probabilities.

        Args:
            context: given by MLflow, already read.
            model_input: raw rows in the shape of the signature, or a frame with its columns; any
                number of them.
            params: none are known.

        Returns:
            A frame with the column `label` (the class's name; a number where all are numbers), or
            where a row has any number of labels the column `labels`, and a column `p_<name>` a
            class or label; of a model of numbers the column `prediction`.

        Raises:
            ValueError: the rows have another shape, or hold a value that the model cannot take.
        """
        rows = self._scaled(self._matrix(model_input))
        labels = np.asarray(self._card["labels"])
        if not len(labels):
            said = self._estimator.predict(rows) if len(rows) else np.empty(0)
            return pd.DataFrame({"prediction": said.astype(np.float32).astype(np.float64)})
        probabilities = np.zeros((len(rows), len(labels)), dtype=np.float32)
        if len(rows):
            probabilities[:] = self._probabilities(rows)
        frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in labels])
        if self._card.get("between"):
            given = [labels[row >= 0.5].astype(str) for row in probabilities]
            frame.insert(0, "labels", [self._card["between"].join(names) for names in given])
        else:
            frame.insert(0, "label", labels[probabilities.argmax(axis=1)])
        return frame

    def _probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Of every class or label; 0 of classes that the estimator has not seen."""
        if self._card.get("between"):
            each = [one.predict_proba(rows)[:, 1] for one in self._estimator.estimators_]
            return np.stack(each, axis=1)
        found = np.zeros((len(rows), len(self._card["labels"])), dtype=np.float32)
        found[:, self._estimator.classes_] = self._estimator.predict_proba(rows)
        return found

    def _matrix(self, rows: np.ndarray | pd.DataFrame) -> np.ndarray:
        """float64[n, features]; columns of words become an input a word."""
        if self._columns is None:
            return np.asarray(rows, dtype=np.float64)
        found: np.ndarray = self._columns.encoded(rows, self._card["names"], self._card["levels"])
        return found

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the estimator was trained on them, gaps filled where it was trained so."""
        card = self._card
        if rows.shape[1:] != tuple(card["shape"]):
            raise ValueError(
                f"the model takes rows of shape {tuple(card['shape'])}, given {rows.shape[1:]}; "
                f"pass an array of shape (n, {', '.join(map(str, card['shape']))})"
            )
        wrong = np.isinf(rows) if card["fill"] is not None else ~np.isfinite(rows)
        if wrong.any():
            raise ValueError("a value is not finite; drop or fill the row before predicting")
        x = rows.astype(np.float32)
        if card["fill"] is not None:
            x = np.where(np.isnan(x), np.asarray(card["fill"], dtype=np.float32), x)
        shift, scale = (np.asarray(card[name], dtype=np.float32) for name in ("shift", "scale"))
        return (x - shift) / scale


def beside(path: str | None) -> Any:
    """The code that reads columns of words, which a model of such brings along."""
    if path is None:
        return None
    spec = importlib.util.spec_from_file_location("columns", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mlflow.models.set_model(Classifier())
