"""From the weights of a final training to the model folder that is served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from conf.runtime.errors import DenseError
from conf.schema.champion import Recipe
from models.networks.targets import has_labels
from models.serving import Serving, TextServing, load_serving
from tasks.packaging import pack_estimator, pack_seq2seq, quantize, table_frame
from tasks.packaging.pack_text import TextReader, export_texts, text_card, tokens_of
from tasks.packaging.package import labels_of, write_package
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate
from tasks.packaging.torch_export import export_program, raw_shape
from tasks.packaging.tradeoff import check_shrinks
from tasks.train.folder import TrialFolder

EXAMPLES = 3  # a batch of one would look like a fixed size


def pack(
    candidate: Candidate,
    folder: Path,
    card: Path,
    train: Path,
    destination: Path,
    recipe: Recipe | None = None,
) -> Path:
    """Write the package of a trained candidate.

    Args:
        candidate: what was trained.
        folder: of the training; its weights are read.
        card: the data's card.
        train: training part, from which the input example comes.
        destination: the model folder.
        recipe: that makes it small.

    Returns:
        What was learnt, inside the package: the exported program, or weights.

    Raises:
        BadInput: a recipe is for networks that classify or predict, and this is none.
    """
    facts = json.loads(card.read_text())
    if recipe:
        check_shrinks(candidate.config, facts)
    if facts["inputs"]["kind"] == "pairs":
        return pack_seq2seq.write_package(
            destination,
            candidate.config,
            facts,
            TrialFolder(folder).weights,
            train.parent,
            metadata_of(candidate, facts, []),
        )
    if not candidate.config.model.capabilities.epochs:
        return pack_estimator.write_package(
            destination,
            TrialFolder(folder).estimator,
            answered(facts),
            facts["inputs"],
            read_rows(train, facts["inputs"]).values[:EXAMPLES],
            metadata_of(candidate, facts, labels_of(facts["classes"])),
        )
    serving = trained(candidate, facts, TrialFolder(folder).weights, train.parent)
    if recipe == "int8":
        quantize.pack_weights(serving)
    elif recipe == "prune":
        quantize.thin_weights(serving)
    scratch = destination.parent
    scratch.mkdir(parents=True, exist_ok=True)
    program, labels = scratch / "program.pt2", labels_of(facts["classes"])
    served: Mapping[str, Any]
    tokenizer = None
    if isinstance(serving, TextServing):
        assert isinstance(candidate.config.model, TextReader)
        encoder = tokens_of(candidate.config.model, train.parent)
        export_texts(serving, encoder.rules.most, program)
        served, tokenizer = text_card(answered(facts), encoder, scratch)
    else:
        shape = raw_shape(facts["inputs"])
        export_program(serving, shape, program)
        fills = facts["inputs"].get("fill") is not None
        served = {**answered(facts), "shape": list(shape), "fills": fills}
        served |= table_frame.card(facts["inputs"])
    if recipe in ("onnx", "onnx-int8"):
        graph, program = program, quantize.to_onnx(program, int8=recipe == "onnx-int8")
        graph.unlink()
    write_package(
        destination,
        program,
        served,
        read_rows(train, facts["inputs"]).values[:EXAMPLES],
        metadata_of(candidate, facts, labels),
        tokenizer=tokenizer,
    )
    program.unlink()
    return destination / "artifacts" / program.name


def answered(card: Mapping[str, Any]) -> dict[str, Any]:
    """What served code is to know of its answers: their names, what stands between those of one row
    where a row has any number of them, and the same of a second answer. `card` is the data's."""
    between = {"between": card["source"]["label_separator"]} if has_labels(card) else {}
    return {"labels": labels_of(card["classes"]), **between, **_second(card)}


def _second(card: Mapping[str, Any]) -> dict[str, Any]:
    """Name and labels of a second answer, where rows have one."""
    second = card.get("second")
    if second is None:
        return {}
    return {"second": {"name": second["name"], "labels": labels_of(second["classes"])}}


def trained(
    candidate: Candidate, card: Mapping[str, Any], weights: Path, parts: Path
) -> Serving | TextServing:
    """The trained network behind its normalisation; `parts` is the folder of the prepared parts.

    Raises:
        DenseError: the weights are gone or are another network's.
    """
    try:
        return load_serving(candidate.config, card, weights, parts)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise DenseError(
            f"{weights} cannot be read as the champion's weights ({error}); delete its folder and "
            "run the study again to train it anew"
        ) from error


def metadata_of(
    candidate: Candidate, card: Mapping[str, Any], labels: list[str] | list[int]
) -> dict[str, Any]:
    """What the model says of itself wherever it is copied to."""
    return {
        "study": candidate.study,
        "study_digest": candidate.study_digest,
        "digest": candidate.digest,
        "data": candidate.data,
        "seed": candidate.seed,
        "epochs": candidate.epochs,
        "objective": candidate.objective,
        "validation": candidate.value,
        "labels": labels,
        **_second(card),
        "inputs": dict(card["inputs"]),
        "source": dict(card["source"]),
        "config": candidate.config.model_dump(mode="json"),
    }
