"""Sections `champion` and `monitor`: the gate, compression, registration, and drift alarms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.schema.base import Recipe, Section
from conf.schema.behaviour import Behaviour
from conf.schema.evaluate import MetricName

ModelName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$")]


class Gate(Section):
    """What a final model must pass, on the test part, before the alias moves to it."""

    minimum: dict[MetricName, float] = Field(default_factory=dict)
    """Least value of a metric; the most where less is better."""
    class_recall: Annotated[float, Field(ge=0, le=1)] | None = None
    """Least recall of every class."""
    no_loss: bool = True
    """Refuse what is significantly worse (95 %, paired by row) than the champion."""
    invariance: Annotated[float, Field(ge=0, le=1)] | None = None
    """Least share of rows whose label stays under the study's own augmentations."""
    behaviour: Behaviour = Behaviour()
    """Which way answers must go when what is asked changes."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """Longest time for one row, in milliseconds: 95th percentile, on one thread."""
    size_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest size of the registered model, in megabytes."""


class Compress(Section):
    """What `dense compress` tries, and what it may cost."""

    recipes: tuple[Recipe, ...] = ("int8", "onnx", "onnx-int8")
    """`int8`: weights kept in 8 bits, a scale a channel. `onnx`: the graph run by ONNX Runtime
    (needs the extra `onnx`). `onnx-int8`: that, calculating in 8 bits as well. `prune`: the
    smallest weights taken away, the others trained on for a while. `narrow`: of a `cnn` or `mlp`
    the weakest channels or units taken out, the others trained on likewise. `distill`: a smaller
    trial's settings trained anew on what the champion says of the rows."""
    sparsity: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Share of the weights that `prune` takes away."""
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the channels or units that `narrow` keeps."""
    recover: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Epochs that `prune` and `narrow` train the others on, as the model was trained."""
    student: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Most parameters of what `distill` trains, as a share of the champion's: it takes the settings
    of the best trial that has no more."""
    temperature: Annotated[float, Field(ge=1, le=100)] = 2.0
    """What `distill` divides logits by, so that more is learnt of the less likely classes."""
    loss: Annotated[float, Field(ge=0)] = 0.01
    """Most of the objective that may be lost on the validation part."""
    prefer: Literal["size", "latency"] = "size"
    """Of those within it: the smallest model, or the least time for one row (95th percentile)."""


class Champion(Section):
    """What becomes of the winner."""

    enabled: bool = True
    """Whether there is to be one; without it a run ends with the search."""
    model: ModelName | None = None
    """Registered model that the champion competes for; the study's name when absent."""
    seconds: Annotated[float, Field(gt=0)] = 600.0
    """Seconds that scoring the final model on the test part may take."""
    retest: Annotated[int, Field(ge=1, le=64)] = 1
    """The most promising so many trials are trained again on fresh seeds; 1: none is."""
    repeats: Annotated[int, Field(ge=2, le=32)] = 3
    """Fresh seeds of each re-tested trial."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.4
    """Re-tested trials that are not worse at this level (one-sided paired test) tie."""
    gate: Gate = Gate()
    """What the final model must pass."""
    explain: Annotated[int, Field(ge=0, le=50)] = 3
    """So many right and so many wrong answers on the test part are explained on the page, when a
    champion is scored: networks of texts and images by Captum (the extra `dense[explain]`); 0:
    none."""
    compress: Compress = Compress()
    """How `dense compress` makes the champion small."""


class Monitor(Section):
    """How the champion is watched after the study (`dense monitor`)."""

    alpha: Annotated[float, Field(ge=0.001, lt=0.5)] = 0.01
    """Chance of an alarm at one look when nothing has changed, over all tests together."""
    effect: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Least distance between two distributions that matters (Kolmogorov-Smirnov, 0 to 1): what is
    certain but smaller raises no alarm."""
    rows: Annotated[int, Field(ge=10, le=1_000_000)] = 50
    """New rows that a look waits for; fewer tell too little."""
