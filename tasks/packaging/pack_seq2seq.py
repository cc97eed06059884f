"""The packer of text generation (sequence to sequence): network, weights and encoding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from safetensors import SafetensorError

from conf.runtime.errors import DenseError
from conf.runtime.types import Floats32, Ints
from conf.schema.model import Gru
from conf.schema.study import TrialConfig
from data.card import DataCard, PairsInputs
from models.modules.seq2seq_loss import (
    TOKENIZER,
    gru_arguments,
    sequence_losses,
    unsaved_parameters,
)
from models.networks import gru
from models.networks.gru import GruNet
from tasks.packaging import pyfunc_seq2seq
from tasks.packaging.package import Artifacts, ModelFiles
from tasks.packaging.packer import PackJob

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from models.pretrained.seq2seq import PretrainedSeq2SeqNet

REQUIRED = ("mlflow", "numpy", "pandas", "torch", "safetensors", "tokenizers")
UNKNOWN = 1  # stands for a text without tokens
BATCH_SIZE = 64


class Seq2SeqPacker:
    """Saves the weights and the encoding, and the network's code where it is the project's own."""

    def files(self, job: PackJob, scratch: Path) -> ModelFiles:
        """Of a GRU its own files; of a pre-trained network those of the library."""
        config, inputs = job.candidate.config, job.card.inputs
        net = load_network(config, job.card, job.weights, job.splits)
        if isinstance(config.model, Gru):
            assert isinstance(net, GruNet) and isinstance(inputs, PairsInputs)
            artifacts = _gru_artifacts(scratch, net, config.model, inputs, job.splits)
            required: Sequence[str] = REQUIRED
        else:
            from models.pretrained.seq2seq import PretrainedSeq2SeqNet
            from tasks.packaging import pack_pretrained_seq2seq

            assert isinstance(net, PretrainedSeq2SeqNet)
            artifacts = pack_pretrained_seq2seq.artifacts(net, scratch, job.splits)
            required = pack_pretrained_seq2seq.required(net.model)
        return ModelFiles(
            code=pyfunc_seq2seq,
            artifacts=artifacts,
            signature=_signature(),
            example=np.array(["a text", "another"], dtype=object),
            required=required,
            weights="*.safetensors",
        )


def _gru_artifacts(
    scratch: Path, net: GruNet, model: Gru, inputs: PairsInputs, splits: Path
) -> Artifacts:
    from safetensors.torch import save_file

    card = {
        "sizes": {**gru_arguments(model, inputs), "dropout": 0.0},
        "longest": inputs.longest,
        "beams": model.beams,
        "length_penalty": model.length_penalty,
        "unknown": UNKNOWN,
    }
    artifacts = {"weights": scratch / "weights.safetensors", "card": scratch / "card.json"}
    save_file(net.state_dict(), artifacts["weights"])
    artifacts["card"].write_text(json.dumps(card))
    return {**artifacts, "code": Path(gru.__file__), "tokenizer": splits / TOKENIZER}


def _signature() -> ModelSignature:
    """Texts in, texts out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec("string")]), outputs=Schema([ColSpec("string", "text")])
    )


def load_network(
    config: TrialConfig, card: DataCard, weights: Path, parts: Path
) -> GruNet | PretrainedSeq2SeqNet:
    """The trained network in evaluation mode; `parts` is the folder of the prepared splits.

    Raises:
        DenseError: the weights are missing or do not fit the network.
    """
    from safetensors.torch import load_file

    from models.build import build_net

    net = cast("GruNet | PretrainedSeq2SeqNet", build_net(config, card, parts))
    try:
        named = {name.removeprefix("net."): each for name, each in load_file(weights).items()}
        known = set(net.state_dict()) - unsaved_parameters(net)
        net.load_state_dict(named, strict=not known <= set(named))  # names a missing weight
        if unknown := set(named) - set(net.state_dict()):
            raise RuntimeError(f"{min(unknown)} is not a weight of this network")
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DenseError(
            f"{weights} cannot be read as the champion's weights ({error}); delete its folder and "
            "run the study again to retrain it"
        ) from error
    return net.eval()


def target_losses(
    config: TrialConfig,
    card: DataCard,
    weights: Path,
    part: Path,
    ids: Ints,
    parts: Path,
) -> tuple[Floats32, Ints]:
    """Loss of each target in nats and its number of tokens, from which perplexity follows.

    Args:
        config: of the training.
        card: the data's.
        weights: of the training.
        part: the split to evaluate.
        ids: of its rows, in the order of the result.
        parts: folder of the prepared splits.

    Returns:
        float32[n] and int64[n].

    Raises:
        DenseError: the weights are missing or do not fit the network.
    """
    import torch

    from data.loading.eval_loader import encoding_of, split_loader

    net = load_network(config, card, weights, parts)
    encoder = encoding_of(config, parts)
    by_id: dict[int, tuple[float, int]] = {}
    with torch.inference_mode():
        for batch in split_loader(card, part, BATCH_SIZE, encoder):
            losses = sequence_losses(net, batch, 0.0)
            tokens = batch["y_mask"][:, 1:].sum(dim=1)
            columns = (batch["id"].tolist(), losses.tolist(), tokens.tolist())
            by_id |= {row: (loss, count) for row, loss, count in zip(*columns, strict=True)}
    pairs = [by_id[int(row)] for row in ids]
    return (
        np.array([loss for loss, _ in pairs], dtype=np.float32),
        np.array([count for _, count in pairs], dtype=np.int64),
    )
