"""How the champion may be made small."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.schema.base import Section

Recipe = Literal["int8", "onnx", "onnx-int8", "prune", "narrow", "distill"]


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
