"""Rebuild the champions' runs and versions in MLflow from files, for a lost MLflow database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.loading.digests import study_digest
from conf.loading.trial_values import values_of
from conf.runtime.errors import DenseError
from data.card import DataCard
from tasks.packaging.model_card import model_card
from tasks.packaging.records import Candidate, Decision, FinalScore, Retest
from tasks.prepare.store.store import open_prepared
from tasks.registry import aliases
from tasks.registry.register import Registration, record_version
from tasks.scoring.final_training import training_folder
from tasks.scoring.test_score import read_score
from tasks.study.reader import StudyRecord
from tasks.track import sessions, store

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class FinalModel:
    """A final model with a gate decision in the journal."""

    number: int
    """Of its trial."""
    decision: Decision
    model: str
    """Name of the registered model."""
    value: float
    """Its objective on the validation split."""
    repeats: int
    """Number of trainings that `value` is the mean of."""
    epochs: int
    seed: int
    time: float
    """Of the gate decision, in seconds since the Unix epoch."""
    folder: Path
    """Of the final training."""


@dataclass(frozen=True)
class RestoredVersions:
    """The versions that the registry now has of a study."""

    versions: int
    lost: tuple[Path, ...]
    """Folders of final models whose files or data are gone, so that they cannot be registered."""


def restore_versions(record: StudyRecord, uri: str) -> RestoredVersions:
    """Register every final model that has a gate decision in the journal.

    Existing versions stay unchanged, and an alias is only set if no version has it. The journal is
    not updated with new run ids: MLflow is derived from it, never the reverse.

    Args:
        record: the study, read back from its journal.
        uri: of the MLflow server.

    Raises:
        DenseError: MLflow became unreachable; calling again continues from there.
    """
    client = store.client(uri)
    try:
        return _restore(record, client)
    except DenseError:
        raise
    except Exception as error:  # MLflow's stores raise many types
        raise DenseError(
            f"MLflow at {store.shown(uri)} became unreachable ({store.short(error)}); "
            f"run `dense sync {record.study.name}` again when it is back"
        ) from error


def _restore(record: StudyRecord, client: MlflowClient) -> RestoredVersions:
    versions, lost = 0, []
    champions: dict[str, str] = {}
    challengers: dict[str, str] = {}
    for final in final_models(record):
        score = read_score(final.folder)
        prepared = open_prepared(record.home, score.data) if score else None
        if score is None or prepared is None:
            lost.append(final.folder)
            continue
        version = _record(record, client, final, score, prepared.card, champions.get(final.model))
        challengers[final.model] = version
        if final.decision.verdict == "crown":
            champions[final.model] = version
        versions += 1
    for alias, versions_of in ((aliases.CHALLENGER, challengers), (aliases.CHAMPION, champions)):
        for model, version in versions_of.items():
            with aliases.held(record.home, model):
                if aliases.aliased(client, model, alias) is None:
                    client.set_registered_model_alias(model, alias, version)
    return RestoredVersions(versions, tuple(lost))


def final_models(record: StudyRecord) -> Iterator[FinalModel]:
    """The final models in the order of their gate decisions.

    The journal skips a step whose facts equal those of its last line, so the last line of each
    step holds when a decision is made.
    """
    events = record.state.champion
    numbers = {trial.digest: trial.number for trial in reversed(record.state.trials)}
    last: dict[str, Mapping[str, Any]] = {}
    for place, event in enumerate(events):
        last[event.step] = event.facts
        if event.step != "judged":
            continue
        digest = event.facts["digest"]
        number = numbers[digest]
        crowned = next((e.facts for e in events[place:] if e.step == "crowned"), {})
        retest = Retest.model_validate(last["retested"]) if "retested" in last else None
        winner = retest.winner if retest and retest.chosen == number else None
        value = winner.mean if winner else record.state.trials[number].value
        assert value is not None  # a trial without an objective is never a candidate
        trained = last["trained"]
        yield FinalModel(
            number=number,
            decision=Decision.model_validate(
                {key: event.facts[key] for key in ("verdict", "reasons")}
            ),
            model=crowned.get("model", record.study.registered_model),
            value=value,
            repeats=len(winner.values) if winner else 1,
            epochs=trained["epochs"],
            seed=trained["seed"],
            time=event.time,
            folder=training_folder(record.home, record.study.name, digest, trained["seed"]),
        )


def _record(
    record: StudyRecord,
    client: MlflowClient,
    final: FinalModel,
    score: FinalScore,
    card: DataCard,
    previous: str | None,
) -> str:
    """Version number of a final model, registered if it is missing."""
    trial = record.trial(final.number)
    candidate = Candidate(
        study=record.study.name,
        study_digest=study_digest(record.study),
        data=score.data,
        number=final.number,
        digest=trial.trial.digest,
        config=trial.config,
        value=final.value,
        epochs=final.epochs,
        seed=final.seed,
        repeats=final.repeats,
    )
    session = sessions.of(sessions.read(record.folder), final.time)
    flow_run = session.flow_run if session else None
    registration = Registration(
        candidate,
        score,
        final.decision,
        final.folder,
        final.model,
        card=model_card(candidate, score, final.decision, card, final.model),
        params=values_of(record.study, candidate.config),
        extra_tags={"prefect.flow_run_id": flow_run} if flow_run else {},
    )
    with aliases.held(record.home, final.model):
        version = record_version(client, record.home, registration, previous=previous)
    return str(version.version)
