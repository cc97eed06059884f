"""Pack a trained model: write the MLflow model folder that is served from its weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conf.schema.base import PackerName
from tasks.packaging.pack_ensemble import EnsemblePacker
from tasks.packaging.pack_estimator import EstimatorPacker
from tasks.packaging.pack_network import NetworkPacker
from tasks.packaging.pack_seq2seq import Seq2SeqPacker
from tasks.packaging.package import auxiliary_output, labels_of, save_model
from tasks.packaging.packer import Packer, PackJob
from tasks.packaging.tradeoff import check_shrinks

PACKERS: Mapping[PackerName, Callable[[], Packer]] = {
    "network": NetworkPacker,
    "estimator": EstimatorPacker,
    "seq2seq": Seq2SeqPacker,
}


def packer_of(job: PackJob) -> Packer:
    """The packer of a job: that of its model kind, or the ensemble's."""
    if job.members:
        return EnsemblePacker(pack)
    return PACKERS[job.candidate.config.model.capabilities.packer]()


def pack(job: PackJob, destination: Path) -> Path:
    """Write the model folder of a trained model, whole or not at all.

    Args:
        job: the trained model.
        destination: the model folder; an existing one is replaced.

    Returns:
        The file inside the model folder that identifies the weights: the exported program, the
        estimator, the safetensors file, or the card of an ensemble.

    Raises:
        BadInput: the recipe is not for this model.
        DenseError: the weights are missing or do not fit the network.
    """
    if job.recipe:
        check_shrinks(job.candidate.config, job.card)
    scratch = destination.with_name(f".{destination.name}.parts")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    files = packer_of(job).files(job, scratch)
    save_model(destination, files, metadata_of(job))
    shutil.rmtree(scratch)
    return min((destination / "artifacts").rglob(files.weights))


def metadata_of(job: PackJob) -> dict[str, Any]:
    """The metadata in the `MLmodel` file, which describes the model wherever it is copied to."""
    candidate, card = job.candidate, job.card
    return {
        "study": candidate.study,
        "study_digest": candidate.study_digest,
        "digest": candidate.digest,
        "data": candidate.data,
        "seed": candidate.seed,
        "epochs": candidate.epochs,
        "objective": candidate.objective,
        "validation": candidate.value,
        "labels": labels_of(card.classes),
        **auxiliary_output(card),
        "inputs": card.inputs.as_json(),
        "source": dict(card.source),
        "config": candidate.config.model_dump(mode="json"),
    }
