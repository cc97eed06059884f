"""From a configuration and a data card to a LightningModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from conf.study import TrialConfig
from models.classifier import Classifier
from models.cnn import CnnNet


def build_net(config: TrialConfig, card: Mapping[str, Any]) -> nn.Module:
    """The bare network: takes what the loaders give as `x`, gives logits."""
    inputs, classes = card["inputs"], len(card["classes"])
    return CnnNet(config.model, inputs["channels"], inputs["height"], inputs["width"], classes)


def build(config: TrialConfig, card: Mapping[str, Any], total_steps: int) -> Classifier:
    """The module that a trial trains.

    Args:
        config: the trial's configuration.
        card: the data card: `inputs` says what goes in, `classes` what comes out.
        total_steps: optimiser steps of a full trial; the schedule is laid out over them.
    """
    return Classifier(build_net(config, card), config.train, total_steps)
