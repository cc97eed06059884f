"""The registered model of texts as code: MLflow copies this one file into the model and runs it.

It must work where this project is absent, so it imports nothing of it. What it predicts with is
an exported graph (`program.pt2`, or `program.onnx` for ONNX Runtime: network and softmax; raw
numbers in files, no pickle), the
tokenizer's own file, and `card.json`: classes, and how tokens become what the network reads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

ROWS_AT_ONCE = 64  # texts of like length go through together, so that little is padding


class TextClassifier(PythonModel):
    """Raw texts in, one line a text out: the label, and the probability of every class."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the graph, the tokenizer and the card from the model's artifacts."""
        from tokenizers import Tokenizer

        self._program = opened(context.artifacts["program"])
        self._card = json.loads(Path(context.artifacts["card"]).read_text())
        self._tokenizer = Tokenizer.from_file(context.artifacts["tokenizer"])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Label and probabilities.

        Args:
            context: given by MLflow, already read.
            model_input: texts, in a frame's one column.
            params: none are known.

        Returns:
            A frame with the column `label` (the class's name; a number where all are numbers), or
            where a row has any number of labels the column `labels`, and a column `p_<name>` a
            class or label; of a model of numbers the column `prediction`.

        Raises:
            ValueError: a value is no text.
        """
        frame = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(model_input)
        if frame.shape[1] != 1:
            raise ValueError(f"the model takes one column of texts, given {frame.shape[1]}")
        texts = frame.iloc[:, 0].tolist()
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("a value is no text; drop or fill the row before predicting")
        probabilities = self.probabilities(texts)
        labels = np.asarray(self._card["labels"])
        if not len(labels):
            return pd.DataFrame({"prediction": probabilities[:, 0].astype(np.float64)})
        answers = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in labels])
        if self._card.get("between"):
            given = [labels[row >= 0.5].astype(str) for row in probabilities]
            answers.insert(0, "labels", [self._card["between"].join(names) for names in given])
        else:
            answers.insert(0, "label", labels[probabilities.argmax(axis=1)])
        return answers

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """float32[n, classes] in the texts' own order."""
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        tokens = [self._read(one.ids) for one in found]
        out = np.empty((len(texts), len(self._card["labels"]) or 1), dtype=np.float32)
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        for start in range(0, len(order), ROWS_AT_ONCE):
            rows = order[start : start + ROWS_AT_ONCE]
            out[rows] = self._answer([tokens[row] for row in rows])
        return out

    def _answer(self, tokens: list[list[int]]) -> np.ndarray:
        longest = max(len(one) for one in tokens)
        pad = self._card["rules"]["pad"]
        x = np.array([one + [pad] * (longest - len(one)) for one in tokens], dtype=np.int64)
        lengths = np.array([len(one) for one in tokens])
        return self._program(x, np.arange(longest)[None, :] < lengths[:, None])

    def _read(self, content: list[int]) -> list[int]:
        """The tokens of a text, cut and between the special ones, as in training."""
        rules = self._card["rules"]
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


mlflow.models.set_model(TextClassifier())
