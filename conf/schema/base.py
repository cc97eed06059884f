"""The base classes of configuration sections, and what a kind of model declares of itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

DataKind = Literal["image", "table", "text", "pairs"]
"""The kind of rows that `prepare` makes of a source; `pairs` are source and target texts."""
PackerName = Literal["network", "estimator", "seq2seq"]
"""A way to write the served form of a model (`tasks.packaging.pack.PACKERS`)."""
Recipe = Literal["int8", "onnx", "onnx-int8", "prune", "narrow", "distill"]
"""A way to make a trained model smaller."""

POST_TRAINING: tuple[Recipe, ...] = ("int8", "onnx", "onnx-int8")
"""Recipes that need no training: for every network that classifies or predicts a number."""
ALL_BUT_NARROW: tuple[Recipe, ...] = (*POST_TRAINING, "prune", "distill")
"""Recipes for a network that a trial trains on the rows themselves."""


class Section(BaseModel):
    """Frozen, closed to unknown keys; the string under a field is its description."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What models of one kind can do: a row of the table in `docs/models.md`.

    Everything that depends on the kind of a model is read from here: the checks of a study
    (`conf.schema.study`), the preflight checks, `space: auto`, the network, the Lightning module,
    packaging and compression, and what a trial server imports ahead. A new kind of model is a class
    of settings, its network, and this row.
    """

    data: tuple[DataKind, ...]
    """Kinds of data that the model takes."""
    network: str
    """`module:function` that builds what is trained, by name so that settings stay light.

    It is called with the settings, the card's `inputs` and the number of outputs; of a kind that
    begins from weights, with the settings, the weights' folder and the data card; of an estimator
    (`epochs` is false), with the settings and `models.estimators.build.FitContext`.
    """
    epochs: bool = True
    """Trained by gradient steps over `train.epochs`; otherwise by one call of scikit-learn."""
    auxiliary_target: bool = False
    """Learns a second target beside the first (`data.second`)."""
    private: bool = False
    """May be trained with differential privacy (`train.privacy`), whole or by LoRA."""
    sharded: bool = True
    """Its weights may be divided over several devices (FSDP)."""
    recomputes: bool = False
    """Knows `train.gradient_checkpointing`."""
    recipes: tuple[Recipe, ...] = ()
    """What `dense compress` may do to it; nothing when empty."""
    lengths: tuple[str, ...] = ()
    """Settings that count tokens, which the weights' positions must have room for together."""
    decisive: tuple[str, ...] = ()
    """Further settings that decide whether the files of weights fit."""
    search: tuple[str, ...] = ("networks",)
    """Tables of `conf/auto.yaml` for `space: auto`; of text data also `<table>_texts`."""
    preload: tuple[str, ...] = ()
    """Modules that the trial server imports before the first trial forks."""

    def load_network(self) -> Callable[..., Any]:
        """The function that `network` names; its module, and its libraries, are imported now."""
        module, _, function = self.network.partition(":")
        builder: Callable[..., Any] = getattr(import_module(module), function)
        return builder

    @property
    def packer(self) -> PackerName:
        """Name of the packer that writes the served form of a trained model."""
        if not self.epochs:
            return "estimator"
        return "seq2seq" if self.generates_text else "network"

    @property
    def generates_text(self) -> bool:
        """Generates texts, and is trained on pairs."""
        return "pairs" in self.data


class ModelSettings(Section):
    """Settings of one kind of model."""

    capabilities: ClassVar[Capabilities]


def nearly_equal(a: float, b: float) -> bool:
    """Whether two numbers are equal up to floating-point rounding, as constraints compare them."""
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
