"""Pyfunc predictor of classes, labels or numbers: MLflow copies this file into the model.

It must work where this project is not installed, so it imports nothing of it. It predicts with an
exported graph (`program.pt2`, or `program.onnx` for ONNX Runtime: normalisation, network, softmax)
or a skops file, from which only the types named in the card are built: no pickle is read. The
labels of the output are in `card.json`.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

# They bound the memory of one call; the predictions do not depend on them.
ROW_BATCH = 1024
TEXT_BATCH = 64  # texts of similar length form a batch, so that little is padding


class Predictor(PythonModel):
    """Predicts the label and the probability of every class, or a number, of raw rows or texts."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the predictor and the card from the model's artifacts."""
        artifacts = context.artifacts
        self._card = json.loads(Path(artifacts["card"]).read_text())
        kind = (
            EstimatorPredictor
            if "estimator" in artifacts
            else TextPredictor
            if "tokenizer" in artifacts
            else RowPredictor
        )
        self._predictor = kind(artifacts, self._card)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,  # or an array; MLflow warns of a union type
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Label and probabilities.

        Args:
            context: given by MLflow, already read.
            model_input: raw rows in the shape of the signature, or a frame with its columns; of a
                model of texts a frame's one column.
            params: not used.

        Returns:
            A frame with the column `label` (the class's name; a number where all are numbers), or
            where a row has any number of labels the column `labels`, and a column `p_<name>` a
            class or label; of a regression the column `prediction`. Those of an auxiliary target
            are named `<its name>/...`.

        Raises:
            ValueError: the rows have another shape, or a value that the model does not accept.
        """
        said, first = self._predictor.outputs(model_input), len(self._card["labels"]) or 1
        frame = output_frame(said[:, :first], self._card)
        if second := self._card.get("second"):
            more = output_frame(said[:, first:], second).add_prefix(f"{second['name']}/")
            frame = pd.concat([frame, more], axis=1)
        return frame


def output_frame(said: np.ndarray, card: Mapping[str, Any]) -> pd.DataFrame:
    """The columns of one target from the model's outputs float32[n, k]; `card` has its labels."""
    labels = np.asarray(card["labels"])
    if not len(labels):
        return pd.DataFrame({"prediction": said[:, 0].astype(np.float64)})
    frame = pd.DataFrame(said, columns=[f"p_{name}" for name in labels])
    if card.get("between"):
        given = [labels[row >= 0.5].astype(str) for row in said]
        frame.insert(0, "labels", [card["between"].join(names) for names in given])
    else:
        frame.insert(0, "label", labels[said.argmax(axis=1)])
    return frame


def output_count(card: Mapping[str, Any]) -> int:
    """Number of outputs per row, with those of an auxiliary target."""
    return (len(card["labels"]) or 1) + (output_count(card["second"]) if "second" in card else 0)


class RowPredictor:
    """A network of numeric rows: pixels, or columns of a table."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        self._program, self._read = load_program(artifacts["program"]), RowReader(artifacts, card)
        self._outputs = output_count(card)
        # A model trained on imputed values imputes them itself.
        self._gaps = bool(card["fills"])

    def outputs(self, given: Any) -> np.ndarray:
        """float32[n, classes]: probabilities, or one column of numbers."""
        rows = np.ascontiguousarray(self._read(given, gaps=self._gaps))
        starts = range(0, len(rows), ROW_BATCH)
        parts = [self._program(rows[start : start + ROW_BATCH]) for start in starts]
        return np.concatenate(parts) if parts else np.empty((0, self._outputs), np.float32)


class EstimatorPredictor:
    """An estimator of scikit-learn, on scaled columns or on texts."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        import skops.io

        self._card, self._read = card, RowReader(artifacts, card) if "shape" in card else None
        self._estimator = skops.io.load(artifacts["estimator"], trusted=card["trusted"])
        if self._read is None:  # the n-grams are one JSON string, which is quick to load
            ngrams = json.loads(self._estimator[0].vocabulary_)
            self._estimator[0].vocabulary_ = {each: place for place, each in enumerate(ngrams)}

    def outputs(self, given: Any) -> np.ndarray:
        """float32[n, classes]: probabilities, or one column of numbers."""
        rows: Any
        if self._read is None:
            rows = texts_of(given)
        else:
            rows = self._scaled(self._read(given, gaps=self._card["fill"] is not None))
        found = np.zeros((len(rows), len(self._card["labels"]) or 1), dtype=np.float32)
        if not len(rows):
            return found
        if not self._card["labels"]:
            found[:, 0] = self._estimator.predict(rows)
        elif self._card.get("between"):  # one estimator per label
            each = [one[:, 1] for one in self._estimator.predict_proba(rows)]
            found[:] = np.stack(each, axis=1)
        else:  # 0 for classes without training rows
            found[:, self._estimator.classes_] = self._estimator.predict_proba(rows)
        return found

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the estimator was trained on them, gaps filled where it was trained so."""
        if self._card["fill"] is not None:
            rows = np.where(np.isnan(rows), np.asarray(self._card["fill"]), rows)
        shift, scale = (np.asarray(self._card[name], np.float64) for name in ("shift", "scale"))
        return ((rows - shift) / scale).astype(np.float32)


class RowReader:
    """Raw rows as the inputs of the model; named columns are encoded."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        self._card, self._columns = card, None
        if "columns" in artifacts:  # code for categorical columns, an artifact of the model
            spec = importlib.util.spec_from_file_location("columns", artifacts["columns"])
            assert spec is not None and spec.loader is not None
            self._columns = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self._columns)

    def __call__(self, given: Any, *, gaps: bool) -> np.ndarray:
        """float64[n, *shape]; `gaps`: whether values may be missing (NaN)."""
        if self._columns is None:
            rows = np.asarray(given, dtype=np.float64)
        else:
            rows = self._columns.encode(given, self._card["columns"], self._card["missing"])
        shape = tuple(self._card["shape"])
        if rows.shape[1:] != shape:
            raise ValueError(
                f"the model takes rows of shape {shape}, given {rows.shape[1:]}; "
                f"pass an array of shape (n, {', '.join(map(str, shape))})"
            )
        wrong = np.isinf(rows) if gaps else ~np.isfinite(rows)
        if wrong.any():
            raise ValueError("a value is not finite; drop or fill the row before predicting")
        return rows


def texts_of(given: Any) -> list[str]:
    """The texts in the only column of a frame."""
    frame = given if isinstance(given, pd.DataFrame) else pd.DataFrame(given)
    if frame.shape[1] != 1:
        raise ValueError(f"the model takes one column of texts, given {frame.shape[1]}")
    texts: list[str] = frame.iloc[:, 0].tolist()
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a value is not a text; drop or fill the row before predicting")
    return texts


class TextPredictor:
    """A network of tokens."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        from tokenizers import Tokenizer

        self._program, self._rules = load_program(artifacts["program"]), card["rules"]
        self._outputs = output_count(card)
        self._tokenizer = Tokenizer.from_file(artifacts["tokenizer"])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # in a text they are plain text

    def outputs(self, given: Any) -> np.ndarray:
        """float32[n, classes]: probabilities, or one column of numbers, in the texts' own order."""
        texts = texts_of(given)
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        tokens = [self._fit(one.ids) for one in found]
        out = np.empty((len(texts), self._outputs), dtype=np.float32)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        for start in range(0, len(order), TEXT_BATCH):
            rows = order[start : start + TEXT_BATCH]
            out[rows] = self._answer([tokens[row] for row in rows])
        return out

    def _answer(self, tokens: list[list[int]]) -> np.ndarray:
        longest, pad = max(len(one) for one in tokens), self._rules["pad"]
        x = np.array([one + [pad] * (longest - len(one)) for one in tokens], dtype=np.int64)
        lengths = np.array([len(one) for one in tokens])
        return self._program(x, np.arange(longest)[None, :] < lengths[:, None])

    def _fit(self, content: list[int]) -> list[int]:
        """The tokens of a text, truncated and with special tokens, as in training."""
        rules = self._rules
        before, after = rules["before"], rules["after"]
        room = max(rules["most"] - len(before) - len(after), 1)
        if len(content) > room:
            first = {"end": room, "start": 0, "middle": -(-room // 2)}[rules["cut"]]
            content = content[:first] + content[len(content) - (room - first) :]
        return [*before, *content, *after] or [rules["pad"]]


def load_program(path: str) -> Callable[..., np.ndarray]:
    """Load an exported graph as a function of arrays."""
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


mlflow.models.set_model(Predictor())
