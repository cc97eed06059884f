"""Compression of trained weights: int8 quantization, sparse storage, export to ONNX.

Weights are quantized symmetrically to int8 with one scale per output channel (Krishnamoorthi,
"Quantizing deep convolutional networks for efficient inference", 2018, arXiv:1806.08342).
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from conf.runtime.errors import BadInput
from models.networks.width_pruning import COMPRESSIBLE, MIN_WEIGHTS


class _Int8Weight:
    """A layer that dequantizes its int8 weight at each access."""

    packed: Tensor
    scale: Tensor

    @property
    def weight(self) -> Tensor:
        """The weight in floating point."""
        return self.packed.to(self.scale.dtype) * self.scale


def quantize_weights(net: nn.Module) -> None:
    """Quantize the weights of the large layers to int8, one scale per output channel, in place."""
    for layer in net.modules():
        if isinstance(layer, COMPRESSIBLE) and layer.weight.numel() >= MIN_WEIGHTS:
            _quantize(layer)


def _quantize(layer: nn.Module) -> None:
    weight = layer._parameters.pop("weight")
    assert weight is not None
    values = weight.detach()
    scale = values.abs().amax(dim=tuple(range(1, values.ndim)), keepdim=True) / 127
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    layer.register_buffer("packed", (values / scale).round().to(torch.int8))
    layer.register_buffer("scale", scale)
    # A subclass makes `weight` a property and keeps the rest of the layer.
    layer.__class__ = type(f"Packed{type(layer).__name__}", (_Int8Weight, type(layer)), {})


class _SparseWeight:
    """A layer that rebuilds its sparse weight, from the non-zero values and a bit mask, at each
    access."""

    kept: Tensor
    bits: Tensor
    powers: Tensor
    form: tuple[int, ...]

    @property
    def weight(self) -> Tensor:
        """The weight in floating point."""
        there = (self.bits.unsqueeze(1) & self.powers).ne(0).flatten()
        mask = there[: math.prod(self.form)].view(self.form)
        return torch.zeros(self.form, dtype=self.kept.dtype).masked_scatter(mask, self.kept)


def store_sparse(net: nn.Module) -> None:
    """Store only the non-zero weights of the large layers, in place, where that saves space."""
    for layer in net.modules():
        if isinstance(layer, COMPRESSIBLE) and layer.weight.numel() >= MIN_WEIGHTS:
            zeros = (layer.weight == 0).float().mean().item()
            if zeros > 1 / 32:  # a bit per float32 weight must be saved at least
                _to_sparse(layer)


def _to_sparse(layer: nn.Module) -> None:
    weight = layer._parameters.pop("weight")
    assert weight is not None
    values = weight.detach()
    packed = np.packbits((values != 0).numpy().ravel(), bitorder="little")
    layer.register_buffer("kept", values[values != 0].clone())
    layer.register_buffer("bits", torch.from_numpy(packed))
    layer.register_buffer("powers", 2 ** torch.arange(8, dtype=torch.uint8))
    name = f"Thin{type(layer).__name__}"
    layer.__class__ = type(name, (_SparseWeight, type(layer)), {"form": tuple(values.shape)})


def to_onnx(program: Path, *, int8: bool) -> Path:
    """Convert an exported program to an ONNX file beside it.

    Args:
        program: `.pt2` file, which stays.
        int8: quantize dynamically with ONNX Runtime: weights to int8 now, activations by their
            range in each call.

    Returns:
        The ONNX file.

    Raises:
        BadInput: the extra `onnx` is not installed.
    """
    onnx, quantization = _libraries()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    path = program.with_suffix(".onnx")
    graph = torch.export.load(program)
    torch.onnx.export(graph, f=str(path), dynamo=True, external_data=False, verbose=False)
    if int8:
        model = onnx.load(str(path))
        model.graph.ClearField("value_info")  # stale shapes: the optimiser has transposed weights
        onnx.save(model, str(path))
        quantization.quantize_dynamic(
            str(path), str(path), weight_type=quantization.QuantType.QInt8
        )
    return path


def _libraries() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxscript  # noqa: F401  torch's exporter needs it
        from onnxruntime import quantization
    except ImportError as error:
        raise BadInput(
            f"champion.compress.recipes: ONNX needs the extra `onnx` ({error}); install "
            "dense[onnx], or remove these recipes"
        ) from error
    return onnx, quantization
