"""How the champion may be made small."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.section import Section

Recipe = Literal["int8", "onnx", "onnx-int8"]


class Compress(Section):
    """What `dense compress` tries, and what it may cost."""

    recipes: tuple[Recipe, ...] = ("int8", "onnx", "onnx-int8")
    """`int8`: weights kept in 8 bits, a scale a channel. `onnx`: the graph run by ONNX Runtime
    (needs the extra `onnx`). `onnx-int8`: that, calculating in 8 bits as well."""
    loss: Annotated[float, Field(ge=0)] = 0.01
    """Most of the objective that may be lost on the validation part."""
    prefer: Literal["size", "latency"] = "size"
    """Of those within it: the smallest model, or the least time for one row (95th percentile)."""
