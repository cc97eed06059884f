"""The registered model of a study of pairs as code: MLflow copies this file into the model.

It must work where this project is absent, so it imports nothing of it: the network's own file is
an artifact and loaded from there, its weights are safetensors, its encoding is JSON. No pickle.
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

TEXTS_AT_ONCE = 64  # bounds the memory of one call; the answer does not depend on it
NAME = "dense_seq2seq_net"


class Writer(PythonModel):
    """Raw source texts in, one line a text out: the column `text` with what was written for it."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the network from the model's artifacts."""
        import sys

        import torch
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        spec = importlib.util.spec_from_file_location(NAME, context.artifacts["network"])
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = module  # where a dataclass looks for its own module
        spec.loader.exec_module(module)
        self._torch, self._network = torch, module
        self._card = json.loads(Path(context.artifacts["card"]).read_text())
        self._net = module.GruNet(**self._card["sizes"]).eval()
        self._net.load_state_dict(load_file(context.artifacts["weights"]))
        self._tokenizer = Tokenizer.from_file(context.artifacts["tokenizer"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Texts.

        Args:
            context: given by MLflow, already read.
            model_input: texts; a list or an array of them comes as a frame of one column.
            params: none are known.

        Returns:
            A frame with the column `text`.

        Raises:
            ValueError: an item is no text.
        """
        texts = np.asarray(model_input, dtype=object).reshape(-1).tolist()
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise ValueError(f"{wrong[0]!r} is no text; pass a list of strings")
        return pd.DataFrame({"text": self.written(texts)}, dtype=object)

    def written(self, texts: list[str]) -> list[str]:
        """What answers each text; texts of like length go through the network together."""
        if not texts:
            return []
        tokens = [one.ids or [self._card["unknown"]] for one in self._encoded(texts)]
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        found: list[list[int]] = [[] for _ in texts]
        for start in range(0, len(order), TEXTS_AT_ONCE):
            rows = order[start : start + TEXTS_AT_ONCE]
            for row, answer in zip(rows, self._answers([tokens[r] for r in rows]), strict=True):
                found[row] = answer
        return [text.strip() for text in self._tokenizer.decode_batch(found)]

    def _encoded(self, texts: list[str]) -> Any:
        return self._tokenizer.encode_batch_fast(texts)

    def _answers(self, tokens: list[list[int]]) -> list[list[int]]:
        torch, card = self._torch, self._card
        longest = max(map(len, tokens))
        source = torch.full((len(tokens), longest), card["sizes"]["pad"])
        mask = torch.zeros((len(tokens), longest), dtype=torch.bool)
        for row, one in enumerate(tokens):
            source[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = True
        return self._network.write(
            self._net,
            source,
            mask,
            longest=card["longest"],
            beams=card["beams"],
            penalty=card["length_penalty"],
        )


mlflow.models.set_model(Writer())
