"""The registered model of texts as code: MLflow copies this one file into the model and runs it.

It must work where this project is absent, so it imports nothing of it. What it predicts with is
an exported graph (`program.pt2`: network and softmax; raw numbers in files, no pickle), the
tokenizer's own file, and `card.json`: classes, and how tokens become what the network reads.
"""

from __future__ import annotations

import json
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
        import torch
        from tokenizers import Tokenizer

        self._torch = torch
        self._program = torch.export.load(context.artifacts["program"]).module()
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
            A frame with the column `label` (the class's name; a number where all are numbers) and
            a column `p_<name>` a class; of a model of numbers the column `prediction`.

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
        x = self._torch.tensor([one + [pad] * (longest - len(one)) for one in tokens])
        lengths = self._torch.tensor([len(one) for one in tokens])
        mask = self._torch.arange(longest)[None, :] < lengths[:, None]
        with self._torch.inference_mode():
            found: np.ndarray = self._program(x, mask).numpy()
        return found

    def _read(self, content: list[int]) -> list[int]:
        """The tokens of a text, cut and between the special ones, as in training."""
        rules = self._card["rules"]
        before, after = rules["before"], rules["after"]
        room = max(rules["most"] - len(before) - len(after), 1)
        if len(content) > room:
            first = {"end": room, "start": 0, "middle": -(-room // 2)}[rules["cut"]]
            content = content[:first] + content[len(content) - (room - first) :]
        return [*before, *content, *after] or [rules["pad"]]


mlflow.models.set_model(TextClassifier())
