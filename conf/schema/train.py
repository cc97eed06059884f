"""Section `train`: how a trial trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.schema.base import Section


class Privacy(Section):
    """Differentially private training (DP-SGD, the extra `privacy`): each batch is drawn by chance,
    each row's gradient is clipped, and noise is added. What (epsilon, delta) holds for are the
    weights that one trial learns: not what `prepare` has fitted, nor the choice among trials. The
    noise follows from the study's seed, which has to stay as secret as the rows."""

    epsilon: Annotated[float, Field(gt=0.01, le=1_000.0)] = 8.0
    """What a full trial spends; the noise follows from it. `train/epsilon` is what was spent."""
    delta: Annotated[float, Field(gt=0.0, lt=0.1)] | None = None
    """Chance that the promise does not hold; a tenth of one row's share when absent."""
    clip: Annotated[float, Field(gt=0.0, le=1e3)] = 1.0
    """Largest norm of one row's gradient."""


class Train(Section):
    """The optimiser and its budget."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Epochs of a full trial."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Rows of one optimiser step, over all devices."""
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "adafactor"] = "adamw"
    """The optimiser; `sgd` has Nesterov's momentum of 0.9, and a step of `adafactor` is at most a
    share `lr` of a weight's own size. Biases and the scales of norms are never decayed."""
    lr: Annotated[float, Field(gt=0.0, le=10.0)] = 1e-3
    """Peak learning rate."""
    weight_decay: Annotated[float, Field(ge=0.0, le=10.0)] = 1e-4
    """Weight decay."""
    schedule: Literal["constant", "linear", "cosine", "one-cycle", "plateau"] = "cosine"
    """Course of the learning rate over the full number of epochs; `plateau` divides it by 3 when
    the training loss has not fallen by a hundredth in two epochs (not that of validation, which the
    champion's last training does without)."""
    warmup: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of all steps over which the learning rate rises to its peak; `one-cycle` has its own
    when this is 0."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the true class's probability that is given to all classes alike."""
    class_weights: Literal["none", "balanced"] = "none"
    """Whether rare classes weigh more in the loss: as much in sum as every other class. Of
    scikit-learn's estimators `knn` knows no weights, and `svm` keeps to the classes' shares in its
    probabilities."""
    second_weight: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0
    """Weight of the second answer's loss (`data.second`) beside the first's."""
    average: Literal["none", "ema", "swa"] = "none"
    """Score and keep an average of the weights: `ema`, exponential over steps, or `swa`, even over
    the second half of all steps."""
    average_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    """With `average: ema`, the share of the old average that a step keeps."""
    adversarial: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    """Train also on inputs moved so far in their worst direction: the vectors of a text's tokens
    (FGM) or the scaled pixels and features (FGSM)."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Optimiser steps of one epoch; a pass over the training part when absent."""
    patience: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Stop a trial after so many epochs without a better objective."""
    micro_batch: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Most rows that go through the model at once; gradients are summed up to `batch_size`."""
    clip: Annotated[float, Field(gt=0.0, le=1e6)] | None = None
    """Largest norm of the gradient; unlimited when absent."""
    privacy: Privacy | None = None
    """Train so that little can be learnt of any single row."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the forward pass; the weights stay float32."""
    gradient_checkpointing: bool = False
    """Keep less of the forward pass of a pre-trained network, and compute the rest again: slower,
    with room for larger micro-batches."""
    compile: bool = False
    """Compile the network with torch.compile: slow to start, faster in long trainings."""
