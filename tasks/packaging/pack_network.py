"""The packer of networks that classify or predict numbers: an exported program and its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from conf.runtime.errors import DenseError
from conf.schema.model import TextCnn
from conf.schema.pretrained import Head, Transformer
from data.assets.pretrained import facts_of, home_of, located
from data.card import DataCard, ImageInputs, TableInputs
from data.encoding.tokenizer import TOKENIZER, Encoder, encoder_of, prepared_encoder
from models.serving import Serving, TextServing, load_serving
from tasks.packaging import pyfunc_predictor, quantize, table_frame
from tasks.packaging.package import ModelFiles, output_card, signature_of
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import raw_shape
from tasks.packaging.records import Candidate
from tasks.packaging.torch_export import export_program, export_text_program

if TYPE_CHECKING:
    from tasks.packaging.table_frame import RawValues

TextReader = Transformer | Head | TextCnn
"""Settings of the networks that read texts."""
REQUIRED = ("mlflow", "numpy", "pandas")


class NetworkPacker:
    """Exports the network with its normalisation; applies the recipes that need no training."""

    def files(self, job: PackJob, scratch: Path) -> ModelFiles:
        """The program, the card and, of a text model, the tokenizer."""
        serving = load_trained(job.candidate, job.card, job.weights, job.splits)
        if job.recipe == "int8":
            quantize.quantize_weights(serving)
        elif job.recipe == "prune":
            quantize.store_sparse(serving)
        program, tokenizer = scratch / "program.pt2", None
        inputs, card = job.card.inputs, output_card(job.card)
        if isinstance(serving, TextServing):
            assert isinstance(job.candidate.config.model, TextReader)
            encoder = text_encoder(job.candidate.config.model, job.splits)
            export_text_program(serving, encoder.rules.most, program)
            card["rules"], tokenizer = asdict(encoder.rules), scratch / TOKENIZER
            encoder.tokenizer.save(str(tokenizer))
        else:
            assert isinstance(inputs, ImageInputs | TableInputs)
            shape = raw_shape(inputs)
            export_program(serving, shape, program)
            fills = isinstance(inputs, TableInputs) and inputs.fill is not None
            card |= {"shape": list(shape), "fills": fills}
            card |= table_frame.card(inputs)
        if job.recipe in ("onnx", "onnx-int8"):
            program = quantize.to_onnx(program, int8=job.recipe == "onnx-int8")
        return network_files(program, card, job.example(), tokenizer=tokenizer)


def network_files(
    program: Path, card: Mapping[str, Any], example: RawValues, *, tokenizer: Path | None = None
) -> ModelFiles:
    """The files of a network; `card.json` is written beside the program.

    Args:
        program: the exported graph, `.pt2` or `.onnx`.
        card: for the served code: `package.output_card`; of numeric rows also their `shape`,
            `fills`, whether the network fills missing values (NaN) itself, and `table_frame.card`;
            of texts the `rules` of the tokenizer.
        example: two raw rows or more.
        tokenizer: the tokenizer's file of a text model.
    """
    path = program.with_name("card.json")
    path.write_text(json.dumps(dict(card)))
    artifacts = {"program": program, "card": path, **table_frame.artifacts(card)}
    required: tuple[str, ...] = (*REQUIRED, "onnxruntime" if program.suffix == ".onnx" else "torch")
    if tokenizer is not None:
        artifacts["tokenizer"], required = tokenizer, (*required, "tokenizers")
    return ModelFiles(
        code=pyfunc_predictor,
        artifacts=artifacts,
        signature=signature_of(card),
        example=example if tokenizer is None else example.tolist(),
        required=required,
        weights=program.name,
    )


def load_trained(
    candidate: Candidate, card: DataCard, weights: Path, splits: Path
) -> Serving | TextServing:
    """The trained network behind its normalisation.

    Args:
        candidate: its configuration is the network's.
        card: the data set card.
        weights: of the training.
        splits: folder of the prepared splits.

    Raises:
        DenseError: the weights are missing or do not fit the network.
    """
    try:
        return load_serving(candidate.config, card, weights, splits)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DenseError(
            f"{weights} cannot be read as the champion's weights ({error}); delete its folder and "
            "run the study again to retrain it"
        ) from error


def text_encoder(model: TextReader, splits: Path) -> Encoder:
    """The tokenizer that a model was trained with."""
    if isinstance(model, TextCnn):
        return prepared_encoder(splits)
    folder = located(model.weights, home_of(splits), offline=True)
    return encoder_of(model, folder, facts_of(folder))
