"""The LightningModule of a network that writes texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from tokenizers import Tokenizer
from torch import Tensor

from conf.model import Gru
from conf.study import TrialConfig
from models.optimizers import build_optimizer, build_schedule
from models.seq2seq_net import GruNet, beam, greedy

TOKENIZER = "tokenizer.json"
"""The encoding of the prepared texts, beside the parts."""


def sizes(model: Gru, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a `GruNet` is built from, as plain numbers; `inputs` is the card's."""
    return {
        "vocabulary": int(inputs["vocabulary"]),
        "width": model.width,
        "layers": model.layers,
        "dropout": model.dropout,
        **{name: int(inputs[name]) for name in ("pad", "start", "end")},
    }


class Seq2Seq(pl.LightningModule):
    """Trains `net` to continue targets that it is given; validates by writing texts itself."""

    def __init__(
        self,
        net: GruNet,
        config: TrialConfig,
        inputs: Mapping[str, Any],
        total_steps: int,
        tokenizer: Path,
    ) -> None:
        """`tokenizer` is the file that tokens become texts by, read when texts are written."""
        super().__init__()
        assert isinstance(config.model, Gru)
        self.net = net
        self._model, self._train_config = config.model, config.train
        self._searches = config.evaluate.texts.search == "beam"
        self._longest = int(inputs["longest"])
        # The loss of a row is a sum over its tokens; this keeps it near the mean a token, and the
        # same however a batch is divided.
        self._usual = float(inputs["lengths"]["target"]["median"]) + 1.0
        self._total_steps = total_steps
        self._tokenizer_file = tokenizer
        self._tokenizer: Tokenizer | None = None
        self.loss_weight = 1.0
        """Set before each training step by who divides batches (`tasks.train.batches`)."""

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Mean loss of a batch, times its weight among those of an optimiser step."""
        memory = self.net.encode(batch["x"], batch["mask"])
        losses = self.net.losses(memory, batch["y"], batch["y_mask"], self._model.smoothing)
        return losses.mean() / self._usual * self.loss_weight

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, Any]:
        """`id`, `reference` and `hypothesis` as texts, and `loss` (the sum over a target's tokens,
        in nats) with `tokens`."""
        memory = self.net.encode(batch["x"], batch["mask"])
        if self._searches and self._model.beams > 1:
            found = beam(
                self.net, memory, self._longest, self._model.beams, self._model.length_penalty
            )
        else:
            found = greedy(self.net, memory, self._longest)
        return {
            "id": batch["id"],
            "reference": batch["reference"],
            "hypothesis": self._texts(found),
            "loss": self.net.losses(memory, batch["y"], batch["y_mask"], 0.0),
            "tokens": batch["y_mask"][:, 1:].sum(dim=1),
        }

    def predict_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, Any]:
        """As `validation_step`."""
        return self.validation_step(batch, batch_idx)

    def _texts(self, tokens: list[list[int]]) -> list[str]:
        if self._tokenizer is None:
            self._tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        return [text.strip() for text in self._tokenizer.decode_batch(tokens)]

    def configure_optimizers(self) -> dict[str, Any]:
        """The optimiser, and its schedule by step."""
        optimizer = build_optimizer(self._train_config, self.parameters())
        schedule = build_schedule(self._train_config, optimizer, self._total_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
