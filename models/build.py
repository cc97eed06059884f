"""From a configuration and a data card to a network, and to its LightningModule.

Lightning is imported where that is asked for: whoever serves a network needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from conf.runtime.errors import BadInput
from conf.schema.model import Cnn, Gru, Mlp, TextCnn
from conf.schema.pretrained import Head, Transformer, Tuned, Vision
from conf.schema.seq2seq import Causal, Seq2Seq
from conf.schema.study import TrialConfig
from data.assets.pretrained import home_of, located
from models.modules.seq2seq_loss import TOKENIZER, sizes
from models.networks.cnn import CnnNet
from models.networks.gru import GruNet
from models.networks.heads import answer_of, outputs_of
from models.networks.mlp import mlp_net
from models.networks.text_cnn import TextCnnNet
from models.pretrained.gradient_checkpointing import recompute

if TYPE_CHECKING:
    from conf.runtime.import_lightning import pl
    from models.pretrained.seq2seq import WriterNet


def build_net(config: TrialConfig, card: Mapping[str, Any], parts: Path | None = None) -> nn.Module:
    """The bare network: takes what the loaders give as `x`, of texts also the mask; gives logits.

    `parts` is the folder of the prepared parts; pre-trained weights lie in the home around it.

    Raises:
        BadInput: the model does not take what the data are made of.
    """
    inputs, classes, model = card["inputs"], outputs_of(card), config.model
    kind = inputs["kind"]
    if isinstance(model, Tuned | Head):
        assert parts is not None  # weights lie in a home
        return pretrained_net(model, located(model.weights, home_of(parts), offline=True), card)
    if not isinstance(model, Cnn | Mlp | TextCnn):
        return own_net(model, inputs, classes)
    if kind == "image" and not isinstance(model, TextCnn):
        size = (inputs["channels"], inputs["height"], inputs["width"])
        if isinstance(model, Cnn):
            return CnnNet(model, *size, classes)
        return mlp_net(model, size[0] * size[1] * size[2], classes)
    if kind == "table" and isinstance(model, Mlp):
        return mlp_net(model, inputs["features"], classes)
    if kind == "text" and isinstance(model, TextCnn):
        return TextCnnNet(model, inputs["vocabulary"], inputs["pad"], classes)
    fitting = "; use model.kind: mlp" if kind == "table" else ""
    raise BadInput(f"model.kind {model.kind} does not take data of kind {kind}{fitting}")


def pretrained_net(model: Tuned | Head, folder: Path, card: Mapping[str, Any]) -> nn.Module:
    """The network that begins from the weights in a folder; its library loads with it."""
    if isinstance(model, Transformer):
        from models.pretrained.text_classifier import text_net

        return text_net(model, folder, card)
    if isinstance(model, Vision):
        from models.pretrained.image_classifier import image_net

        return image_net(model, folder, card)
    from models.pretrained.frozen_features import Whole, body_of, frozen, head_net, width_of

    assert isinstance(model, Head)
    body = frozen(body_of(model, folder, card["inputs"]))
    return Whole(body, head_net(model, width_of(body, card["inputs"]), outputs_of(card)))


def head_on_features(model: Head, card: Mapping[str, Any], parts: Path) -> nn.Module:
    """What is trained of a head on a frozen network: the head alone."""
    from models.pretrained.frozen_features import features_of, head_net

    width = features_of(model, card, parts / "train").shape[1]
    return head_net(model, width, outputs_of(card))


def frozen_features(
    config: TrialConfig, card: Mapping[str, Any], parts: Sequence[Path]
) -> dict[Path, Any] | None:
    """What a frozen network makes of each part's rows, for a model that learns from that alone;
    None where rows change from epoch to epoch, so that it runs in the trial."""
    if not isinstance(config.model, Head) or config.changes_rows:
        return None
    from models.pretrained.frozen_features import features_of

    return {part: features_of(config.model, card, part) for part in parts}


def own_net(model: Any, inputs: Mapping[str, Any], classes: int) -> nn.Module:
    """The network that `models/networks/own/<kind>.py` defines.

    Names come from the closed union in `conf.schema.model`, so nothing else is ever imported.
    """
    net: nn.Module = import_module(f"models.networks.own.{model.kind}").net(model, inputs, classes)
    return net


def build_writer(config: TrialConfig, inputs: Mapping[str, Any], parts: Path) -> GruNet | WriterNet:
    """The bare network that writes texts; `parts` as for `build`.

    Raises:
        BadInput: the data are no pairs, or the weights are no writer's.
    """
    if isinstance(config.model, Seq2Seq | Causal):
        from models.pretrained.seq2seq import writer_net

        folder = located(config.model.weights, home_of(parts), offline=True)
        return writer_net(config.model, folder, inputs)
    if inputs["kind"] != "pairs" or not isinstance(config.model, Gru):
        raise BadInput(
            f"model.kind {config.model.kind} does not take data of kind {inputs['kind']}; "
            "texts are written by model.kind: gru, seq2seq or causal, from pairs"
        )
    return GruNet(**sizes(config.model, inputs))


def build(
    config: TrialConfig, card: Mapping[str, Any], total_steps: int, parts: Path | None = None
) -> pl.LightningModule:
    """The module that a trial trains.

    Args:
        config: the trial's configuration.
        card: the data card: `inputs` says what goes in, `classes` what comes out.
        total_steps: optimiser steps of a full trial; the schedule is laid out over them.
        parts: folder of the prepared parts, where texts have their encoding, in the home where
            pre-trained weights lie.

    Raises:
        BadInput: the model does not take what the data are made of.
    """
    inputs = card["inputs"]
    if isinstance(config.model, Gru | Seq2Seq | Causal) or inputs["kind"] == "pairs":
        from models.modules.seq2seq import Writing

        assert parts is not None  # texts have an encoding
        writer = build_writer(config, inputs, parts)
        if config.train.gradient_checkpointing:
            recompute(writer)
        own = getattr(writer, "tokenizer", parts / TOKENIZER)
        return Writing(writer, config, inputs, total_steps, own)
    from models.modules.predictor import Learner

    if isinstance(config.model, Head) and not config.changes_rows:
        assert parts is not None  # features lie in a home
        net = head_on_features(config.model, card, parts)
    else:
        net = build_net(config, card, parts)
    if config.train.gradient_checkpointing:
        recompute(net)
    if config.train.compile:
        net.compile()  # in place, so that names of weights stay
    return Learner(net, config.train, total_steps, answer_of(card, config.train))
