"""The model folder of an ensemble: its members' folders, their weights, one signature."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tasks.packaging import pyfunc_ensemble
from tasks.packaging.pack import EXAMPLES, answered, metadata_of, pack
from tasks.packaging.package import save_model, signature_of
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate, EnsembleMember
from tasks.packaging.table_frame import card as columns_card
from tasks.packaging.torch_export import raw_shape
from tasks.train.folder import file_fact


def pack_ensemble(
    candidate: Candidate,
    members: Sequence[EnsembleMember],
    card: Path,
    train: Path,
    destination: Path,
) -> Path:
    """Write the package of an ensemble.

    Args:
        candidate: the ensemble.
        members: its trials, trained.
        card: the data's card.
        train: training part, from which the input example comes.
        destination: the model folder.

    Returns:
        A file inside the package that follows from all that was learnt.
    """
    facts = json.loads(card.read_text())
    scratch = destination.with_name(f".{destination.name}.members")
    shutil.rmtree(scratch, ignore_errors=True)
    names = [f"member_{member.number}" for member in members]
    programs = []
    for name, member in zip(names, members, strict=True):
        given = {"number": member.number, "digest": member.digest, "config": member.config}
        each = candidate.model_copy(update=given)
        program = pack(each, Path(member.folder), card, train, _place(scratch, name))
        programs.append(file_fact(program).sha256)
    answers, inputs = answered(facts), facts["inputs"]
    shape = {} if inputs["kind"] == "text" else {"shape": list(raw_shape(inputs))}
    served = {
        **answers,
        "members": names,
        "weights": [member.weight for member in members],
        "programs": programs,
    }
    (scratch / "card.json").write_text(json.dumps(served))
    example = read_rows(train, inputs).values[:EXAMPLES]
    save_model(
        destination,
        pyfunc_ensemble,
        {"card": scratch / "card.json", **{name: _place(scratch, name) for name in names}},
        signature_of({**answers, **shape, **columns_card(inputs)}),
        example.tolist() if inputs["kind"] == "text" else example,
        _required([_place(scratch, name) for name in names]),
        metadata_of(candidate, facts, answers["labels"]),
    )
    shutil.rmtree(scratch)
    return destination / "artifacts" / "card.json"


def _place(scratch: Path, name: str) -> Path:
    """A member's own folder, named as in the package, apart from what packing leaves beside it."""
    return scratch / f"of_{name}" / name


def _required(models: Sequence[Path]) -> list[str]:
    """Packages that the members need, by name."""
    lines = [line for model in models for line in (model / "requirements.txt").read_text().split()]
    return sorted({line.partition("==")[0] for line in lines})
