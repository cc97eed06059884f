"""The registered model that answers with labels or a number, as code: MLflow copies this one file
into the model and runs it there.

It must work where this project is absent, so it imports nothing of it. What it predicts with is an
exported graph (`program.pt2`, or `program.onnx` for ONNX Runtime: normalisation, network, softmax)
or a skops file, of which only the types that the card names are built: no pickle is read. What it
answers with is in `card.json`.
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
from mlflow.pyfunc import PythonModel, PythonModelContext

# They bound the memory of one call; the answer does not depend on them.
ROWS_AT_ONCE = 1024
TEXTS_AT_ONCE = 64  # of like length go through together, so that little is padding


class Answering(PythonModel):
    """Raw rows or texts in, one line each out: the label, and the probability of every class."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read what predicts and the card from the model's artifacts."""
        found = context.artifacts
        self._card = json.loads(Path(found["card"]).read_text())
        kind = Estimator if "estimator" in found else Texts if "tokenizer" in found else Rows
        self._predictor = kind(found, self._card)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,  # or an array; of a union MLflow would warn
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Label and probabilities.

        Args:
            context: given by MLflow, already read.
            model_input: raw rows in the shape of the signature, or a frame with its columns; of a
                model of texts a frame's one column.
            params: none are known.

        Returns:
            A frame with the column `label` (the class's name; a number where all are numbers), or
            where a row has any number of labels the column `labels`, and a column `p_<name>` a
            class or label; of a model of numbers the column `prediction`. Those of a second answer
            are named `<its name>/...`.

        Raises:
            ValueError: the rows have another shape, or hold a value that the model cannot take.
        """
        said, first = self._predictor.said(model_input), len(self._card["labels"]) or 1
        frame = framed(said[:, :first], self._card)
        if second := self._card.get("second"):
            more = framed(said[:, first:], second).add_prefix(f"{second['name']}/")
            frame = pd.concat([frame, more], axis=1)
        return frame


def framed(said: np.ndarray, card: Mapping[str, Any]) -> pd.DataFrame:
    """The columns of one answer, of what the model gives for it; `card` has its labels."""
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


def outputs_of(card: Mapping[str, Any]) -> int:
    """Numbers that the model gives for a row."""
    return (len(card["labels"]) or 1) + (outputs_of(card["second"]) if "second" in card else 0)


class Rows:
    """A network of numbers: pixels, or a table's columns."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        self._program, self._read = opened(artifacts["program"]), Reader(artifacts, card)
        self._outputs = outputs_of(card)
        # A model that was trained on filled gaps fills them itself.
        self._gaps = bool(card["fills"])

    def said(self, given: Any) -> np.ndarray:
        """float32[n, classes]: probabilities, or one column of numbers."""
        rows = np.ascontiguousarray(self._read(given, gaps=self._gaps))
        starts = range(0, len(rows), ROWS_AT_ONCE)
        parts = [self._program(rows[start : start + ROWS_AT_ONCE]) for start in starts]
        return np.concatenate(parts) if parts else np.empty((0, self._outputs), np.float32)


class Estimator:
    """An estimator of scikit-learn, on scaled columns or on texts."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        import skops.io

        self._card, self._read = card, Reader(artifacts, card) if "shape" in card else None
        self._estimator = skops.io.load(artifacts["estimator"], trusted=card["trusted"])
        if self._read is None:  # its n-grams are one text in the file, which is quick to read
            ngrams = json.loads(self._estimator[0].vocabulary_)
            self._estimator[0].vocabulary_ = {each: place for place, each in enumerate(ngrams)}

    def said(self, given: Any) -> np.ndarray:
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
        elif self._card.get("between"):  # an estimator a label
            each = [one[:, 1] for one in self._estimator.predict_proba(rows)]
            found[:] = np.stack(each, axis=1)
        else:  # 0 of classes that the estimator has not seen
            found[:, self._estimator.classes_] = self._estimator.predict_proba(rows)
        return found

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the estimator was trained on them, gaps filled where it was trained so."""
        x = rows.astype(np.float32)
        if self._card["fill"] is not None:
            x = np.where(np.isnan(x), np.asarray(self._card["fill"], dtype=np.float32), x)
        shift, scale = (np.asarray(self._card[n], dtype=np.float32) for n in ("shift", "scale"))
        return (x - shift) / scale


class Reader:
    """Raw rows as numbers; columns of words become an input a word."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        self._card, self._columns = card, None
        if "columns" in artifacts:  # the code that reads words, which a model of such brings along
            spec = importlib.util.spec_from_file_location("columns", artifacts["columns"])
            assert spec is not None and spec.loader is not None
            self._columns = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self._columns)

    def __call__(self, given: Any, *, gaps: bool) -> np.ndarray:
        """float64[n, *shape]; `gaps` says whether a value may be missing (NaN)."""
        if self._columns is None:
            rows = np.asarray(given, dtype=np.float64)
        else:
            rows = self._columns.encoded(given, self._card["names"], self._card["levels"])
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
    """The texts of a frame's one column."""
    frame = given if isinstance(given, pd.DataFrame) else pd.DataFrame(given)
    if frame.shape[1] != 1:
        raise ValueError(f"the model takes one column of texts, given {frame.shape[1]}")
    texts: list[str] = frame.iloc[:, 0].tolist()
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a value is no text; drop or fill the row before predicting")
    return texts


class Texts:
    """A network of tokens."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        from tokenizers import Tokenizer

        self._program, self._rules = opened(artifacts["program"]), card["rules"]
        self._outputs = outputs_of(card)
        self._tokenizer = Tokenizer.from_file(artifacts["tokenizer"])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def said(self, given: Any) -> np.ndarray:
        """float32[n, classes]: probabilities, or one column of numbers, in the texts' own order."""
        texts = texts_of(given)
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        tokens = [self._fit(one.ids) for one in found]
        out = np.empty((len(texts), self._outputs), dtype=np.float32)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        for start in range(0, len(order), TEXTS_AT_ONCE):
            rows = order[start : start + TEXTS_AT_ONCE]
            out[rows] = self._answer([tokens[row] for row in rows])
        return out

    def _answer(self, tokens: list[list[int]]) -> np.ndarray:
        longest, pad = max(len(one) for one in tokens), self._rules["pad"]
        x = np.array([one + [pad] * (longest - len(one)) for one in tokens], dtype=np.int64)
        lengths = np.array([len(one) for one in tokens])
        return self._program(x, np.arange(longest)[None, :] < lengths[:, None])

    def _fit(self, content: list[int]) -> list[int]:
        """The tokens of a text, cut and between the special ones, as in training."""
        rules = self._rules
        before, after = rules["before"], rules["after"]
        room = max(rules["most"] - len(before) - len(after), 1)
        if len(content) > room:
            first = {"end": room, "start": 0, "middle": -(-room // 2)}[rules["cut"]]
            content = content[:first] + content[len(content) - (room - first) :]
        return [*before, *content, *after] or [rules["pad"]]


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


mlflow.models.set_model(Answering())
