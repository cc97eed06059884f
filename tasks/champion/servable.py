"""The registered model as code: MLflow copies this one file into the model and runs it there.

It must work where this project is absent, so it imports nothing of it. What it predicts with is
an exported graph (`program.pt2`, or `program.onnx` for ONNX Runtime: normalisation, network,
softmax; raw numbers in files, no pickle)
and what it answers with is in `card.json`.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

ROWS_AT_ONCE = 1024  # bounds the memory of one call; the answer does not depend on it


class Classifier(PythonModel):
    """Raw rows in, one line a row out: the label, and the probability of every class."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the graph and the card from the model's artifacts."""
        self._program = opened(context.artifacts["program"])
        self._card = json.loads(Path(context.artifacts["card"]).read_text())
        self._columns = beside(context.artifacts.get("columns"))

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
        rows = self._checked(self._matrix(model_input))
        probabilities = self.probabilities(rows)
        labels = np.asarray(self._card["labels"])
        if not len(labels):
            return pd.DataFrame({"prediction": probabilities[:, 0].astype(np.float64)})
        frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in labels])
        if self._card.get("between"):
            given = [labels[row >= 0.5].astype(str) for row in probabilities]
            frame.insert(0, "labels", [self._card["between"].join(names) for names in given])
        else:
            frame.insert(0, "label", labels[probabilities.argmax(axis=1)])
        return frame

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """float32[n, classes] for raw float64 rows."""
        parts = [
            self._program(rows[start : start + ROWS_AT_ONCE])
            for start in range(0, len(rows), ROWS_AT_ONCE)
        ]
        return (
            np.concatenate(parts) if parts else np.empty((0, len(self._card["labels"]) or 1), "f4")
        )

    def _matrix(self, rows: np.ndarray | pd.DataFrame) -> np.ndarray:
        """float64[n, ...]; columns of words become an input a word."""
        if self._columns is None:
            return np.asarray(rows, dtype=np.float64)
        found: np.ndarray = self._columns.encoded(rows, self._card["names"], self._card["levels"])
        return found

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        shape = tuple(self._card["shape"])
        if rows.shape[1:] != shape:
            raise ValueError(
                f"the model takes rows of shape {shape}, given {rows.shape[1:]}; "
                f"pass an array of shape (n, {', '.join(map(str, shape))})"
            )
        # A model that was trained on filled gaps fills them itself.
        wrong = np.isinf(rows) if self._card["fills"] else ~np.isfinite(rows)
        if wrong.any():
            raise ValueError("a value is not finite; drop or fill the row before predicting")
        return np.ascontiguousarray(rows)


def beside(path: str | None) -> Any:
    """The code that reads columns of words, which a model of such brings along."""
    if path is None:
        return None
    spec = importlib.util.spec_from_file_location("columns", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def opened(path: str) -> Callable[..., np.ndarray]:
    """The graph of a file as a function of arrays."""
    if path.endswith(".onnx"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]

        def run(*arrays: np.ndarray) -> np.ndarray:
            answer: np.ndarray = session.run(None, dict(zip(names, arrays, strict=True)))[0]
            return answer

        return run
    import torch

    program = torch.export.load(path).module()

    def call(*arrays: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            answer: np.ndarray = program(*map(torch.from_numpy, arrays)).numpy()
        return answer

    return call


mlflow.models.set_model(Classifier())
