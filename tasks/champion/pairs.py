"""The served form of a network that writes texts: its file, its weights, its encoding."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from conf.errors import DenseError
from conf.model import Gru
from conf.study import TrialConfig
from models import seq2seq_net
from models.seq2seq import TOKENIZER, sizes
from tasks.champion import servable_pairs
from tasks.champion.package import Artifacts, save_model

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from models.seq2seq_net import GruNet

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
    assert isinstance(config.model, Gru)
    net = load_network(config, card, weights)
    scratch = destination.with_name(f".{destination.name}.parts")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    artifacts = _artifacts(scratch, net, config.model, card["inputs"], parts)
    example = np.array(["a text", "another"], dtype=object)
    save_model(
        destination,
        servable_pairs,
        artifacts,
        _signature(),
        example,
        REQUIRED,
        metadata,
    )
    shutil.rmtree(scratch)
    return destination / "artifacts" / artifacts["weights"].name


def _artifacts(
    scratch: Path, net: GruNet, model: Gru, inputs: Mapping[str, Any], parts: Path
) -> Artifacts:
    from safetensors.torch import save_file

    facts = {
        "sizes": {**sizes(model, inputs), "dropout": 0.0},
        "longest": int(inputs["longest"]),
        "beams": model.beams,
        "length_penalty": model.length_penalty,
        "unknown": UNKNOWN,
    }
    found = {name: scratch / name for name in ("weights.safetensors", "network.py", "card.json")}
    save_file(net.state_dict(), found["weights.safetensors"])
    shutil.copyfile(seq2seq_net.__file__, found["network.py"])
    found["card.json"].write_text(json.dumps(facts))
    named = {path.stem: path for path in found.values()}
    return {**named, "tokenizer": parts / TOKENIZER}


def _signature() -> ModelSignature:
    """Texts in, texts out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec("string")]), outputs=Schema([ColSpec("string", "text")])
    )


def load_network(config: TrialConfig, card: Mapping[str, Any], weights: Path) -> GruNet:
    """The trained network, for use.

    Raises:
        DenseError: the weights are gone or are another network's.
    """
    from safetensors.torch import load_file

    from models.build import build_writer

    net = build_writer(config, card["inputs"])
    try:
        named = {name.removeprefix("net."): each for name, each in load_file(weights).items()}
        net.load_state_dict(named)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DenseError(
            f"{weights} cannot be read as the champion's weights ({error}); delete its folder and "
            "run the study again to train it anew"
        ) from error
    return net.eval()


def target_losses(
    net: GruNet, card: Mapping[str, Any], part: Path, ids: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What perplexity follows from: each target's loss in nats and its number of tokens, in the
    order of `ids`."""
    import torch

    from data.loaders import part_loader

    found: dict[int, tuple[float, int]] = {}
    with torch.inference_mode():
        for batch in part_loader(card, part, AT_ONCE):
            memory = net.encode(batch["x"], batch["mask"])
            losses = net.losses(memory, batch["y"], batch["y_mask"], 0.0)
            tokens = batch["y_mask"][:, 1:].sum(dim=1)
            columns = (batch["id"].tolist(), losses.tolist(), tokens.tolist())
            found |= {row: (loss, count) for row, loss, count in zip(*columns, strict=True)}
    pairs = [found[int(row)] for row in ids]
    return (
        np.array([loss for loss, _ in pairs], dtype=np.float32),
        np.array([count for _, count in pairs], dtype=np.int64),
    )
