"""The champions' part of the record made again from files: MLflow's database may be gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.loading.digests import study_digest
from conf.loading.trial_values import values_of
from conf.runtime.errors import DenseError
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
    """A final model that the journal says was judged."""

    number: int
    """Its trial."""
    decision: Decision
    model: str
    """Name of the registered model."""
    value: float
    """Its objective on the validation part."""
    repeats: int
    """Trainings that `value` is the mean of."""
    epochs: int
    seed: int
    time: float
    """Seconds since the epoch at which it was judged."""
    folder: Path
    """Of its training."""


@dataclass(frozen=True)
class RestoredVersions:
    """What the registry has of a study."""

    versions: int
    lost: tuple[Path, ...]
    """Folders of final models that are gone, or whose data is; their versions cannot be made
    again."""


def restore(record: StudyRecord, uri: str) -> RestoredVersions:
    """Record every final model that the journal says was judged, with its version.

    What the registry has stays as it is; an alias is set only where nobody holds it. The journal
    keeps the ids of the runs as they were when it was written: MLflow is made from it, never the
    other way round.

    Raises:
        DenseError: MLflow at `uri` went away meanwhile; the same call goes on from there.
    """
    client = store.client(uri)
    try:
        return _restore(record, client)
    except DenseError:
        raise
    except Exception as error:  # whatever the store raises
        raise DenseError(
            f"MLflow at {store.shown(uri)} went away ({store.short(error)}); "
            f"run `dense sync {record.study.name}` again when it answers"
        ) from error


def _restore(record: StudyRecord, client: MlflowClient) -> RestoredVersions:
    versions, lost = 0, []
    champions: dict[str, str] = {}
    challengers: dict[str, str] = {}
    for final in finals(record):
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
    for alias, held in ((aliases.CHALLENGER, challengers), (aliases.CHAMPION, champions)):
        for model, version in held.items():
            with aliases.held(record.home, model):
                if aliases.aliased(client, model, alias) is None:
                    client.set_registered_model_alias(model, alias, version)
    return RestoredVersions(versions, tuple(lost))


def finals(record: StudyRecord) -> Iterator[FinalModel]:
    """The final models that were judged, in the order in which they were.

    A step that says what its last line said already has no second line, so each step's last line
    is what held when a model was judged.
    """
    told = record.state.champion
    numbers = {trial.digest: trial.number for trial in reversed(record.state.trials)}
    last: dict[str, Mapping[str, Any]] = {}
    for place, event in enumerate(told):
        last[event.step] = event.facts
        if event.step != "judged":
            continue
        digest = event.facts["digest"]
        number = numbers[digest]
        crowned = next((e.facts for e in told[place:] if e.step == "crowned"), {})
        found = Retest.model_validate(last["retested"]) if "retested" in last else None
        again = found.winner if found and found.chosen == number else None
        value = again.mean if again else record.state.trials[number].value
        assert value is not None  # what was judged had won
        trained = last["trained"]
        yield FinalModel(
            number=number,
            decision=Decision.model_validate(
                {key: event.facts[key] for key in ("verdict", "reasons")}
            ),
            model=crowned.get("model", record.study.registered_model),
            value=value,
            repeats=len(again.values) if again else 1,
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
    card: Mapping[str, Any],
    previous: str | None,
) -> str:
    """The version of a final model, found or made again."""
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
    given = Registration(
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
        version = record_version(client, record.home, given, previous=previous)
    return str(version.version)
