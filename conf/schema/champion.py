"""Sections `champion` and `monitor`: the gate, compression and registration of the best model, and
drift alarms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.schema.base import Recipe, Section
from conf.schema.behaviour import Behaviour
from conf.schema.evaluate import MetricName

ModelName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$")]


class Gate(Section):
    """Conditions that a final model must meet on the test split before the alias moves to it."""

    minimum: dict[MetricName, float] = Field(default_factory=dict)
    """Smallest value of each metric; the largest for metrics that are minimised."""
    class_recall: Annotated[float, Field(ge=0, le=1)] | None = None
    """Smallest recall of every class."""
    no_loss: bool = True
    """Refuse a model that is significantly worse (95 %, paired by row) than the current
    champion."""
    invariance: Annotated[float, Field(ge=0, le=1)] | None = None
    """Smallest share of rows whose label stays the same under the study's own augmentations."""
    behaviour: Behaviour = Behaviour()
    """Directional expectations that predictions must meet."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """Largest latency for one row, in milliseconds: 95th percentile, on one thread."""
    size_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest size of the registered model, in megabytes."""


class Compress(Section):
    """What `dense compress` tries, and what it may cost."""

    recipes: tuple[Recipe, ...] = ("int8", "onnx", "onnx-int8")
    """`int8`: weight-only quantisation to 8 bits, one scale for each channel. `onnx`: the graph run
    by ONNX Runtime (extra `onnx`). `onnx-int8`: ONNX with 8-bit arithmetic. `prune`: magnitude
    pruning, after which the remaining weights are fine-tuned. `narrow`: structured pruning of the
    weakest channels or units of a `cnn` or `mlp`, then fine-tuning. `distill`: knowledge
    distillation from the champion into the settings of a smaller trial (arXiv:1503.02531)."""
    sparsity: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Share of the weights that `prune` removes."""
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the channels or units that `narrow` keeps."""
    recover: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Epochs of fine-tuning after `prune` and `narrow`, with the settings of the original
    training."""
    student: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Most parameters of the student of `distill`, as a share of the champion's: the best trial
    within this limit lends its settings."""
    temperature: Annotated[float, Field(ge=1, le=100)] = 2.0
    """Softmax temperature of `distill`; higher values give more weight to the less likely
    classes."""
    loss: Annotated[float, Field(ge=0)] = 0.01
    """Largest acceptable loss of the objective on the validation split."""
    prefer: Literal["size", "latency"] = "size"
    """Which of the acceptable models to choose: the smallest, or the one with the lowest latency
    for one row (95th percentile)."""


class ChampionSettings(Section):
    """How the best trial becomes a registered model."""

    enabled: bool = True
    """Whether to train and register a champion; otherwise a run ends with the search."""
    model: ModelName | None = None
    """Registered model that the champion competes for; the study's name when absent."""
    seconds: Annotated[float, Field(gt=0)] = 600.0
    """Time limit in seconds for scoring the final model on the test split."""
    retest: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of best trials that are trained again on new seeds; 1: no re-test."""
    repeats: Annotated[int, Field(ge=2, le=32)] = 3
    """New seeds of each re-tested trial."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.4
    """Significance level of the one-sided paired test: re-tested trials that are not significantly
    worse tie."""
    gate: Gate = Gate()
    """Conditions that the final model must meet."""
    explain: Annotated[int, Field(ge=0, le=50)] = 3
    """Number of right and of wrong test predictions that the report explains when a champion is
    scored: networks of texts and images by Captum (extra `dense[explain]`); 0: none."""
    compress: Compress = Compress()
    """Compression of the champion by `dense compress`."""


class Monitor(Section):
    """Drift monitoring of the champion (`dense monitor`)."""

    alpha: Annotated[float, Field(ge=0.001, lt=0.5)] = 0.01
    """Probability of a false alarm in one check, over all tests together."""
    effect: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Smallest distance between two distributions that matters (Kolmogorov-Smirnov statistic, 0 to
    1): a smaller drift raises no alarm even if it is significant."""
    rows: Annotated[int, Field(ge=10, le=1_000_000)] = 50
    """New rows that a check waits for; fewer have too little statistical power."""
