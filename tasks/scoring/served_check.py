"""Compare the predictions of a packed model with those of the trained one, before registration.

Packing merges adapters, traces a graph, converts it and applies a recipe. Whichever of these
changes what a model predicts, the version in the registry is not the model that was searched for.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from conf.runtime.errors import DenseError
from conf.schema.base import Recipe
from conf.schema.study import TrialConfig
from data.card import AuxiliaryTargetCard, DataCard
from data.loading.eval_loader import encoding_of, evenly, in_order, plain, same
from data.loading.split_reader import PreparedSplit
from models.estimators.build import probabilities
from models.estimators.skops_io import load_estimator
from models.networks.targets import target_of
from models.serving import load_net
from tasks.evaluate.predictions import AnyPredictions, NumberPredictions, TextPredictions
from tasks.scoring.score_request import ScoreRequest
from tasks.train.folder import TrialFolder

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

    from models.networks.gru import GruNet
    from models.pretrained.seq2seq import PretrainedSeq2SeqNet

ROWS = 64
"""Most rows that are compared."""
BATCH_SIZE = 16
EXACT = 1e-3
"""Largest difference of a row where packing computes the same: far above the rounding of float32,
far below what a weight that was merged wrongly makes."""
ROUNDED = 0.5
"""Largest mean difference of the rows under a recipe that rounds weights on purpose. How much worse
the objective may become is for `champion.compress.loss` to bound."""
ROUNDING: tuple[Recipe, ...] = ("int8", "onnx-int8")

Matrix = NDArray[np.float64]


def check_served(
    predictions: AnyPredictions, model: PyFuncModel, request: ScoreRequest, card: DataCard
) -> None:
    """Compare the packed model with the trained one on some rows of the split that is scored.

    The difference of a row is the largest one of its probabilities, of its predicted number in
    standard deviations of the target, or of its target's loss per token in nats.

    Args:
        predictions: of the packed model for all rows of the split, in order.
        model: the packed model.
        request: what was packed.
        card: the data set card.

    Raises:
        DenseError: they differ; the message names the recipe and the largest difference.
    """
    if isinstance(predictions, TextPredictions):
        differences = _text_differences(model, request, card)
    else:
        places = evenly(np.arange(len(predictions.ids)), ROWS)
        trained = _trained_outputs(request, card, places)
        differences = np.abs(_outputs(predictions, card)[places] - trained).max(axis=1, initial=0)
    rounds = request.recipe in ROUNDING
    value, limit = (differences.mean(), ROUNDED) if rounds else (differences.max(), EXACT)
    if not value <= limit:  # also if it is NaN
        raise DenseError(
            f"the packed model ({_named(request)}) does not predict what the trained one does: "
            f"the largest difference over {len(differences)} rows is {differences.max():.3g} "
            f"({'mean ' if rounds else ''}{value:.3g}, at most {limit:g}); nothing was registered; "
            "choose another recipe, or train with another model.tune"
        )


def _named(request: ScoreRequest) -> str:
    config = request.candidate.config
    tune = getattr(config.model, "tune", None)
    return ", ".join(
        [
            f"model.kind {config.model.kind}",
            *([f"model.tune {tune}"] if tune else []),
            f"recipe {request.recipe or 'none'}",
        ]
    )


def _outputs(predictions: AnyPredictions, card: DataCard) -> Matrix:
    """Predictions as one matrix, (rows, outputs): probabilities, or standardised numbers; then
    those of the auxiliary target."""
    assert not isinstance(predictions, TextPredictions)
    if isinstance(predictions, NumberPredictions):
        own = predictions.predictions[:, None].astype(np.float64) / _deviations(card)[:1]
    else:
        own = predictions.probabilities.astype(np.float64)
    if predictions.auxiliary is None:
        return own
    second = predictions.auxiliary.predictions
    if isinstance(second, NumberPredictions):
        other = second.predictions[:, None].astype(np.float64) / _deviations(card)[-1:]
    else:
        other = second.probabilities.astype(np.float64)
    return np.concatenate([own, other], axis=1)


def _deviations(card: DataCard) -> Matrix:
    """Standard deviation of each output's target, (outputs,); 1 for a probability."""
    targets: list[DataCard | AuxiliaryTargetCard] = [card, *([card.second] if card.second else [])]
    return np.concatenate(
        [
            np.ones(len(each.classes)) if each.target is None else [each.target.deviation]
            for each in targets
        ]
    ).astype(np.float64)


def _trained_outputs(request: ScoreRequest, card: DataCard, places: NDArray[np.int64]) -> Matrix:
    """What the trained model predicts for these rows, as `_outputs`; of an ensemble the mean."""
    trained = [(each.weight, each.config, Path(each.folder)) for each in request.members] or [
        (1.0, request.candidate.config, request.folder)
    ]
    return np.sum(
        [
            weight * _of_training(config, TrialFolder(folder), request, card, places)
            for weight, config, folder in trained
        ],
        axis=0,
    )


def _of_training(
    config: TrialConfig,
    folder: TrialFolder,
    request: ScoreRequest,
    card: DataCard,
    places: NDArray[np.int64],
) -> Matrix:
    part, splits = PreparedSplit([request.test]), request.train.parent
    if config.model.capabilities.packer == "estimator":
        data = plain(part, places, card, as_texts=card.inputs.kind == "text")
        parts = [_of_estimator(load_estimator(folder.estimator), b, card) for b in _batches(data)]
        return np.concatenate(parts) / _deviations(card)
    net, target = load_net(config, card, folder.weights, splits).eval(), target_of(card)
    data = plain(part, places, card, encoding_of(config, splits))
    with torch.inference_mode():
        outputs = [target(_logits(net, batch).float()).numpy() for batch in _batches(data)]
    return np.concatenate(outputs).astype(np.float64) / _deviations(card)


def _batches(data: Any) -> Iterator[dict[str, Any]]:
    yield from DataLoader(data, batch_size=BATCH_SIZE, sampler=in_order(data), collate_fn=same)


def _logits(net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    outputs: Tensor = net(batch["x"], batch["mask"]) if "mask" in batch else net(batch["x"])
    return outputs


def _of_estimator(estimator: Any, batch: dict[str, Any], card: DataCard) -> Matrix:
    rows = np.array(batch["text"], dtype=object) if "text" in batch else batch["x"].numpy()
    if not card.classes:
        return np.asarray(estimator.predict(rows), dtype=np.float64)[:, None]
    return probabilities(estimator, rows, len(card.classes)).astype(np.float64)


def _text_differences(model: PyFuncModel, request: ScoreRequest, card: DataCard) -> Matrix:
    """Difference of each target's loss per token, (rows,); infinite if a source is read as other
    tokens."""
    from models.modules.seq2seq_loss import PairsBatch, sequence_losses
    from tasks.packaging.pack_seq2seq import load_network

    config, splits = request.candidate.config, request.train.parent
    part = PreparedSplit([request.test])
    places = evenly(np.arange(len(part)), ROWS)
    trained = load_network(config, card, TrialFolder(request.folder).weights, splits)
    served = model.unwrap_python_model()._network
    packed = _with_served_weights(trained, served._net)
    texts = [part.texts("source")[int(place)].as_py() for place in places]
    data, parts, first = plain(part, places, card, encoding_of(config, splits)), [], 0
    with torch.inference_mode():
        for batch in cast("Iterator[PairsBatch]", _batches(data)):
            tokens = batch["y_mask"][:, 1:].sum(dim=1)
            losses = [sequence_losses(net, batch, 0.0) for net in (trained, packed)]
            difference = ((losses[0] - losses[1]).abs() / tokens.clamp(min=1)).double().numpy()
            read = served.read(texts[first : first + len(tokens)])
            rows = zip(batch["x"], batch["mask"], read, strict=True)
            equal = [x[mask].tolist() == row for x, mask, row in rows]
            parts.append(np.where(equal, difference, np.inf))
            first += len(tokens)
    return np.concatenate(parts)


def _with_served_weights(
    trained: GruNet | PretrainedSeq2SeqNet, served: Any
) -> GruNet | PretrainedSeq2SeqNet:
    """The trained network with the weights of the served one, in evaluation mode."""
    from models.networks.gru import GruNet

    if isinstance(trained, GruNet):
        net = copy.deepcopy(trained)
        net.load_state_dict(served.state_dict())
        return net.eval()
    packed = copy.copy(trained)
    packed._modules = {**trained._modules, "net": served}
    return packed.eval()
