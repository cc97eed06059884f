"""The registered model of a pre-trained writer as code: MLflow copies this file into the model.

It must work where this project is absent, so it imports nothing of it: the network is a folder as
`transformers` saves it (safetensors), how it writes is an artifact's own code, its encoding is
JSON. No pickle.
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

TEXTS_AT_ONCE = 32  # bounds the memory of one call; the answer does not depend on it


class Writer(PythonModel):
    """Raw source texts in, one line a text out: the column `text` with what was written for it."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the network from the model's artifacts."""
        import torch
        import transformers
        from tokenizers import Tokenizer

        spec = importlib.util.spec_from_file_location("dense_written", context.artifacts["code"])
        assert spec is not None and spec.loader is not None
        self._code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._code)
        self._torch = torch
        self._card = json.loads(Path(context.artifacts["card"]).read_text())
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        auto = getattr(transformers, self._card["auto"])
        given = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32}
        net = auto.from_pretrained(context.artifacts["network"], **given)
        if "adapter" in context.artifacts:
            import peft

            net = peft.PeftModel.from_pretrained(net, context.artifacts["adapter"])
        self._net = net.eval()
        self._tokenizer = Tokenizer.from_file(context.artifacts["tokenizer"])
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

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
        asked = texts
        if self._card["prompt"] is not None:
            asked = [self._card["prompt"].replace("{source}", text) for text in texts]
        found = self._tokenizer.encode_batch(asked, add_special_tokens=False)
        tokens = [self._read(one.ids) for one in found]
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        answers: list[list[int]] = [[] for _ in texts]
        for start in range(0, len(order), TEXTS_AT_ONCE):
            rows = order[start : start + TEXTS_AT_ONCE]
            for row, answer in zip(rows, self._answers([tokens[r] for r in rows]), strict=True):
                answers[row] = answer
        return [text.strip() for text in self._tokenizer.decode_batch(answers)]

    def _answers(self, tokens: list[list[int]]) -> list[list[int]]:
        longest = max(map(len, tokens))
        pad = self._card["rules"]["pad"]
        x = self._torch.tensor([one + [pad] * (longest - len(one)) for one in tokens])
        lengths = self._torch.tensor([len(one) for one in tokens])
        mask = self._torch.arange(longest)[None, :] < lengths[:, None]
        answers: list[list[int]] = self._code.written(self._net, x, mask, self._card["settings"])
        return answers

    def _read(self, content: list[int]) -> list[int]:
        """The tokens of a text, cut and between the special ones, as in training."""
        rules = self._card["rules"]
        before, after = rules["before"], rules["after"]
        room = max(rules["most"] - len(before) - len(after), 1)
        if len(content) > room:
            first = {"end": room, "start": 0, "middle": -(-room // 2)}[rules["cut"]]
            content = content[:first] + content[len(content) - (room - first) :]
        return [*before, *content, *after] or [rules["pad"]]


mlflow.models.set_model(Writer())
