"""Section `train`: how a trial trains."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.schema.base import Section


class DifferentialPrivacy(Section):
    """Differentially private training (DP-SGD, Abadi et al. 2016, arXiv:1607.00133; extra
    `privacy`): batches are Poisson samples, each row's gradient is clipped, and noise is added. The
    guarantee (epsilon, delta) covers the weights that one trial learns, not what `prepare` fits nor
    the selection among trials. The noise follows from the study's seed, which must stay as secret
    as the rows."""

    epsilon: Annotated[float, Field(gt=0.01, le=1_000.0)] = 8.0
    """Privacy budget of a full trial, which determines the noise. `train/epsilon` is the budget
    spent so far."""
    delta: Annotated[float, Field(gt=0.0, lt=0.1)] | None = None
    """Probability that the guarantee does not hold; a tenth of one row's share when absent."""
    clip: Annotated[float, Field(gt=0.0, le=1e3)] = 1.0
    """Largest norm of one row's gradient."""


class Train(Section):
    """The optimiser and its budget."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Epochs of a full trial."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Rows of one optimiser step, over all devices."""
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "adafactor"] = "adamw"
    """Optimiser. `sgd` uses Nesterov momentum 0.9; `adamw` decouples weight decay
    (arXiv:1711.05101); a step of `adafactor` (arXiv:1804.04235) is at most a share `lr` of a
    weight's norm. Biases and normalisation scales are never decayed."""
    lr: Annotated[float, Field(gt=0.0, le=10.0)] = 1e-3
    """Peak learning rate."""
    weight_decay: Annotated[float, Field(ge=0.0, le=10.0)] = 1e-4
    """Weight decay."""
    schedule: Literal["constant", "linear", "cosine", "one-cycle", "plateau"] = "cosine"
    """Learning-rate schedule over all epochs: `cosine` (arXiv:1608.03983), `one-cycle`
    (arXiv:1708.07120); `plateau` divides the rate by 3 when the training loss has not improved by 1
    % within two epochs (the validation loss is not used, because the final training of the champion
    has no validation split)."""
    warmup: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of all steps over which the learning rate rises to its peak; `one-cycle` has its own
    default when this is 0."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Label smoothing (arXiv:1512.00567): share of the true class's probability that is spread over
    all classes."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: weigh classes in the loss inversely to their frequency. Among scikit-learn's
    estimators, `knn` ignores class weights, and the calibrated probabilities of `svm` keep the
    class frequencies."""
    second_weight: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0
    """Weight of the auxiliary target's loss (`data.second`) relative to the main loss."""
    average: Literal["none", "ema", "swa"] = "none"
    """Weight averaging: evaluate and keep an average of the weights, either exponential over steps
    (`ema`) or uniform over the second half of the steps (`swa`, arXiv:1803.05407)."""
    average_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    """Decay of `average: ema`: share of the old average that a step keeps."""
    adversarial: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    """Adversarial training: train also on inputs perturbed by this much in the direction of the
    gradient: token embeddings (FGM, arXiv:1605.07725), or scaled pixels and features (FGSM,
    arXiv:1412.6572)."""
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Optimiser steps of an epoch; one pass over the training split when absent."""
    patience: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Early stopping: epochs without an improvement of the objective after which a trial ends."""
    micro_batch: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Largest micro-batch; gradients are accumulated up to `batch_size`."""
    clip: Annotated[float, Field(gt=0.0, le=1e6)] | None = None
    """Gradient clipping: largest norm of the gradient; no clipping when absent."""
    privacy: DifferentialPrivacy | None = None
    """Differentially private training."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the forward pass (mixed precision); weights stay float32."""
    gradient_checkpointing: bool = False
    """Gradient checkpointing (arXiv:1604.06174) in a pre-trained network: recompute activations in
    the backward pass, which saves memory and costs time."""
    compile: bool = False
    """Compile the network with torch.compile: slow to start, faster in long trainings."""
