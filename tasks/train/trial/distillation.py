"""Knowledge distillation: train on the predictions of a teacher instead of the targets.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from conf.runtime.errors import BadInput
from data.card import DataCard
from data.encoding.tokenizer import Encoder
from data.loading.eval_loader import encoding_of
from models.modules.predictor import PredictorModule, logits
from models.networks.targets import Batch, target_of
from models.serving import load_net
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec


class Distillation(pl.Callback):
    """Replaces the targets of each batch by the teacher's predictions.

    The teacher sees the same rows as the student, after augmentation and mixup.
    """

    def __init__(self, net: nn.Module, answer: nn.Module, temperature: float) -> None:
        self._net = net.eval().requires_grad_(False)
        self._answer, self._temperature = answer, temperature

    @classmethod
    def by(
        cls, folder: Path, module: PredictorModule, spec: TrialSpec, card: DataCard
    ) -> Distillation:
        """Load the teacher, and soften the student's loss by the same temperature.

        Args:
            folder: trial folder of the teacher.
            module: the student.
            spec: the student's trial.
            card: the data set card.

        Raises:
            BadInput: the two models tokenize texts differently.
        """
        config, parts = TrialSpec.read(folder).config, Path(spec.train).parent
        theirs, ours = encoding_of(config, parts), encoding_of(spec.config, parts)
        if isinstance(theirs, Encoder) and isinstance(ours, Encoder) and not _alike(theirs, ours):
            raise BadInput(
                "the recipe distill needs two models that read texts in the same tokens, and these "
                "have other tokenizers or lengths; leave it out of champion.compress.recipes"
            )
        net = load_net(config, card, TrialFolder(folder).weights, parts)
        answer: nn.Module = target_of(card)
        if card.target is not None:
            taught = cls(net, nn.Sequential(answer, nn.Flatten(0)), 1.0)
        else:
            taught = cls(net, answer, spec.temperature)
        taught.soften(module)
        return taught

    def soften(self, module: PredictorModule) -> None:
        """Divide the student's logits by the temperature too.

        The loss is multiplied by its square, which keeps the scale of the gradients (section 2).
        """
        plain, by = module.answer.loss, self._temperature

        def softened(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
            return plain(logits / by, batch) * by**2

        module.answer.loss = softened  # type: ignore[method-assign]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Move the teacher to the student's device."""
        self._net.to(pl_module.device)

    @torch.no_grad()
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Replace the targets by the teacher's predictions."""
        batch["y"] = self._answer(logits(self._net, batch).float() / self._temperature)


def _alike(one: Encoder, other: Encoder) -> bool:
    """Whether two tokenizers turn every text into the same tokens."""
    same = one.tokenizer.to_str() == other.tokenizer.to_str()
    return same and one.rules == other.rules
