"""The served form of a network that writes texts: its file, its weights, its encoding."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from conf.runtime.errors import DenseError
from conf.schema.model import Gru
from conf.schema.study import TrialConfig
from models.modules.seq2seq_loss import (
    TOKENIZER,
    gru_arguments,
    sequence_losses,
    unsaved_parameters,
)
from models.networks import gru
from models.networks.gru import GruNet
from tasks.packaging import pyfunc_seq2seq
from tasks.packaging.package import Artifacts, save_model

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from models.pretrained.seq2seq import PretrainedSeq2SeqNet

REQUIRED = ("mlflow", "numpy", "pandas", "torch", "safetensors", "tokenizers")
UNKNOWN = 1  # the token of a text that has none
AT_ONCE = 64


def write_package(
    destination: Path,
    config: TrialConfig,
    card: Mapping[str, Any],
    weights: Path,
    parts: Path,
    metadata: Mapping[str, Any],
) -> Path:
    """Write the model folder, whole or not at all.

    Args:
        destination: the folder; one that is there is replaced.
        config: of the training.
        card: the data's.
        weights: of the training.
        parts: folder of the prepared parts, which holds the encoding.
        metadata: what the model says of itself in its `MLmodel` file.

    Returns:
        The weights inside the package.

    Raises:
        DenseError: the weights are gone or are another network's.
    """
    net = load_network(config, card, weights, parts)
    scratch = destination.with_name(f".{destination.name}.parts")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    code, required, artifacts = _served(scratch, net, config, card["inputs"], parts)
    example = np.array(["a text", "another"], dtype=object)
    save_model(destination, code, artifacts, _signature(), example, required, metadata)
    shutil.rmtree(scratch)
    return next(iter(sorted((destination / "artifacts").rglob("*.safetensors"))))


def _served(
    scratch: Path,
    net: GruNet | PretrainedSeq2SeqNet,
    config: TrialConfig,
    inputs: Mapping[str, Any],
    parts: Path,
) -> tuple[ModuleType, tuple[str, ...], Artifacts]:
    """The code that answers, what it needs, and what it reads."""
    if isinstance(config.model, Gru):
        assert isinstance(net, GruNet)
        found = _artifacts(scratch, net, config.model, inputs, parts)
        return pyfunc_seq2seq, REQUIRED, found
    from tasks.packaging import pack_pretrained_seq2seq

    assert isinstance(net, pack_pretrained_seq2seq.PretrainedSeq2SeqNet)
    return (
        pyfunc_seq2seq,
        pack_pretrained_seq2seq.required(net.model),
        pack_pretrained_seq2seq.artifacts(net, scratch, parts),
    )


def _artifacts(
    scratch: Path, net: GruNet, model: Gru, inputs: Mapping[str, Any], parts: Path
) -> Artifacts:
    from safetensors.torch import save_file

    facts = {
        "sizes": {**gru_arguments(model, inputs), "dropout": 0.0},
        "longest": int(inputs["longest"]),
        "beams": model.beams,
        "length_penalty": model.length_penalty,
        "unknown": UNKNOWN,
    }
    found = {"weights": scratch / "weights.safetensors", "card": scratch / "card.json"}
    save_file(net.state_dict(), found["weights"])
    found["card"].write_text(json.dumps(facts))
    return {**found, "code": Path(gru.__file__), "tokenizer": parts / TOKENIZER}


def _signature() -> ModelSignature:
    """Texts in, texts out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec("string")]), outputs=Schema([ColSpec("string", "text")])
    )


def load_network(
    config: TrialConfig, card: Mapping[str, Any], weights: Path, parts: Path
) -> GruNet | PretrainedSeq2SeqNet:
    """The trained network, for use; `parts` is the folder of the prepared parts.

    Raises:
        DenseError: the weights are gone or are another network's.
    """
    from safetensors.torch import load_file

    from models.build import build_net

    net = cast("GruNet | PretrainedSeq2SeqNet", build_net(config, card, parts))
    try:
        named = {name.removeprefix("net."): each for name, each in load_file(weights).items()}
        known = set(net.state_dict()) - unsaved_parameters(net)
        net.load_state_dict(named, strict=not known <= set(named))  # strict: to say what is absent
        if strange := set(named) - set(net.state_dict()):
            raise RuntimeError(f"{min(strange)} is no weight of this network")
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DenseError(
            f"{weights} cannot be read as the champion's weights ({error}); delete its folder and "
            "run the study again to train it anew"
        ) from error
    return net.eval()


def target_losses(
    config: TrialConfig,
    card: Mapping[str, Any],
    weights: Path,
    part: Path,
    ids: NDArray[np.int64],
    parts: Path,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What perplexity follows from: each target's loss in nats and its number of tokens, in the
    order of `ids`.

    Args:
        config: of the training.
        card: the data's.
        weights: of the training.
        part: whose rows are asked for.
        ids: of these rows.
        parts: folder of the prepared parts.

    Raises:
        DenseError: the weights are gone or are another network's.
    """
    import torch

    from data.loading.eval_loader import encoding_of, part_loader

    net = load_network(config, card, weights, parts)
    encoder = encoding_of(config, parts)
    found: dict[int, tuple[float, int]] = {}
    with torch.inference_mode():
        for batch in part_loader(card, part, AT_ONCE, encoder):
            losses = sequence_losses(net, batch, 0.0)
            tokens = batch["y_mask"][:, 1:].sum(dim=1)
            columns = (batch["id"].tolist(), losses.tolist(), tokens.tolist())
            found |= {row: (loss, count) for row, loss, count in zip(*columns, strict=True)}
    pairs = [found[int(row)] for row in ids]
    return (
        np.array([loss for loss, _ in pairs], dtype=np.float32),
        np.array([count for _, count in pairs], dtype=np.int64),
    )
