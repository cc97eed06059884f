"""An ensemble, whole: chosen, its members' weights found or trained again, scored, registered.

The alias `ensemble` comes to the version if the study's gate lets it through; `champion` stays
where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conf.loading.digests import canonical_json, derived_seed, sha256_text, study_digest
from conf.runtime.errors import BadInput
from tasks.champion.pipeline import judged
from tasks.champion.training import RunTrial, trained
from tasks.compare.replay import same_predictions, trial_original
from tasks.evaluate import metrics
from tasks.evaluate.ensemble_selection import Ensemble, Saved, combined, ensemble_of
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.predictions import read, write
from tasks.packaging.model_card import model_card
from tasks.packaging.records import (
    Candidate,
    Decision,
    EnsembleMember,
    FinalScore,
    RegisteredVersion,
)
from tasks.prepare import Prepared
from tasks.registry import aliases
from tasks.registry.register import Registration, record_version
from tasks.scoring.final_training import final_folder, training_folder
from tasks.scoring.test_score import VALIDATION, score
from tasks.study.reader import StudyRecord
from tasks.train.folder import TrialFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "ensemble"


@dataclass(frozen=True)
class EnsembleResult:
    """What came of it."""

    found: Ensemble
    """As it was chosen by the saved predictions."""
    members: Sequence[EnsembleMember]
    again: Sequence[int]
    """Trials that were trained again, their weights being gone."""
    unlike: Sequence[int]
    """Of those, the ones whose predictions are not the same bits as the first time."""
    value: float
    """The objective on the validation part, with the weights that are packed."""
    score: FinalScore
    decision: Decision
    registered: RegisteredVersion


def build(
    client: MlflowClient, record: StudyRecord, prepared: Prepared, run: RunTrial
) -> EnsembleResult | Ensemble:
    """Register the ensemble of a study's trials as a version of its model.

    Args:
        client: of tracking store and registry.
        record: the study, read back.
        prepared: its data.
        run: the trial engine's `run`; only called for members whose weights are gone.

    Returns:
        What was registered; the choice alone where no ensemble is better than one trial.

    Raises:
        BadInput: the study has no two trials whose answers can be averaged.
        DenseError: a member could not be trained again, or the whole could not be scored.
    """
    found = ensemble_of(record.complete(), record.study.evaluate)
    if found is None:
        raise BadInput(
            f"an ensemble needs two complete trials of {record.study.name!r} that predict "
            "classes, labels or numbers, and no second answer; run more trials first"
        )
    if len(found.weights) < 2:
        return found
    members, again, unlike = _members(record, prepared, run, found)
    saved = [_said(Path(member.folder)) for member in members]
    together = combined(saved, [member.weight for member in members])
    objective = record.study.evaluate.objective
    value = metrics.score(together, record.study.evaluate, [objective])[objective]
    candidate = _candidate(record, prepared, members, value)
    folder = final_folder(record.home, candidate)
    write(folder / VALIDATION / PREDICTIONS, together)
    taken = score(
        candidate,
        prepared,
        folder,
        threads=record.study.resources.threads,
        seconds=record.study.champion.seconds,
        members=members,
    )
    held = aliases.incumbent(client, record.study.registered_model)
    decision = judged(record, prepared, client, candidate, taken, held)
    if decision.verdict == "crown":  # the champion's alias is not what it competes for
        decision = decision.model_copy(update={"verdict": "keep"})
    done = _register(client, record, prepared, candidate, members, taken, decision, folder)
    return EnsembleResult(found, members, again, unlike, value, taken, decision, done)


def _members(
    record: StudyRecord, prepared: Prepared, run: RunTrial, found: Ensemble
) -> tuple[list[EnsembleMember], list[int], list[int]]:
    """The members with folders that hold their weights; those that were trained for it."""
    members, again, unlike = [], [], []
    for number, weight in sorted(found.weights.items(), key=lambda item: (-item[1], item[0])):
        trial = record.trial(number)
        folder = trial.path
        if not TrialFolder(folder).learnt.exists():
            folder = _trained_again(record, prepared, run, number)
            again.append(number)
            if not same_predictions(trial.path, folder):
                unlike.append(number)
        members.append(
            EnsembleMember(
                number=number,
                digest=trial.trial.digest,
                config=trial.config,
                folder=str(folder),
                weight=weight,
            )
        )
    return members, again, unlike


def _trained_again(record: StudyRecord, prepared: Prepared, run: RunTrial, number: int) -> Path:
    """A folder in which a trial was trained as in the search; found if it is there."""
    original = trial_original(record, prepared, number)
    spec = original.spec
    return trained(
        run,
        spec,
        training_folder(record.home, record.study.name, spec.digest, spec.seed),
        trouble=f"{original.words} could not be trained again for the ensemble",
        remedy="then give the command again",
    )


def _said(folder: Path) -> Saved:
    said = read(folder / PREDICTIONS)
    assert isinstance(said, Saved)  # others were not chosen from
    return said


def _candidate(
    record: StudyRecord, prepared: Prepared, members: Sequence[EnsembleMember], value: float
) -> Candidate:
    """The ensemble as whoever competes: its digest is of its members and their weights."""
    first = members[0]
    shares = {member.digest: member.weight for member in members}
    return Candidate(
        study=record.study.name,
        study_digest=study_digest(record.study),
        data=prepared.key,
        number=first.number,
        digest=sha256_text(canonical_json({"ensemble": shares})),
        config=first.config,
        value=value,
        epochs=max(record.trial(member.number).trial.epoch for member in members),
        seed=derived_seed(record.study.seed, "ensemble"),
    )


def _register(
    client: MlflowClient,
    record: StudyRecord,
    prepared: Prepared,
    candidate: Candidate,
    members: Sequence[EnsembleMember],
    taken: FinalScore,
    decision: Decision,
    folder: Path,
) -> RegisteredVersion:
    """The run and the version, found or made; then the alias, if the gate lets it through."""
    model = record.study.registered_model
    shares = {str(member.number): round(member.weight, 6) for member in members}
    tags = {"dense.kind": "ensemble", "dense.members": canonical_json(shares)}
    given = Registration(
        candidate,
        taken,
        decision,
        folder,
        model,
        card=model_card(candidate, taken, decision, prepared.card, model, members),
        params={f"weight of trial {number}": share for number, share in shares.items()},
        extra_tags=tags,
    )
    with aliases.held(record.home, model):
        version = record_version(client, record.home, given, previous=None)
        for name, value in tags.items():
            client.set_model_version_tag(model, version.version, name, value)
        if decision.verdict == "keep":
            client.set_registered_model_alias(model, ALIAS, version.version)
    return RegisteredVersion(model=model, version=str(version.version), run_id=version.run_id or "")
