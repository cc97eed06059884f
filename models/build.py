"""Build the network of a trial's configuration, and the LightningModule that trains it.

Which function builds a network stands in its kind's row (`Capabilities.network`). Lightning is
imported only by `build`: serving a network needs none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from conf.runtime.types import Floats32
from conf.schema.model import Model, check_data_kind
from conf.schema.pretrained import Head, Pretrained
from conf.schema.study import TrialConfig
from data.assets.pretrained import home_of, located
from data.card import DataCard
from models.modules.seq2seq_loss import TOKENIZER
from models.networks.mlp import head_net
from models.networks.targets import output_count, target_of
from models.pretrained.loading import enable_gradient_checkpointing

if TYPE_CHECKING:
    from models.modules.base import TrainableModule


def build_net(config: TrialConfig, card: DataCard, parts: Path | None = None) -> nn.Module:
    """The bare network: takes what the loaders give as `x`, of texts also the mask; gives logits.

    A network that generates texts takes source and target; see `GruNet` and `PretrainedSeq2SeqNet`.

    Args:
        config: the trial's configuration.
        card: the data card.
        parts: folder of the prepared parts; pre-trained weights lie in the home around it.

    Raises:
        BadInput: the model does not take this kind of data, or its weights do not fit.
    """
    model = config.model
    check_data_kind(model.kind, card.inputs.kind)
    if isinstance(model, Pretrained):
        assert parts is not None  # weights lie in a home
        return pretrained_net(model, located(model.weights, home_of(parts), offline=True), card)
    net: nn.Module = model.capabilities.load_network()(model, card.inputs, output_count(card))
    return net


def pretrained_net(model: Pretrained, folder: Path, card: DataCard) -> nn.Module:
    """The network that begins from the weights in a folder; its library is imported with it."""
    net: nn.Module = model.capabilities.load_network()(model, folder, card)
    return net


def build(
    config: TrialConfig, card: DataCard, total_steps: int, parts: Path | None = None
) -> TrainableModule:
    """The LightningModule that a trial trains.

    Args:
        config: the trial's configuration.
        card: the data card: `inputs` says what goes in, `classes` what comes out.
        total_steps: optimiser steps of a full trial; the schedule is laid out over them.
        parts: folder of the prepared parts, where texts have their encoding, in the home where
            pre-trained weights lie.

    Raises:
        BadInput: the model does not take this kind of data, or its weights do not fit.
    """
    if uses_cached_features(config):
        assert parts is not None  # features lie in a home
        net: nn.Module = head_on_features(config.model, card, parts)
    else:
        net = build_net(config, card, parts)
    if config.train.gradient_checkpointing:
        enable_gradient_checkpointing(net)
    if config.model.capabilities.generates_text:
        from models.modules.seq2seq import Seq2SeqModule

        assert parts is not None  # texts have an encoding
        own = getattr(net, "tokenizer", parts / TOKENIZER)
        return Seq2SeqModule(net, config, card.inputs, total_steps, own)  # type: ignore[arg-type]
    from models.modules.predictor import PredictorModule

    if config.train.compile:
        net.compile()  # in place, so that names of weights stay
    return PredictorModule(
        net, config.train, total_steps, target_of(card, config.train, config.augment.oversample)
    )


def uses_cached_features(config: TrialConfig) -> bool:
    """Whether a head is trained alone, on features that a frozen network gave once for each row;
    where rows change from epoch to epoch, the frozen network runs in the trial."""
    return isinstance(config.model, Head) and not config.changes_rows


def head_on_features(model: Model, card: DataCard, parts: Path) -> nn.Module:
    """The head alone, for features of the width that the frozen network gives."""
    from models.pretrained.frozen_features import features_of

    assert isinstance(model, Head)
    width = features_of(model, card, parts / "train").shape[1]
    return head_net(model, width, output_count(card))


def frozen_features(
    config: TrialConfig, card: DataCard, parts: Sequence[Path]
) -> dict[Path, Floats32] | None:
    """Features of each part's rows, float32 of shape (rows, width), for a head that is trained on
    them alone; None for every other model."""
    model = config.model
    if not uses_cached_features(config) or not isinstance(model, Head):
        return None
    from models.pretrained.frozen_features import features_of

    return {part: features_of(model, card, part) for part in parts}
