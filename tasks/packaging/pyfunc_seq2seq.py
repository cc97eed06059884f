"""Pyfunc predictor that generates text: MLflow copies this file into the model.

It must work where this project is not installed, so it imports nothing of it: the decoding is an
artifact with code, weights are safetensors, tokenizer and card are JSON. No pickle is read.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.pyfunc.model import PythonModel, PythonModelContext

TEXT_BATCH = 32  # bounds the memory of one call; the texts do not depend on it
NAME = "dense_writing"


class TextGenerator(PythonModel):
    """Generates a target text, in the column `text`, for each source text."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the network from the model's artifacts."""
        card = json.loads(Path(context.artifacts["card"]).read_text())
        kind = GruGenerator if "sizes" in card else PretrainedGenerator
        self._network = kind(context.artifacts, card)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Generate texts.

        Args:
            context: given by MLflow, already read.
            model_input: texts; MLflow passes a list or an array as a frame of one column.
            params: not used.

        Returns:
            A frame with the column `text`.

        Raises:
            ValueError: an item is not a text.
        """
        texts = np.asarray(model_input, dtype=object).reshape(-1).tolist()
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise ValueError(f"{wrong[0]!r} is not a text; pass a list of strings")
        return pd.DataFrame({"text": self.written(texts)}, dtype=object)

    def written(self, texts: list[str]) -> list[str]:
        """Generated texts in order; texts of similar length form a batch."""
        if not texts:
            return []
        tokens = self._network.read(texts)
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        answers: list[list[int]] = [[] for _ in texts]
        for start in range(0, len(order), TEXT_BATCH):
            rows = order[start : start + TEXT_BATCH]
            for row, answer in zip(rows, self._answers([tokens[r] for r in rows]), strict=True):
                answers[row] = answer
        return [text.strip() for text in self._network.tokenizer.decode_batch(answers)]

    def _answers(self, tokens: list[list[int]]) -> list[list[int]]:
        longest, pad = max(map(len, tokens)), self._network.pad
        x = torch.tensor([one + [pad] * (longest - len(one)) for one in tokens])
        lengths = torch.tensor([len(one) for one in tokens])
        return self._network.write(x, torch.arange(longest)[None, :] < lengths[:, None])


class GruGenerator:
    """A GRU trained from scratch, with the tokenizer fitted on its data."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        self._card, self._code = card, _module(artifacts["code"])
        self._net = self._code.GruNet(**card["sizes"]).eval()
        self._net.load_state_dict(load_file(artifacts["weights"]))
        self.pad: int = card["sizes"]["pad"]
        self.tokenizer = Tokenizer.from_file(artifacts["tokenizer"])

    def read(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text; the unknown token if it has none."""
        found = self.tokenizer.encode_batch_fast(texts)
        return [one.ids or [self._card["unknown"]] for one in found]

    def write(self, x: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
        """Generate tokens for tokens int64[n, length]; `mask`, bool, is false on padding."""
        names = {"longest": "longest", "beams": "beams", "penalty": "length_penalty"}
        how = {name: self._card[key] for name, key in names.items()}
        answers: list[list[int]] = self._code.write(self._net, x, mask, **how)
        return answers


class PretrainedGenerator:
    """A pre-trained network in the format of `transformers`."""

    def __init__(self, artifacts: Mapping[str, str], card: dict[str, Any]) -> None:
        import transformers
        from tokenizers import Tokenizer

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        given = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32}
        net = getattr(transformers, card["auto"]).from_pretrained(artifacts["network"], **given)
        if "adapter" in artifacts:
            import peft

            net = peft.PeftModel.from_pretrained(net, artifacts["adapter"])
        self._card, self._code, self._net = card, _module(artifacts["code"]), net.eval()
        self.pad: int = card["rules"]["pad"]
        self.tokenizer = Tokenizer.from_file(artifacts["tokenizer"])
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.encode_special_tokens = True
        added = self.tokenizer.get_added_tokens_decoder().values()
        self._special = [token.content for token in added if token.special]

    def read(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text in its prompt."""
        prompt = self._card["prompt"]
        if prompt is None:
            encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
            return [self._fit(each.ids) for each in encodings]
        return [self._fit(self._in_prompt(prompt, text)) for text in texts]

    def _in_prompt(self, prompt: str, text: str) -> list[int]:
        """Special tokens of the prompt are special tokens; in a text they are plain text."""
        if not any(token in text for token in self._special):
            return self._encoded(prompt.replace("{source}", text), plain=False)
        first, *rest = prompt.split("{source}")
        tokens = self._encoded(first, plain=False)
        for part in rest:
            tokens += self._encoded(text, plain=True) + self._encoded(part, plain=False)
        return tokens

    def _encoded(self, text: str, *, plain: bool) -> list[int]:
        self.tokenizer.encode_special_tokens = plain
        tokens: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        self.tokenizer.encode_special_tokens = True
        return tokens

    def write(self, x: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
        """Generate tokens for tokens int64[n, length]; `mask`, bool, is false on padding."""
        answers: list[list[int]] = self._code.written(self._net, x, mask, self._card["settings"])
        return answers

    def _fit(self, content: list[int]) -> list[int]:
        """The tokens of a text, truncated and with special tokens, as in training."""
        rules = self._card["rules"]
        before, after = rules["before"], rules["after"]
        room = max(rules["most"] - len(before) - len(after), 1)
        if len(content) > room:
            first = {"end": room, "start": 0, "middle": -(-room // 2)}[rules["cut"]]
            content = content[:first] + content[len(content) - (room - first) :]
        return [*before, *content, *after] or [rules["pad"]]


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module  # where a dataclass looks for its own module
    spec.loader.exec_module(module)
    return module


mlflow.models.set_model(TextGenerator())
