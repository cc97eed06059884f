"""Ensemble of a study's trials: select members, find or retrain their weights, score, register.

Members are selected greedily from the saved predictions (Caruana et al., "Ensemble Selection from
Libraries of Models", 2004, doi:10.1145/1015330.1015432; `tasks.evaluate.ensemble_selection`). The
alias `ensemble` moves to the version if the study's gate lets it through; `champion` stays where it
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conf.loading.digests import canonical_json, derived_seed, sha256_text, study_digest
from conf.runtime.errors import BadInput
from tasks.champion.context import ChampionContext
from tasks.champion.pipeline import gate_decision
from tasks.champion.training import train_or_raise
from tasks.compare.replay import same_predictions, trial_original
from tasks.evaluate import metrics
from tasks.evaluate.ensemble_selection import Ensemble, select_ensemble, weighted_mean
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.predictions import ArrayPredictions, read, write
from tasks.packaging.model_card import model_card
from tasks.packaging.records import (
    Candidate,
    Decision,
    EnsembleMember,
    FinalScore,
    RegisteredVersion,
)
from tasks.registry import aliases
from tasks.registry.register import Registration, register_variant
from tasks.scoring.final_training import final_folder, training_folder
from tasks.scoring.score_request import VALIDATION
from tasks.scoring.test_score import score
from tasks.train.folder import TrialFolder

ALIAS = "ensemble"


@dataclass(frozen=True)
class EnsembleResult:
    """The registered ensemble."""

    selection: Ensemble
    """As selected from the saved predictions."""
    members: Sequence[EnsembleMember]
    retrained: Sequence[int]
    """Trials that were trained again because their weights were gone."""
    differing: Sequence[int]
    """Retrained trials whose predictions are not bit for bit those of the search."""
    value: float
    """The objective on the validation split, with the weights that are packed."""
    score: FinalScore
    decision: Decision
    registered: RegisteredVersion


def build(context: ChampionContext) -> EnsembleResult | Ensemble:
    """Register the ensemble of a study's trials as a version of its model.

    Args:
        context: its `run` is only called for members whose weights are gone.

    Returns:
        The registered ensemble; the selection alone if no ensemble beats the best trial.

    Raises:
        BadInput: the study has no two trials whose predictions can be averaged.
        DenseError: a member could not be retrained, or the ensemble could not be scored.
    """
    record, prepared, client = context.record, context.prepared, context.client
    selection = select_ensemble(record.complete(), record.study.evaluate)
    if selection is None:
        raise BadInput(
            f"an ensemble needs two complete trials of {record.study.name!r} that predict "
            "classes, labels or numbers, without an auxiliary target; run more trials first"
        )
    if len(selection.weights) < 2:
        return selection
    members, retrained, differing = _members(context, selection)
    saved = [_read_predictions(Path(member.folder)) for member in members]
    mean = weighted_mean(saved, [member.weight for member in members])
    objective = record.study.evaluate.objective
    value = metrics.score(mean, record.study.evaluate, [objective])[objective]
    candidate = _candidate(context, members, value)
    folder = final_folder(record.home, candidate)
    write(folder / VALIDATION / PREDICTIONS, mean)
    result = score(
        candidate,
        prepared,
        folder,
        threads=record.study.resources.threads,
        seconds=record.study.champion.seconds,
        members=members,
    )
    incumbent = aliases.incumbent(client, record.study.registered_model)
    decision = gate_decision(context, candidate, result, incumbent)
    if decision.verdict == "crown":  # it passed, but does not compete for the champion's alias
        decision = decision.model_copy(update={"verdict": "keep"})
    registered = _register(context, candidate, members, result, decision, folder)
    return EnsembleResult(
        selection, members, retrained, differing, value, result, decision, registered
    )


def _members(
    context: ChampionContext, selection: Ensemble
) -> tuple[list[EnsembleMember], list[int], list[int]]:
    """The members by descending weight, the retrained trials, and those of them that differ."""
    members, retrained, differing = [], [], []
    for number, weight in sorted(selection.weights.items(), key=lambda item: (-item[1], item[0])):
        trial = context.record.trial(number)
        folder = trial.path
        if not TrialFolder(folder).learnt.exists():
            folder = _retrain(context, number)
            retrained.append(number)
            if not same_predictions(trial.path, folder):
                differing.append(number)
        members.append(
            EnsembleMember(
                number=number,
                digest=trial.trial.digest,
                config=trial.config,
                folder=str(folder),
                weight=weight,
            )
        )
    return members, retrained, differing


def _retrain(context: ChampionContext, number: int) -> Path:
    """The folder in which a trial was trained again as in the search; reused if it is complete."""
    record = context.record
    original = trial_original(record, context.prepared, number)
    spec = original.spec
    return train_or_raise(
        context.run,
        spec,
        training_folder(record.home, record.study.name, spec.digest, spec.seed),
        problem=f"{original.words} could not be retrained for the ensemble",
        remedy="then run the command again",
    )


def _read_predictions(folder: Path) -> ArrayPredictions:
    predictions = read(folder / PREDICTIONS)
    assert isinstance(predictions, ArrayPredictions)  # `select_ensemble` selects no others
    return predictions


def _candidate(
    context: ChampionContext, members: Sequence[EnsembleMember], value: float
) -> Candidate:
    """The ensemble as a candidate; its digest is that of its members and their weights."""
    record, first = context.record, members[0]
    weights = {member.digest: member.weight for member in members}
    return Candidate(
        study=record.study.name,
        study_digest=study_digest(record.study),
        data=context.prepared.key,
        number=first.number,
        digest=sha256_text(canonical_json({"ensemble": weights})),
        config=first.config,
        value=value,
        epochs=max(record.trial(member.number).trial.epoch for member in members),
        seed=derived_seed(record.study.seed, "ensemble"),
    )


def _register(
    context: ChampionContext,
    candidate: Candidate,
    members: Sequence[EnsembleMember],
    result: FinalScore,
    decision: Decision,
    folder: Path,
) -> RegisteredVersion:
    """The run and version, existing or new; moves the alias if the gate lets the ensemble pass."""
    record = context.record
    model = record.study.registered_model
    weights = {str(member.number): round(member.weight, 6) for member in members}
    tags = {"dense.kind": "ensemble", "dense.members": canonical_json(weights)}
    registration = Registration(
        candidate,
        result,
        decision,
        folder,
        model,
        card=model_card(candidate, result, decision, context.prepared.card, model, members),
        params={f"weight of trial {number}": weight for number, weight in weights.items()},
        extra_tags=tags,
    )
    alias = ALIAS if decision.verdict == "keep" else None
    return register_variant(context.client, record.home, registration, alias=alias, tags=tags)
