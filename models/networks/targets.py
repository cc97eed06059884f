"""What the outputs of a network mean: how they are learnt, and what they say.

A row has one answer, a class, labels or a number, or a second one beside it. Both are read from one
network: of its last layer each answer has outputs, and so a linear head, of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.schema.train import Train
from data.card import AuxiliaryTarget, DataCard, TargetStatistics

Batch = dict[str, Tensor]


def output_count(card: DataCard | AuxiliaryTarget) -> int:
    """Numbers that a network gives for a row: one a class, or the one that is predicted; after them
    those of a second answer."""
    second = card.second if isinstance(card, DataCard) else None
    return (len(card.classes) or 1) + (output_count(second) if second else 0)


class ClassTarget(nn.Module):
    """A class: learnt by cross-entropy, said by a softmax."""

    weights: Tensor | None

    def __init__(
        self, smoothing: float = 0.0, weights: Tensor | None = None, target: str = "y"
    ) -> None:
        """`weights` are the classes' in the loss, `target` the batch's column of what is true."""
        super().__init__()
        self._smoothing, self._target = smoothing, target
        self.register_buffer("weights", weights, persistent=False)

    def loss(self, said: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean over rows: a row counts the same however a batch is divided."""
        each = functional.cross_entropy(
            said,
            batch[self._target],
            weight=self.weights,
            label_smoothing=self._smoothing,
            reduction="none",
        )
        return each.mean()

    def forward(self, said: Tensor) -> Tensor:
        """Probabilities (n, classes)."""
        return torch.softmax(said, dim=1)

    def columns(self, said: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """`target` (n,) and `probabilities` (n, classes) in float32."""
        return {"target": batch[self._target], "probabilities": self(said.float())}


class LabelTarget(nn.Module):
    """Any number of labels: each learnt by its own cross-entropy, said by sigmoids."""

    positive: Tensor | None

    def __init__(self, positive: Tensor | None = None) -> None:
        """`positive` is what having each label weighs against having it not."""
        super().__init__()
        self.register_buffer("positive", positive, persistent=False)

    def loss(self, said: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean over rows and labels; targets (n, labels), shares of 1 where they are blended."""
        return functional.binary_cross_entropy_with_logits(
            said.float(), batch["y"].float(), pos_weight=self.positive
        )

    def forward(self, said: Tensor) -> Tensor:
        """Probabilities (n, labels)."""
        return torch.sigmoid(said)

    def columns(self, said: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """`target` and `probabilities` (n, labels), these in float32."""
        return {"target": batch["y"], "probabilities": self(said.float())}


class NumberTarget(nn.Module):
    """A number: learnt by squared error, in deviations of the training part's targets from their
    mean, so that one range of learning rates serves all scales; said as it is."""

    shift: Tensor
    scale: Tensor

    def __init__(self, spread: TargetStatistics, target: str = "y") -> None:
        """`spread` is the card's: mean and deviation of the training part's targets; `target` the
        batch's column of what is true."""
        super().__init__()
        self._target = target
        self.register_buffer("shift", torch.tensor(spread.mean), persistent=False)
        self.register_buffer("scale", torch.tensor(spread.deviation), persistent=False)

    def loss(self, said: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean over rows of the squared error, in deviations."""
        wanted = (batch[self._target] - self.shift) / self.scale
        return functional.mse_loss(said.squeeze(1), wanted)

    def forward(self, said: Tensor) -> Tensor:
        """Numbers (n, 1)."""
        return said * self.scale + self.shift

    def columns(self, said: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """`target` and `prediction` (n,) in float32."""
        return {"target": batch[self._target], "prediction": self(said.float()).squeeze(1)}


class TwoTargets(nn.Module):
    """Two answers: the first outputs are the one's, the rest the other's."""

    def __init__(
        self,
        first: ClassTarget | LabelTarget | NumberTarget,
        outputs: int,
        second: ClassTarget | LabelTarget | NumberTarget,
        *,
        name: str,
        weight: float,
    ) -> None:
        """The first has so many outputs; `name` is the second's, `weight` that of its loss."""
        super().__init__()
        self.first, self.second = first, second
        self._outputs, self._name, self._weight = outputs, name, weight

    def loss(self, said: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """The first's, and the second's by its weight."""
        first, second = self._divided(said)
        return self.first.loss(first, batch) + self._weight * self.second.loss(second, batch)

    def forward(self, said: Tensor) -> Tensor:
        """What the first says, then what the second does, (n, outputs)."""
        first, second = self._divided(said)
        return torch.cat([self.first(first), self.second(second)], dim=1)

    def columns(self, said: Tensor, batch: Mapping[str, Tensor]) -> Batch:
        """The first's, and the second's as `<name>/...`."""
        first, second = self._divided(said)
        more = self.second.columns(second, batch)
        named = {f"{self._name}/{column}": values for column, values in more.items()}
        return self.first.columns(first, batch) | named

    def _divided(self, said: Tensor) -> tuple[Tensor, Tensor]:
        return said[:, : self._outputs], said[:, self._outputs :]


Target = ClassTarget | LabelTarget | NumberTarget | TwoTargets


def target_of(card: DataCard | None, train: Train | None = None) -> Target:
    """What a network of such data answers; the card alone says how that is served, `train` also how
    it is learnt."""
    train = train or Train()
    if card is None:
        return ClassTarget(train.label_smoothing)
    first, second = _one(card, train, "y"), card.second
    if second is None:
        return first
    outputs, other = len(card.classes) or 1, _one(second, train, "second")
    return TwoTargets(first, outputs, other, name=second.name, weight=train.second_weight)


def _one(
    card: DataCard | AuxiliaryTarget, train: Train, target: str
) -> ClassTarget | LabelTarget | NumberTarget:
    if card.target is not None:
        return NumberTarget(card.target, target)
    if not isinstance(card, DataCard) or not card.multilabel:
        return ClassTarget(train.label_smoothing, _balanced(card, train), target)
    if train.class_weights != "balanced":
        return LabelTarget()
    having = torch.tensor([*card.counts["train"].values()], dtype=torch.float32).clamp(min=1)
    return LabelTarget((card.rows.train - having).clamp(min=1) / having)


def _balanced(card: DataCard | AuxiliaryTarget, train: Train) -> Tensor | None:
    """The classes' weights where they are to be balanced."""
    counts = list(card.counts.get("train", {}).values())
    return class_weights(counts) if counts and train.class_weights == "balanced" else None


def class_weights(counts: Sequence[int]) -> Tensor:
    """A weight a class, so that all weigh the same in sum and a row weighs 1 on average."""
    rows = torch.tensor(counts, dtype=torch.float64)
    there = rows > 0
    return torch.where(there, rows.sum() / (rows.clamp(min=1) * there.sum()), 1.0).float()
