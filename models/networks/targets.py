"""Targets of a network: the loss, the predictions and the output columns of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.schema.augment import Oversample
from conf.schema.train import Train
from data.card import AuxiliaryTargetCard, DataCard, TargetStatistics
from data.transforms.oversample import sampled_counts

Batch = dict[str, Tensor]


def output_count(card: DataCard | AuxiliaryTargetCard) -> int:
    """Number of outputs of a network: one for each class, or one for a number; then those of the
    auxiliary target."""
    second = card.second if isinstance(card, DataCard) else None
    return (len(card.classes) or 1) + (output_count(second) if second else 0)


class ClassTarget(nn.Module):
    """One class: cross-entropy loss, optionally with label smoothing (arXiv:1512.00567), and
    softmax."""

    weights: Tensor | None

    def __init__(
        self, smoothing: float = 0.0, weights: Tensor | None = None, target: str = "y"
    ) -> None:
        """`weights` are the classes' weights in the loss, `target` is the batch's key of the true
        class."""
        super().__init__()
        self._smoothing, self._target = smoothing, target
        self.register_buffer("weights", weights, persistent=False)

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean loss over rows. It is not divided by the sum of weights: a row counts the same in
        every micro-batch."""
        each = functional.cross_entropy(
            logits,
            batch[self._target],
            weight=self.weights,
            label_smoothing=self._smoothing,
            reduction="none",
        )
        return each.mean()

    def forward(self, logits: Tensor) -> Tensor:
        """Probabilities of shape (n, classes)."""
        return torch.softmax(logits, dim=1)

    def columns(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """`target` of shape (n,) and `probabilities` of shape (n, classes), float32."""
        return {"target": batch[self._target], "probabilities": self(logits.float())}


class LabelTarget(nn.Module):
    """Any number of labels (multilabel): binary cross-entropy for each label, and sigmoid."""

    positive: Tensor | None

    def __init__(self, positive: Tensor | None = None) -> None:
        """`positive` is the weight of the positive rows of each label."""
        super().__init__()
        self.register_buffer("positive", positive, persistent=False)

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean loss over rows and labels; targets of shape (n, labels), fractional where rows are
        blended."""
        return functional.binary_cross_entropy_with_logits(
            logits.float(), batch["y"].float(), pos_weight=self.positive
        )

    def forward(self, logits: Tensor) -> Tensor:
        """Probabilities of shape (n, labels)."""
        return torch.sigmoid(logits)

    def columns(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """`target` and `probabilities` of shape (n, labels); the latter float32."""
        return {"target": batch["y"], "probabilities": self(logits.float())}


class NumberTarget(nn.Module):
    """A number: squared error of the standardised target, so that one range of learning rates fits
    every scale."""

    shift: Tensor
    scale: Tensor

    def __init__(self, spread: TargetStatistics, target: str = "y") -> None:
        """`spread` is from the data card: mean and standard deviation in the training split;
        `target` is the batch's key of the true number."""
        super().__init__()
        self._target = target
        self.register_buffer("shift", torch.tensor(spread.mean), persistent=False)
        self.register_buffer("scale", torch.tensor(spread.deviation), persistent=False)

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean squared error over rows, in squared standard deviations."""
        standardised = (batch[self._target] - self.shift) / self.scale
        return functional.mse_loss(logits.squeeze(1), standardised)

    def forward(self, logits: Tensor) -> Tensor:
        """Predictions of shape (n, 1), in original units."""
        return logits * self.scale + self.shift

    def columns(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """`target` and `prediction` of shape (n,), float32."""
        return {"target": batch[self._target], "prediction": self(logits.float()).squeeze(1)}


class TwoTargets(nn.Module):
    """A main and an auxiliary target, which share the network: the first outputs belong to the main
    target, the others to the auxiliary one."""

    def __init__(
        self,
        first: ClassTarget | LabelTarget | NumberTarget,
        outputs: int,
        second: ClassTarget | LabelTarget | NumberTarget,
        *,
        name: str,
        weight: float,
    ) -> None:
        """`outputs` is the number of the main target's outputs; `name` and `weight` are the
        auxiliary target's column prefix and loss weight."""
        super().__init__()
        self.first, self.second = first, second
        self._outputs, self._name, self._weight = outputs, name, weight

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Main loss plus the weighted auxiliary loss."""
        first, second = self._divided(logits)
        return self.first.loss(first, batch) + self._weight * self.second.loss(second, batch)

    def forward(self, logits: Tensor) -> Tensor:
        """Predictions of the main, then of the auxiliary target, of shape (n, outputs)."""
        first, second = self._divided(logits)
        return torch.cat([self.first(first), self.second(second)], dim=1)

    def columns(self, logits: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """Columns of the main target, and those of the auxiliary target as `<name>/...`."""
        first, second = self._divided(logits)
        more = self.second.columns(second, batch)
        named = {f"{self._name}/{column}": values for column, values in more.items()}
        return self.first.columns(first, batch) | named

    def _divided(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        return logits[:, : self._outputs], logits[:, self._outputs :]


Target = ClassTarget | LabelTarget | NumberTarget | TwoTargets


def target_of(
    card: DataCard | None, train: Train | None = None, oversample: Oversample | None = None
) -> Target:
    """The target of a study. The data card alone determines its predictions; `train` adds label
    smoothing, class weights and the auxiliary weight to its loss. Class weights count rows as
    `oversample` has them in an epoch, so that a rare class is not corrected for twice."""
    train = train or Train()
    if card is None:
        return ClassTarget(train.label_smoothing)
    first, second = _one(card, train, "y", oversample), card.second
    if second is None:
        return first
    outputs, other = len(card.classes) or 1, _one(second, train, "second")
    return TwoTargets(first, outputs, other, name=second.name, weight=train.second_weight)


def _one(
    card: DataCard | AuxiliaryTargetCard,
    train: Train,
    target: str,
    oversample: Oversample | None = None,
) -> ClassTarget | LabelTarget | NumberTarget:
    if card.target is not None:
        return NumberTarget(card.target, target)
    if not isinstance(card, DataCard) or not card.multilabel:
        return ClassTarget(train.label_smoothing, _balanced(card, train, oversample), target)
    if train.class_weights != "balanced":
        return LabelTarget()
    positives = torch.tensor([*card.counts["train"].values()], dtype=torch.float32).clamp(min=1)
    return LabelTarget((card.rows.train - positives).clamp(min=1) / positives)


def _balanced(
    card: DataCard | AuxiliaryTargetCard, train: Train, oversample: Oversample | None
) -> Tensor | None:
    """Class weights, if `train.class_weights` is balanced."""
    counts = sampled_counts(list(card.counts.get("train", {}).values()), oversample)
    return class_weights(counts) if counts and train.class_weights == "balanced" else None


def class_weights(counts: Sequence[int]) -> Tensor:
    """Weights inversely proportional to class frequency, 1 for a row on average."""
    rows = torch.tensor(counts, dtype=torch.float64)
    present = rows > 0
    return torch.where(present, rows.sum() / (rows.clamp(min=1) * present.sum()), 1.0).float()
