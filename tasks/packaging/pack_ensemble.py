"""The packer of ensembles: the model folders of the members, and the weights of their mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from data.card import ImageInputs, TableInputs
from tasks.packaging import pyfunc_ensemble, table_frame
from tasks.packaging.package import ModelFiles, output_card, signature_of
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import raw_shape
from tasks.packaging.records import EnsembleMember
from tasks.train.folder import file_fact


class EnsemblePacker:
    """Packs each member as a model of its own, with the packer of its kind."""

    def __init__(self, pack: Callable[[PackJob, Path], Path]) -> None:
        """Keep the function that packs a member: `tasks.packaging.pack.pack`."""
        self._pack = pack

    def files(self, job: PackJob, scratch: Path) -> ModelFiles:
        """The members' model folders and the card, whose digest covers all weights."""
        # Each member has a folder of its own, because packing leaves scratch files beside it.
        models = {f"member_{member.number}": member for member in job.members}
        folders = {name: scratch / f"of_{name}" / name for name in models}
        programs = [
            file_fact(self._pack(_member_job(job, member), folders[name])).sha256
            for name, member in models.items()
        ]
        output, inputs = output_card(job.card), job.card.inputs
        shape = {}
        if isinstance(inputs, ImageInputs | TableInputs):
            shape = {"shape": list(raw_shape(inputs))}
        card = {
            **output,
            "members": list(models),
            "weights": [member.weight for member in job.members],
            "programs": programs,
        }
        path = scratch / "card.json"
        path.write_text(json.dumps(card))
        example = job.example()
        return ModelFiles(
            code=pyfunc_ensemble,
            artifacts={"card": path, **folders},
            signature=signature_of({**output, **shape, **table_frame.card(inputs)}),
            example=example if shape else example.tolist(),
            required=_required(list(folders.values())),
            weights=path.name,
        )


def _member_job(job: PackJob, member: EnsembleMember) -> PackJob:
    changes = {"number": member.number, "digest": member.digest, "config": member.config}
    candidate = job.candidate.model_copy(update=changes)
    return PackJob(candidate, Path(member.folder), job.card, job.train)


def _required(models: Sequence[Path]) -> list[str]:
    """Names of the packages that the members need."""
    lines = [line for model in models for line in (model / "requirements.txt").read_text().split()]
    return sorted({line.partition("==")[0] for line in lines})
